//! What the connected wallet tells by itself: EIP-1193's events, followed for one wallet at a time.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use alloy::primitives::Address;
use js_sys::{Array, Function, Object, Reflect};
use serde_json::Value;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

use super::{answers, js_values, registry, thrown};

/// What a wallet tells by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalletEvent {
    /// `accountsChanged`: the account now shared; `None` when the person took all back.
    Account(Option<Address>),
    /// `chainChanged`.
    Chain(u64),
    /// `connect`: the wallet reaches its chains, again most often.
    Connected,
    /// `disconnect` with code 1013: the wallet lost its connection to every chain, and is connecting again by itself.
    Reconnecting,
    /// `disconnect` with any other code, or none: the wallet lost its connection for good.
    Disconnected,
}

thread_local! {
    static FOLLOWED: RefCell<Option<WalletEvents>> = const { RefCell::new(None) };
}

/// Listens to the events of one wallet, and no longer to those of the one before. Malformed events are left out.
pub fn follow(id: &str, on_event: impl Fn(WalletEvent) + Clone + 'static) {
    let events = registry::provider(id).map(|provider| listen(&provider, on_event));
    unfollow();
    FOLLOWED.set(events);
}

/// Listens to no wallet any more. May be called by a listener: the subscription goes when that one has returned, but hears
/// nothing from now on.
pub fn unfollow() {
    if let Some(events) = FOLLOWED.take() {
        events.followed.set(false);
        wasm_bindgen_futures::spawn_local(async move { drop(events) });
    }
}

type Listener = Closure<dyn Fn(JsValue)>;
type Parser = fn(&JsValue) -> Option<WalletEvent>;

/// A subscription to a provider's events; ends when dropped.
struct WalletEvents {
    provider: Object,
    listeners: Vec<(&'static str, Listener)>,
    followed: Rc<Cell<bool>>,
}

fn accounts(payload: &JsValue) -> Option<WalletEvent> {
    answers::first_account("accountsChanged", &js_values::answer(payload)).ok().map(WalletEvent::Account)
}

fn chain(payload: &JsValue) -> Option<WalletEvent> {
    answers::chain_id(&js_values::answer(payload)).ok().map(WalletEvent::Chain)
}

fn disconnected(payload: &JsValue) -> Option<WalletEvent> {
    let payload: Value = js_values::thrown(payload);
    Some(if thrown::is_reconnecting(&payload) { WalletEvent::Reconnecting } else { WalletEvent::Disconnected })
}

fn listen(provider: &Object, on_event: impl Fn(WalletEvent) + Clone + 'static) -> WalletEvents {
    let parsers: [(&'static str, Parser); 4] = [
        ("accountsChanged", accounts),
        ("chainChanged", chain),
        ("connect", |_| Some(WalletEvent::Connected)),
        ("disconnect", disconnected),
    ];
    let followed = Rc::new(Cell::new(true));
    let listeners = parsers
        .into_iter()
        .map(|(event, parse)| {
            let (on_event, followed) = (on_event.clone(), Rc::clone(&followed));
            let listener = Listener::new(move |payload: JsValue| {
                if let (true, Some(event)) = (followed.get(), parse(&payload)) {
                    on_event(event);
                }
            });
            call(provider, "on", event, &listener);
            (event, listener)
        })
        .collect();
    WalletEvents { provider: provider.clone(), listeners, followed }
}

impl Drop for WalletEvents {
    fn drop(&mut self) {
        for (event, listener) in &self.listeners {
            call(&self.provider, "removeListener", event, listener);
        }
    }
}

fn call(provider: &Object, method: &str, event: &str, listener: &Listener) {
    if let Ok(function) = Reflect::get(provider, &method.into()).and_then(|found| found.dyn_into::<Function>()) {
        function.apply(provider, &Array::of2(&event.into(), listener.as_ref())).ok();
    }
}
