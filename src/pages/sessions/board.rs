//! The interactive part of the page.

use leptos::prelude::*;

use super::manager;
use crate::components::{connect_button::ConnectButton, deferred_view::when_account_known};

/// A place for the list: asks for a wallet, then lists.
///
/// # Server-Side Rendering
/// Says that a wallet is needed.
#[island]
pub(super) fn SessionsBoard() -> impl IntoView {
    when_account_known(manager::load, || {
        view! {
            <div class="panel">
                <p>"Connect the wallet that owns your smart account to see its sessions."</p>
                <div class="actions">
                    <ConnectButton />
                </div>
            </div>
        }
        .into_any()
    })
}
