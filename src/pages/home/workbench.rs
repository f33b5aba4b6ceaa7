//! The interactive part of the front page.

use leptos::prelude::*;

use super::outline::Outline;

/// The flow.
#[island]
pub fn Workbench() -> impl IntoView {
    view! { <Outline /> }
}
