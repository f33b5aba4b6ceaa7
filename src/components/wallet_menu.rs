//! The header's wallet menu: choose a wallet, see the account, let the wallet go.

#![allow(unsafe_code)] // inside the expansion of `split_function!`: the import of the chunk's entry

mod live;
mod none_found;

use leptos::prelude::*;

use self::live::LiveMenu;
use super::{
    code_split::{load_when, split_function, want},
    connect_button::ConnectButton,
    connect_state::use_connect_state,
    deferred_view::DeferredView,
    not_loaded_notice::NotLoadedNotice,
};
use crate::hooks::{effect, has_stored_sessions, is_returning_visitor};

split_function! {
    /// Makes the menu below `owner`, so that it finds the provider.
    in wallets: fn load(owner: Owner) -> LiveMenu {
        owner.with(LiveMenu::new)
    }
}

/// A connect button, and around it what is loaded as soon as somebody reaches for it or has been here before: the
/// wallet options, the account, notices.
///
/// # Server-Side Rendering
/// A button that cannot be pressed yet: wallets are known to the browser only.
#[island]
pub fn WalletMenu() -> impl IntoView {
    let state = use_connect_state();
    let (bar, notice) = (DeferredView::default(), DeferredView::default());
    effect(move || {
        if is_returning_visitor() {
            want(state.menu_wanted);
            // Who has sessions here has come for them.
            if has_stored_sessions() {
                want(state.flow_wanted);
            } else {
                state.flow_comes_next();
            }
        }
    });
    let failed = load_when(state.menu_wanted, load, {
        let (bar, notice) = (bar.clone(), notice.clone());
        move |menu: LiveMenu| {
            bar.put(menu.bar);
            notice.put(menu.notice);
        }
    });
    view! {
        <div class="account-bar">
            {move || -> Option<AnyView> { bar.take() }}
            <Show when=move || !state.connected.get()>
                <ConnectButton class="small" testid="connect-wallet" />
            </Show>
        </div>
        {move || -> Option<AnyView> { notice.take() }}
        <NotLoadedNotice failed wanted=state.menu_wanted />
    }
}
