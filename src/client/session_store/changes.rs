//! Tells when stored sessions change: in this tab, or in another one (`storage` event).

use std::{cell::RefCell, rc::Rc};

use alloy::primitives::Address;
use wasm_bindgen::{JsCast, closure::Closure};

type Listener = Rc<dyn Fn()>;
type OnStorage = Closure<dyn Fn(web_sys::StorageEvent)>;

thread_local! {
    static LISTENERS: RefCell<Vec<(u64, Address, Listener)>> = const { RefCell::new(Vec::new()) };
    static LISTENING: RefCell<Option<OnStorage>> = const { RefCell::new(None) };
}

/// Ends when dropped.
pub struct Subscription(u64);

impl Drop for Subscription {
    fn drop(&mut self) {
        LISTENERS.with_borrow_mut(|listeners| listeners.retain(|(id, ..)| *id != self.0));
    }
}

/// Calls `on_change` after each change of what is stored for `account`, whoever made it.
pub fn subscribe(account: Address, on_change: impl Fn() + 'static) -> Subscription {
    listen_to_other_tabs();
    LISTENERS.with_borrow_mut(|listeners| {
        let id = listeners.last().map_or(0, |(id, ..)| id + 1);
        listeners.push((id, account, Rc::new(on_change)));
        Subscription(id)
    })
}

/// Tells this tab's listeners.
pub fn notify(account: Address) {
    call(|concerned| *concerned == account);
}

fn call(concerned: impl Fn(&Address) -> bool) {
    let listeners: Vec<Listener> = LISTENERS.with_borrow(|listeners| {
        listeners
            .iter()
            .filter(|(_, account, _)| concerned(account))
            .map(|(.., listener)| Rc::clone(listener))
            .collect()
    });
    for listener in listeners {
        listener();
    }
}

fn listen_to_other_tabs() {
    if LISTENING.with_borrow(Option::is_some) {
        return;
    }
    let on_storage = OnStorage::new(|event: web_sys::StorageEvent| {
        // No key: everything was cleared.
        let key = event.key();
        call(|account| key.as_ref().is_none_or(|key| key.starts_with(&format!("{account:#x}_"))));
    });
    if let Some(window) = web_sys::window() {
        window.add_event_listener_with_callback("storage", on_storage.as_ref().unchecked_ref()).ok();
    }
    LISTENING.set(Some(on_storage));
}
