//! [`LateView`]: a place in a view for what is loaded later.

use std::sync::{Arc, Mutex};

use leptos::prelude::*;

/// A view that arrives later and is shown once.
#[derive(Clone)]
pub struct LateView {
    // A view is not `Sync`, and the page's state must be, because the server shares it between threads.
    view: Arc<Mutex<Option<AnyView>>>,
    arrived: RwSignal<bool>,
}

impl Default for LateView {
    fn default() -> Self {
        Self { view: Arc::default(), arrived: RwSignal::new(false) }
    }
}

impl LateView {
    /// The view is there.
    pub fn put(&self, view: AnyView) {
        if let Ok(mut place) = self.view.lock() {
            *place = Some(view);
        }
        self.arrived.try_set(true);
    }

    /// The view, once it is there; whoever takes it in a closure of a view runs again when it arrives.
    pub fn take(&self) -> Option<AnyView> {
        self.arrived.track();
        self.view.lock().ok()?.take()
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_shown_once() {
        Owner::new().with(|| {
            let late = LateView::default();
            assert!(late.take().is_none());
            late.put("here".into_any());
            assert!(late.take().is_some());
            assert!(late.take().is_none());
        });
    }
}
