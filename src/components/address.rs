//! An address or hash: short to look at, whole to copy and to read out.

use leptos::prelude::*;

use super::{copy_button::CopyButton, live_text::verbatim};
pub use crate::protocol::describe::shortened;

/// A value shown short, with the whole of it in `data-value` and in the tooltip, and a copy button.
#[component]
pub fn Address(
    /// The whole value.
    #[prop(into)]
    value: Signal<String>,
    /// What it is: completes "Copy the …".
    what: &'static str,
    /// `data-testid` of the value.
    #[prop(optional)]
    testid: Option<&'static str>,
) -> impl IntoView {
    view! {
        <span class="mono" data-testid=testid data-value=value title=value>
            {move || verbatim(shortened(&value.get()))}
        </span>
        <CopyButton value what />
    }
    .into_any()
}
