//! The interactive part of the front page.

use leptos::prelude::*;

use super::{flow, outline::Outline};
use crate::components::{
    connect_state::use_connect_state, late_view::LateView, not_loaded_notice::NotLoadedNotice, on_demand::load_when,
};

/// The flow: the outline in words until an account is known, then the real thing.
///
/// Grant, review, sessions and status are more code than the rest of the page together, so they are loaded when
/// somebody chooses a wallet and not before.
///
/// # Server-Side Rendering
/// Renders the outline.
#[island]
pub fn Workbench() -> impl IntoView {
    let state = use_connect_state();
    let flow = LateView::default();
    let failed = load_when(state.flow_wanted, flow::load, {
        let flow = flow.clone();
        move |view| flow.put(view)
    });
    // Once known, always known: the flow itself says what is missing when the account goes away.
    let known = Memo::new(move |before: Option<&bool>| before == Some(&true) || state.account_known.get());
    let view = move || known.get().then(|| flow.take()).flatten();
    view! {
        <NotLoadedNotice failed wanted=state.flow_wanted />
        {move || view().unwrap_or_else(|| view! { <Outline /> }.into_any())}
    }
}
