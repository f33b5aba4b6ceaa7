//! Places in a view for what is loaded later: [`DeferredView`], [`when_wanted`], and [`when_account_known`] for
//! the islands.

use std::sync::{Arc, Mutex};

use leptos::prelude::*;

use crate::hooks::effect;

use super::{
    code_split::{NotLoaded, load_when, want},
    connect_state::use_connect_state,
    not_loaded_notice::NotLoadedNotice,
};

/// A view that arrives later and is shown once.
#[derive(Clone)]
pub struct DeferredView {
    // A view is not `Sync`, and the page's state must be, because the server shares it between threads.
    view: Arc<Mutex<Option<AnyView>>>,
    arrived: RwSignal<bool>,
}

impl Default for DeferredView {
    fn default() -> Self {
        Self { view: Arc::default(), arrived: RwSignal::new(false) }
    }
}

impl DeferredView {
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

/// An island: `waiting` until the account is known, then the view that `load` makes under the current reactive `Owner`, so that
/// it finds the provider. Its code is loaded when somebody chooses a wallet; where the person saves data, once there is
/// an account.
///
/// # Server-Side Rendering
/// Renders `waiting`.
pub fn when_account_known<F>(
    load: impl Fn(Owner) -> F + 'static,
    waiting: impl Fn() -> AnyView + Send + 'static,
) -> impl IntoView
where
    F: Future<Output = Result<AnyView, NotLoaded>> + 'static,
{
    let state = use_connect_state();
    effect(move || {
        if state.account_known.get() {
            want(state.flow_wanted);
        }
    });
    when_flow_wanted(load, waiting)
}

/// The same, where `waiting` asks for it when the person saves data.
///
/// # Server-Side Rendering
/// Renders `waiting`.
pub fn when_flow_wanted<F>(
    load: impl Fn(Owner) -> F + 'static,
    waiting: impl Fn() -> AnyView + Send + 'static,
) -> impl IntoView
where
    F: Future<Output = Result<AnyView, NotLoaded>> + 'static,
{
    let state = use_connect_state();
    let late = DeferredView::default();
    let failed = load_when(state.flow_wanted, load, {
        let late = late.clone();
        move |view| late.put(view)
    });
    // Once known, always known: the view itself says what is missing when the account goes away.
    let known = Memo::new(move |before: Option<&bool>| before == Some(&true) || state.account_known.get());
    let view = move || known.get().then(|| late.take()).flatten();
    view! {
        <NotLoadedNotice failed wanted=state.flow_wanted />
        {move || view().unwrap_or_else(&waiting)}
    }
}

/// A part of a view whose code is loaded when it is wanted for the first time. It stays from then on.
///
/// # Server-Side Rendering
/// Nothing.
pub fn when_wanted<F>(
    wanted: impl Fn() -> bool + Send + Sync + 'static,
    load: impl Fn(Owner) -> F + 'static,
) -> impl IntoView
where
    F: Future<Output = Result<AnyView, NotLoaded>> + 'static,
{
    let asked = RwSignal::new(false);
    effect(move || {
        if wanted() {
            want(asked);
        }
    });
    let late = DeferredView::default();
    let failed = load_when(asked, load, {
        let late = late.clone();
        move |view| late.put(view)
    });
    view! {
        <NotLoadedNotice failed wanted=asked />
        {move || late.take()}
    }
    .into_any()
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_shown_once() {
        Owner::new().with(|| {
            let late = DeferredView::default();
            assert!(late.take().is_none());
            late.put("here".into_any());
            assert!(late.take().is_some());
            assert!(late.take().is_none());
        });
    }
}
