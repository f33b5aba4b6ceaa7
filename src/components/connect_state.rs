//! [`ConnectState`]: what the first view knows of wallets, before any code that works with them is there.

use leptos::prelude::*;

/// Plain facts that the islands share. The first view asks for more code by them; the wallet menu, once loaded, keeps
/// the rest up to date.
#[derive(Clone, Copy, Debug)]
pub struct ConnectState {
    /// Somebody reaches for a wallet, or has been here before: the wallet menu is to be loaded.
    pub menu_wanted: RwSignal<bool>,
    /// Somebody chooses a wallet, or has been here before: what works with an account is to be loaded.
    pub flow_wanted: RwSignal<bool>,
    /// The wallet options are in the page.
    pub ready: RwSignal<bool>,
    /// A wallet was asked and has not answered yet.
    pub connecting: RwSignal<bool>,
    /// A wallet is connected.
    pub connected: RwSignal<bool>,
    /// An account is known, connected or remembered.
    pub account_known: RwSignal<bool>,
}

impl ConnectState {
    fn new() -> Self {
        let no = || RwSignal::new(false);
        Self {
            menu_wanted: no(),
            flow_wanted: no(),
            ready: no(),
            connecting: no(),
            connected: no(),
            account_known: no(),
        }
    }
}

/// Makes the state available to everything below.
pub fn provide_connect_state() {
    provide_context(ConnectState::new());
}

/// The state; one of its own where none was provided.
pub fn use_connect_state() -> ConnectState {
    use_context().unwrap_or_else(ConnectState::new)
}
