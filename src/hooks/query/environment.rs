//! Is the page looked at, and is there a network? TanStack's `focusManager` and `onlineManager`.

use std::cell::{Cell, RefCell};

use futures::channel::oneshot;

thread_local! {
    /// Believed until the browser says otherwise: what it answers before its first event is unreliable.
    static ONLINE: Cell<bool> = const { Cell::new(true) };
    static FOCUSED: Cell<bool> = const { Cell::new(true) };
    static WAITING: RefCell<Vec<oneshot::Sender<()>>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn is_online() -> bool {
    ONLINE.get()
}

/// A try after a failed one needs both.
pub(super) fn is_online_and_focused() -> bool {
    ONLINE.get() && FOCUSED.get()
}

/// Resolves once `condition` holds; it is asked again after each change.
pub(super) async fn until(condition: fn() -> bool) {
    while !condition() {
        let (tell, told) = oneshot::channel();
        WAITING.with_borrow_mut(|waiting| waiting.push(tell));
        if told.await.is_err() {
            return;
        }
    }
}

fn wake() {
    for waiting in WAITING.take() {
        waiting.send(()).ok();
    }
}

/// Notes it and wakes who waits; true when the network is back.
pub(super) fn set_online(online: bool) -> bool {
    let was = ONLINE.replace(online);
    wake();
    online && !was
}

/// Notes it and wakes who waits; true when the person is back.
pub(super) fn set_focused(focused: bool) -> bool {
    let was = FOCUSED.replace(focused);
    wake();
    focused && !was
}

/// Listens to the browser, once in the life of the page.
#[cfg(feature = "hydrate")]
pub(super) fn listen() {
    use leptos::prelude::{document, window_event_listener_untyped};

    use super::cache;

    thread_local! {
        static LISTENS: Cell<bool> = const { Cell::new(false) };
    }
    if LISTENS.replace(true) {
        return;
    }
    window_event_listener_untyped("visibilitychange", |_| {
        if set_focused(!document().hidden()) {
            cache::on_focus();
        }
    });
    for (event, online) in [("online", true), ("offline", false)] {
        window_event_listener_untyped(event, move |_| {
            if set_online(online) {
                cache::on_reconnect();
            }
        });
    }
}

#[cfg(not(feature = "hydrate"))]
pub(super) fn listen() {}
