//! A field for an amount.

use leptos::prelude::*;

use super::live_text::live;

/// A field for an amount, as [`typed_amount`](super::token_amount::typed_amount) reads it.
#[component]
pub fn AmountField(
    /// What is typed.
    amount: RwSignal<String>,
    /// Id of the input, and its `data-testid`.
    id: &'static str,
    /// Above it.
    label: &'static str,
    /// Below it.
    #[prop(optional)]
    hint: &'static str,
    /// It cannot be typed into now.
    #[prop(optional, into)]
    disabled: Signal<bool>,
) -> impl IntoView {
    view! {
        <div class="field">
            <label for=id>{live(label)}</label>
            <input id=id data-testid=id inputmode="decimal" required disabled=disabled bind:value=amount />
            {(!hint.is_empty()).then(|| view! { <span class="hint">{live(hint)}</span> })}
        </div>
    }
    .into_any()
}
