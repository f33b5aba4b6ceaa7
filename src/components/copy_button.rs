//! A button that copies a text and says what became of it.

use std::time::Duration;

use leptos::prelude::*;

use crate::hooks::effect;

use super::{
    icon::{Glyph, Icon},
    live_text::live,
};

/// How long the button shows that it copied.
const SHOWN: Duration = Duration::from_millis(1600);

/// What became of the last press.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Copied {
    /// Nothing yet.
    #[default]
    No,
    /// The text is in the clipboard.
    Yes,
    /// The browser refused, or has no clipboard for this page.
    Refused,
}

/// Copies `value` to the clipboard.
#[component]
pub fn CopyButton(
    /// What is copied.
    #[prop(into)]
    value: Signal<String>,
    /// What it is, for the button's name: "Copy the transaction hash".
    what: &'static str,
    /// Shown beside the icon.
    #[prop(optional)]
    label: &'static str,
) -> impl IntoView {
    let copied = RwSignal::new(Copied::No);
    effect(move || {
        if copied.get() == Copied::Yes {
            let end = move || {
                copied.try_set(Copied::No);
            };
            set_timeout(end, SHOWN);
        }
    });
    let is = move |wanted: Copied| copied.get() == wanted;
    // Only what went wrong must be seen, too.
    let said = move || match copied.get() {
        Copied::No => "",
        Copied::Yes => "Copied",
        Copied::Refused => "Not copied: the browser refused. Select the text instead.",
    };
    view! {
        <button
            type="button"
            class="copy"
            data-copied=move || is(Copied::Yes).to_string()
            aria-label=move || if is(Copied::Yes) { "Copied".to_owned() } else { ["Copy the ", what].concat() }
            on:click=move |_| copy_to_clipboard(&value.get_untracked(), copied)
        >
            {move || view! { <Icon glyph=if is(Copied::Yes) { Glyph::Check } else { Glyph::Copy } /> }}
            {(!label.is_empty()).then(|| view! { <span>{live(label)}</span> })}
        </button>
        <span aria-live="polite" class=move || if is(Copied::Refused) { "reason" } else { "visually-hidden" }>
            {move || live(said())}
        </span>
    }
    .into_any()
}

/// Copies, and sets what became of it. Nothing is copied where there is no clipboard: on the server, or on a page that is
/// not secure.
pub(super) fn copy_to_clipboard(text: &str, copied: RwSignal<Copied>) {
    #[cfg(feature = "hydrate")]
    {
        let clipboard = window().navigator().clipboard();
        if wasm_bindgen::JsValue::from(&clipboard).is_undefined() {
            copied.set(Copied::Refused);
            return;
        }
        let writing = clipboard.write_text(text);
        leptos::task::spawn_local(async move {
            let written = wasm_bindgen_futures::JsFuture::from(writing).await;
            copied.try_set(if written.is_ok() { Copied::Yes } else { Copied::Refused });
        });
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = (text, copied);
}
