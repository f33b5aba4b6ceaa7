//! EIP-6963 discovery: wallets announce themselves by window events; we keep their providers. Wallets that only set
//! `window.ethereum` may do it late: they are waited for.

use std::{cell::RefCell, rc::Rc};

use js_sys::{Object, Reflect};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

use super::{
    info::{INJECTED_WALLET, WalletInfo},
    stopped_scripts,
};
use crate::client::time::sleep;

/// More announcements than this are left out: any script of the page can make them.
const MOST_WALLETS: usize = 64;

thread_local! {
    static ANNOUNCED: RefCell<Vec<(WalletInfo, Object)>> = const { RefCell::new(Vec::new()) };
}

/// Pauses between looks for a `window.ethereum` that is set late, milliseconds: three seconds in all, as
/// wallets themselves advise. Who is later must tell (`ethereum#initialized`).
const LOOKS: [u64; 5] = [100, 200, 400, 800, 1_600];

/// Asks wallets to announce themselves and goes on listening for the life of the page. `on_change` gets the list whenever
/// it may be another one.
pub fn discover(on_change: impl Fn(Vec<WalletInfo>) + 'static) {
    let Some(window) = web_sys::window() else { return };
    let on_change = Rc::new(move || on_change(known()));
    let changed = Rc::clone(&on_change);
    let listening = listen(&window, "eip6963:announceProvider", move |event| {
        if let Some((info, provider)) = announcement(&event) {
            keep(info, provider);
            changed();
        }
    });
    if let (true, Ok(request)) = (listening, web_sys::Event::new("eip6963:requestProvider")) {
        window.dispatch_event(&request).ok();
    }
    let changed = Rc::clone(&on_change);
    listen(&window, "ethereum#initialized", move |_| changed());
    let changed = Rc::clone(&on_change);
    stopped_scripts::watch(move || changed());
    wasm_bindgen_futures::spawn_local(async move {
        for pause in LOOKS {
            if !known().is_empty() {
                return;
            }
            sleep(pause).await;
            if injected_provider().is_some() {
                return on_change();
            }
        }
    });
}

/// Listens for the life of the page.
fn listen(window: &web_sys::Window, event: &str, listener: impl Fn(JsValue) + 'static) -> bool {
    let listener = Closure::<dyn Fn(JsValue)>::new(listener);
    let listening = window.add_event_listener_with_callback(event, listener.as_ref().unchecked_ref()).is_ok();
    listener.forget();
    listening
}

/// A script that the page's content policy stopped, and that may have been a wallet's; as the browser names it.
pub fn stopped_script() -> Option<String> {
    stopped_scripts::stopped()
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
