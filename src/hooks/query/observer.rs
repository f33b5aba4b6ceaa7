//! One hook's look at the cache: follows its key, says what it wants, and leaves.

use std::{cell::RefCell, rc::Rc};

use leptos::prelude::*;

use super::{
    QueryKey, QueryOptions,
    cache::{self, Entry, Fetcher, ObserverOptions},
    environment,
    state::QueryState,
};

/// Makes the fetcher of a key.
pub(super) type FetcherOf<V, T> = Rc<dyn Fn(QueryKey<V>) -> Fetcher<T>>;

pub(super) struct Observer<V: 'static, T: Send + Sync + 'static> {
    /// The answer that is shown.
    shown: RwSignal<Option<ArcRwSignal<QueryState<T>>>>,
    options: QueryOptions,
    fetcher_of: FetcherOf<V, T>,
    at: RefCell<Option<At<V, T>>>,
}

/// The entry that is looked at.
struct At<V, T: Send + Sync + 'static> {
    key: QueryKey<V>,
    entry: Rc<Entry<T>>,
    observed_with: Rc<ObserverOptions>,
}

impl<V, T> Observer<V, T>
where
    V: Clone + PartialEq + 'static,
    T: Clone + Send + Sync + 'static,
{
    pub fn new(
        shown: RwSignal<Option<ArcRwSignal<QueryState<T>>>>,
        options: QueryOptions,
        fetcher_of: FetcherOf<V, T>,
    ) -> Self {
        environment::listen(cache::on_focus, cache::on_reconnect);
        Self { shown, options, fetcher_of, at: RefCell::default() }
    }

    /// Observes `key`; reads when it is new here, or has just been enabled, and the answer is stale.
    pub fn observe(&self, key: Option<QueryKey<V>>, enabled: bool) {
        let same = self.at.borrow().as_ref().map(|at| &at.key) == key.as_ref();
        if !same {
            self.leave();
            let next = key.map(|key| self.join(key));
            self.shown.try_set(next.as_ref().map(|at| at.entry.state.clone()));
            self.at.replace(next);
        }
        let at = self.at.borrow();
        let Some(At { entry, observed_with, .. }) = at.as_ref() else { return };
        let was_enabled = observed_with.enabled.replace(enabled);
        if enabled && (!same || !was_enabled) && entry.is_stale(self.options.stale_time) {
            entry.fetch(false);
        }
    }

    fn join(&self, key: QueryKey<V>) -> At<V, T> {
        let QueryOptions { retry, stale_time, refetch_on_window_focus, refetch_on_reconnect, .. } = self.options;
        let observed_with = Rc::new(ObserverOptions {
            enabled: false.into(),
            retry,
            stale_time,
            on_focus: refetch_on_window_focus,
            on_reconnect: refetch_on_reconnect,
        });
        let entry = cache::entry::<V, T>(&key);
        entry.join(Rc::clone(&observed_with), (self.fetcher_of)(key.clone()));
        At { key, entry, observed_with }
    }

    /// Reads now, whatever is known. A read that is under way is overtaken, but for the first.
    pub fn refetch(&self) {
        if let Some(at) = self.at.borrow().as_ref() {
            at.entry.fetch(at.entry.state.with_untracked(|state| state.data.is_some()));
        }
    }

    pub fn leave(&self) {
        if let Some(at) = self.at.take() {
            at.entry.leave(&at.observed_with);
        }
    }
}
