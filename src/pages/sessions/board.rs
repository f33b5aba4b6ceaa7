//! The interactive part of the page.

use leptos::prelude::*;

use super::manager;
use crate::components::{
    connect_button::ConnectButton, connect_state::use_connect_state, late_view::LateView,
    not_loaded_notice::NotLoadedNotice, on_demand::load_when,
};

/// A place for the list: asks for a wallet, then lists.
///
/// # Server-Side Rendering
/// Says that a wallet is needed.
#[island]
pub(super) fn SessionsBoard() -> impl IntoView {
    let state = use_connect_state();
    let list = LateView::default();
    let failed = load_when(state.flow_wanted, manager::load, {
        let list = list.clone();
        move |view| list.put(view)
    });
    // Once known, always known: the list itself says what is missing when the account goes away.
    let known = Memo::new(move |before: Option<&bool>| before == Some(&true) || state.account_known.get());
    let view = move || known.get().then(|| list.take()).flatten();
    let waiting = || {
        view! {
            <div class="panel">
                <p>"Connect the wallet that owns your smart account to see its sessions."</p>
                <div class="actions">
                    <ConnectButton />
                </div>
            </div>
        }
    };
    view! {
        <NotLoadedNotice failed wanted=state.flow_wanted />
        {move || view().unwrap_or_else(|| waiting().into_any())}
    }
}
