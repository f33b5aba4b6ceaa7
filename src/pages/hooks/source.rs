//! Source text: highlighted, selectable, with a button that copies it.

use leptos::{html, prelude::*};

use crate::components::{copy_button::CopyButton, live_text::verbatim};

/// A listing. What is copied is the text that is shown.
#[component]
pub(super) fn Listing(
    /// What it is, for people who cannot see it.
    what: &'static str,
    /// Shown above it: a file name.
    #[prop(into)]
    caption: String,
    /// The highlighted text.
    html: String,
) -> impl IntoView {
    view! {
        <figure class="listing">
            <figcaption>
                <span class="mono">{verbatim(caption)}</span>
                <CopyListing />
            </figcaption>
            <pre translate="no" tabindex="0" role="region" aria-label=what>
                <code translate="no" class="code" inner_html=html></code>
            </pre>
        </figure>
    }
    .into_any()
}

/// Copies the text of the listing around it. Without properties: they would bring a JSON parser into the first load.
///
/// # Server-Side Rendering
/// A button that does nothing yet; style sheets hide it while there is no JavaScript.
#[island]
fn CopyListing() -> impl IntoView {
    let place = NodeRef::<html::Span>::new();
    let text = move || {
        let listing = place.get_untracked()?.closest("figure").ok()??;
        listing.query_selector("code").ok()??.text_content()
    };
    view! {
        <span node_ref=place>
            <CopyButton value=Signal::derive(move || text().unwrap_or_default()) what="code" label="Copy" />
        </span>
    }
}
