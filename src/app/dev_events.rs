//! The script by which a page hears from `make dev`: what was built anew, and what does not compile.

use leptos::{nonce::use_nonce, prelude::*};

use crate::server::dev_events;

const LISTEN: &str = include_str!("dev_events.js");

/// Nothing outside of `make dev`.
#[component]
pub(super) fn DevEvents() -> impl IntoView {
    // A wrong one has ended the server before it served anything.
    let origin = dev_events::origin().ok().flatten();
    origin.map(|origin| view! { <script nonce=use_nonce()>{format!(r#"{LISTEN}("{origin}/events");"#)}</script> })
}
