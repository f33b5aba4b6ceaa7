//! The interactive part of the front page.

use leptos::prelude::*;

use super::{flow, outline::Outline};
use crate::components::deferred_view::when_flow_wanted;

/// The flow: the outline in words until an account is known, then the real thing.
///
/// Grant, review, sessions and status are more code than the rest of the page together, so they are loaded when
/// somebody chooses a wallet and not before.
///
/// # Server-Side Rendering
/// Renders the outline.
#[island]
pub fn Workbench() -> impl IntoView {
    when_flow_wanted(flow::load, || view! { <Outline /> }.into_any())
}
