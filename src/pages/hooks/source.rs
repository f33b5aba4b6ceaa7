//! Source text: highlighted, selectable, with a button that copies it.

use leptos::prelude::*;

use crate::components::copy_button::CopyButton;

/// A listing. What is copied is the text that is shown.
#[component]
pub(super) fn Listing(
    /// Its id in the page.
    id: &'static str,
    /// What it is, for people who cannot see it and for the button.
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
                <span class="mono">{caption}</span>
                <CopyListing id=id.to_owned() what=what.to_owned() />
            </figcaption>
            <pre tabindex="0" role="region" aria-label=what>
                <code id=id class="code" inner_html=html></code>
            </pre>
        </figure>
    }
    .into_any()
}

/// Copies the text of the element with this id.
///
/// # Server-Side Rendering
/// A button that does nothing yet; hidden while there is no JavaScript.
#[island]
fn CopyListing(
    /// Id of the element.
    id: String,
    /// What it is.
    what: String,
) -> impl IntoView {
    let text = move || document().get_element_by_id(&id).and_then(|element| element.text_content()).unwrap_or_default();
    view! { <CopyButton value=Signal::derive(text) what /> }
}
