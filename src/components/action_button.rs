//! The button that sends something.

use leptos::prelude::*;

use super::live_text::live;

/// Says that it is busy while it is, and does nothing then.
#[component]
pub fn ActionButton(
    /// Its `data-testid`.
    testid: &'static str,
    /// What it says.
    text: &'static str,
    /// What it says while it is busy.
    busy_text: &'static str,
    /// What it began is not done.
    #[prop(into)]
    is_busy: Signal<bool>,
    /// It cannot be used now.
    #[prop(into)]
    blocked: Signal<bool>,
    /// What it does.
    on_press: Callback<()>,
    /// Hears that somebody comes to it: a moment to prepare in.
    #[prop(optional)]
    on_near: Option<Callback<()>>,
    /// It is not the first choice.
    #[prop(optional)]
    quiet: bool,
) -> impl IntoView {
    let near = move || {
        if let Some(on_near) = on_near.filter(|_| !blocked.get_untracked()) {
            on_near.run(());
        }
    };
    let press = move |_| {
        if !is_busy.get_untracked() {
            on_press.run(());
        }
    };
    view! {
        <button
            type="button"
            class=if quiet { "button quiet" } else { "button" }
            data-testid=testid
            disabled=blocked
            // Not `disabled`: the button keeps the focus of whoever works with the keyboard.
            aria-disabled=move || is_busy.get().then_some("true")
            on:pointerenter=move |_| near()
            on:pointerdown=move |_| near()
            on:focus=move |_| near()
            on:click=press
        >
            {move || live(if is_busy.get() { busy_text } else { text })}
        </button>
    }
    .into_any()
}
