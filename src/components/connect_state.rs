//! [`ConnectState`]: what the first view knows of wallets, before any code that works with them is there.

use leptos::prelude::*;

use super::code_split::want;

/// Plain facts that the islands share. The first view asks for more code by them; the wallet menu, once loaded, keeps
/// the rest up to date.
#[derive(Clone, Copy, Debug)]
pub struct ConnectState {
    /// Somebody reaches for a wallet, or has been here before: the wallet menu is to be loaded.
    pub menu_wanted: RwSignal<bool>,
    /// Somebody chooses a wallet, has been here before, or, where data are saved, has sessions here or asks for one: what
    /// works with an account is to be loaded.
    pub flow_wanted: RwSignal<bool>,
    /// Somebody pressed the button that grants before it was more than a button: the review is to be opened.
    pub grant_pressed: RwSignal<bool>,
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
    /// What works with an account will be needed soon.
    pub fn flow_comes_next(self) {
        if !saves_data() {
            want(self.flow_wanted);
        }
    }

    fn new() -> Self {
        let no = || RwSignal::new(false);
        Self {
            menu_wanted: no(),
            flow_wanted: no(),
            grant_pressed: no(),
            ready: no(),
            connecting: no(),
            connected: no(),
            account_known: no(),
        }
    }
}

/// The person asked the browser to save data: nothing is loaded before somebody needs it.
///
/// # Server-Side Rendering
/// False.
pub fn saves_data() -> bool {
    #[cfg(feature = "hydrate")]
    {
        use leptos::wasm_bindgen::JsValue;
        let within = |object: &JsValue, name: &str| js_sys::Reflect::get(object, &name.into()).ok();
        within(&window().navigator(), "connection")
            .filter(JsValue::is_object)
            .and_then(|connection| within(&connection, "saveData"))
            .is_some_and(|saves| saves.is_truthy())
    }
    #[cfg(not(feature = "hydrate"))]
    false
}

/// Makes the state available to everything below.
pub fn provide_connect_state() {
    provide_context(ConnectState::new());
}

/// The state; one of its own where none was provided.
pub fn use_connect_state() -> ConnectState {
    use_context().unwrap_or_else(ConnectState::new)
}
