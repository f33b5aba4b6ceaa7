//! A button that copies a text and says that it did.

use std::time::Duration;

use leptos::prelude::*;

use super::icon::{Glyph, Icon};

/// How long the button shows that it copied.
const SHOWN: Duration = Duration::from_millis(1600);

/// Copies `value` to the clipboard.
#[component]
pub fn CopyButton(
    /// What is copied.
    #[prop(into)]
    value: Signal<String>,
    /// What it is, for the button's name: "Copy the transaction hash".
    what: &'static str,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let copy = move |_| {
        write_to_clipboard(&value.get_untracked());
        copied.set(true);
        set_timeout(
            move || {
                copied.try_set(false);
            },
            SHOWN,
        );
    };
    view! {
        <button
            type="button"
            class="copy"
            data-copied=move || copied.get().to_string()
            aria-label=move || if copied.get() { "Copied".to_owned() } else { ["Copy the ", what].concat() }
            on:click=copy
        >
            {move || view! { <Icon glyph=if copied.get() { Glyph::Check } else { Glyph::Copy } /> }}
        </button>
    }
    .into_any()
}

/// Does nothing where there is no clipboard: on the server, or on a page that is not secure.
pub(super) fn write_to_clipboard(text: &str) {
    #[cfg(feature = "hydrate")]
    {
        let clipboard = window().navigator().clipboard();
        if !wasm_bindgen::JsValue::from(&clipboard).is_undefined() {
            // Whether it worked is up to the browser's permissions; there is nothing better to do when it did not.
            drop(clipboard.write_text(text));
        }
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = text;
}
