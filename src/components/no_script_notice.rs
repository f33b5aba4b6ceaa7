//! What a reader without JavaScript is told.

use leptos::prelude::*;

use super::{
    icon::{Glyph, Icon},
    live_text::live,
};

/// Shown only where JavaScript is switched off.
#[component]
pub fn NoScriptNotice(
    /// What does not work without it, and what does.
    text: &'static str,
) -> impl IntoView {
    view! {
        <noscript>
            <p class="notice" role="note">
                <Icon glyph=Glyph::Warning />
                <span>
                    <strong>"JavaScript is switched off. "</strong>
                    {live(text)}
                </span>
            </p>
        </noscript>
    }
    .into_any()
}
