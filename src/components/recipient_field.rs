//! A field for an address that is offered one.

use alloy::primitives::Address;
use leptos::prelude::*;

use super::{address_check::typed_address, live_text::live};
use crate::error::AppError;

/// The address in a [`RecipientField`]: what was typed, and until then what is offered.
#[derive(Clone, Copy)]
pub struct Recipient {
    typed: RwSignal<Option<String>>,
    offered: Signal<Option<Address>>,
}

/// A recipient that is `offered` until the person types another one.
///
/// # Server-Side Rendering
/// As in the browser before anything is typed.
pub fn use_recipient(offered: Signal<Option<Address>>) -> Recipient {
    Recipient { typed: RwSignal::new(None), offered }
}

impl Recipient {
    /// The address.
    ///
    /// # Errors
    /// `InvalidInput` when it is none.
    pub fn address(self) -> Result<Address, AppError> {
        let text = self.text();
        text.trim().parse().map_err(|_| AppError::invalid("recipient", "an address: 0x and 40 hex digits", text))
    }

    fn text(self) -> String {
        let offered = || self.offered.get().map(|address| address.to_string());
        self.typed.get().or_else(offered).unwrap_or_default()
    }
}

/// Takes an address and says what is known of it.
#[component]
pub fn RecipientField(
    /// Where it goes.
    recipient: Recipient,
    /// Id of the input.
    id: &'static str,
    /// Its `data-testid`.
    testid: &'static str,
    /// Above it.
    label: &'static str,
    /// Below it.
    hint: &'static str,
) -> impl IntoView {
    view! {
        <div class="field wide">
            <label for=id>{live(label)}</label>
            <input
                id=id
                class="mono"
                data-testid=testid
                spellcheck="false"
                autocomplete="off"
                prop:value=move || recipient.text()
                on:input:target=move |event| recipient.typed.set(Some(event.target().value()))
            />
            {move || recipient.typed.get().as_deref().and_then(typed_address)}
            <span class="hint">{live(hint)}</span>
        </div>
    }
    .into_any()
}
