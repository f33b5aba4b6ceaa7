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
        let (sender, receiver) = oneshot::channel();
        WAITING.with_borrow_mut(|waiting| waiting.push(sender));
        if receiver.await.is_err() {
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

/// Listens to the browser, once in the life of the page; calls `on_focus` when the person is back, `on_reconnect` when
/// the network is.
#[cfg(feature = "hydrate")]
pub(super) fn listen(on_focus: fn(), on_reconnect: fn()) {
    use leptos::prelude::{document, window_event_listener_untyped};

    thread_local! {
        static LISTENS: Cell<bool> = const { Cell::new(false) };
    }
    if LISTENS.replace(true) {
        return;
    }
    window_event_listener_untyped("visibilitychange", move |_| {
        if set_focused(!document().hidden()) {
            on_focus();
        }
    });
    for (event, online) in [("online", true), ("offline", false)] {
        window_event_listener_untyped(event, move |_| {
            if set_online(online) {
                on_reconnect();
            }
        });
    }
}

#[cfg(not(feature = "hydrate"))]
pub(super) fn listen(_: fn(), _: fn()) {}
