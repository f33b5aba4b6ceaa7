//! EIP-6963 discovery: wallets announce themselves by window events; we keep their providers.

use std::cell::RefCell;

use js_sys::{Object, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

use super::info::{INJECTED_WALLET, WalletInfo};

/// More announcements than this are left out: any script of the page can make them.
const MOST_WALLETS: usize = 64;

thread_local! {
    static ANNOUNCED: RefCell<Vec<(WalletInfo, Object)>> = const { RefCell::new(Vec::new()) };
}

/// Asks wallets to announce themselves and goes on listening for the life of the page. `on_change` gets the list
/// after each announcement.
pub fn discover(on_change: impl Fn(Vec<WalletInfo>) + 'static) {
    let Some(window) = web_sys::window() else { return };
    let listener = Closure::<dyn Fn(JsValue)>::new(move |event: JsValue| {
        if let Some((info, provider)) = announcement(&event) {
            keep(info, provider);
            on_change(known());
        }
    });
    let listening =
        window.add_event_listener_with_callback("eip6963:announceProvider", listener.as_ref().unchecked_ref()).is_ok();
    listener.forget();
    if let (true, Ok(request)) = (listening, web_sys::Event::new("eip6963:requestProvider")) {
        window.dispatch_event(&request).ok();
    }
}

/// All wallets that can be connected now: the announced ones, and `window.ethereum` when nobody announced it.
pub fn known() -> Vec<WalletInfo> {
    let mut wallets = ANNOUNCED.with_borrow(|list| list.iter().map(|(info, _)| info.clone()).collect::<Vec<_>>());
    if injected_provider().is_some() {
        wallets.push(WalletInfo::injected());
    }
    wallets
}

/// The provider of a wallet, by its [`id`](WalletInfo::id) or rdns.
pub fn provider(id: &str) -> Option<Object> {
    if id == INJECTED_WALLET {
        return injected_provider();
    }
    ANNOUNCED.with_borrow(|list| list.iter().find(|(info, _)| info.is_called(id)).map(|(_, provider)| provider.clone()))
}

/// `window.ethereum`, unless it is a provider that announced itself, or anybody announced anything at all: a browser
/// with announcing wallets has its choice there.
fn injected_provider() -> Option<Object> {
    if ANNOUNCED.with_borrow(|list| !list.is_empty()) {
        return None;
    }
    let ethereum = Reflect::get(web_sys::window()?.as_ref(), &"ethereum".into()).ok()?;
    is_provider(&ethereum).then(|| ethereum.unchecked_into())
}

/// An announcement replaces one of the same wallet only: the rdns is a kind of wallet, the UUID is the wallet.
fn keep(info: WalletInfo, provider: Object) {
    ANNOUNCED.with_borrow_mut(|list| match list.iter().position(|(known, _)| known.is_same_as(&info)) {
        Some(index) => list[index] = (info, provider),
        None if list.len() < MOST_WALLETS => list.push((info, provider)),
        None => {}
    });
}

fn announcement(event: &JsValue) -> Option<(WalletInfo, Object)> {
    let detail = Reflect::get(event, &"detail".into()).ok()?;
    let info = Reflect::get(&detail, &"info".into()).ok()?;
    let text =
        |name: &str| Reflect::get(&info, &name.into()).ok().and_then(|value| value.as_string()).unwrap_or_default();
    let info = WalletInfo::announced(&text("rdns"), &text("name"), &text("icon"), &text("uuid"))?;
    let provider = Reflect::get(&detail, &"provider".into()).ok()?;
    is_provider(&provider).then(|| (info, provider.unchecked_into()))
}

fn is_provider(value: &JsValue) -> bool {
    value.is_object() && Reflect::get(value, &"request".into()).is_ok_and(|request| request.is_function())
}
