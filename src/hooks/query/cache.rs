//! Answers of the page's queries by key: whoever asks the same shares one answer and one fetch.
//!
//! Lives in the page's own thread. A server never puts anything here: its threads serve many people.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    rc::Rc,
};

use alloy::primitives::Address;
use futures::future::LocalBoxFuture;
use leptos::prelude::*;

use super::{
    QueryKey,
    environment::{self, is_online, is_online_and_focused},
    state::QueryState,
};
use crate::{
    client::time::{now_millis, sleep},
    error::AppError,
    hooks::{query_status::FetchStatus, retry},
};

/// An answer that nobody shows is kept this long, milliseconds (TanStack's `gcTime`).
pub(super) const KEPT: u64 = 5 * 60 * 1_000;

pub(super) type Fetcher<T> = Rc<dyn Fn() -> LocalBoxFuture<'static, Result<T, AppError>>>;

/// What one observer wants of an entry.
#[derive(Debug)]
pub(super) struct ObserverOptions {
    pub enabled: Cell<bool>,
    pub retry: u32,
    pub stale_time: u64,
    pub on_focus: bool,
    pub on_reconnect: bool,
}

/// One key's answer.
pub(super) struct Entry<T: Send + Sync + 'static> {
    pub state: ArcRwSignal<QueryState<T>>,
    /// Number of the fetch that the state follows.
    run: Cell<u64>,
    fetcher: RefCell<Option<Fetcher<T>>>,
    observers: RefCell<Vec<Rc<ObserverOptions>>>,
    unused_since: Cell<Option<u64>>,
}

impl<T: Clone + Send + Sync + 'static> Entry<T> {
    fn new() -> Self {
        Self {
            state: ArcRwSignal::new(QueryState::default()),
            run: Cell::new(0),
            fetcher: RefCell::default(),
            observers: RefCell::default(),
            unused_since: Cell::new(Some(now_millis())),
        }
    }

    /// From now on `observer` count, until they are [taken back](Self::leave). The latest observer's fetcher is used.
    pub fn join(&self, observer: Rc<ObserverOptions>, fetcher: Fetcher<T>) {
        self.observers.borrow_mut().push(observer);
        self.fetcher.replace(Some(fetcher));
        self.unused_since.set(None);
    }

    pub fn leave(&self, observer: &Rc<ObserverOptions>) {
        let mut observers = self.observers.borrow_mut();
        observers.retain(|known| !Rc::ptr_eq(known, observer));
        if observers.is_empty() {
            self.unused_since.set(Some(now_millis()));
        }
    }

    pub fn is_stale(&self, stale_time: u64) -> bool {
        self.state.with_untracked(|state| state.is_stale(stale_time, now_millis()))
    }

    /// Reads. One that is under way is joined; with `overtake` a new one takes its place, unless it is the first.
    pub fn fetch(self: &Rc<Self>, overtake: bool) {
        let busy = self.state.with_untracked(|state| state.fetch_status != FetchStatus::Idle);
        if busy && !overtake {
            return;
        }
        let Some(fetcher) = self.fetcher.borrow().clone() else { return };
        let run = self.run.get() + 1;
        self.run.set(run);
        self.state.update(|state| state.begin(is_online()));
        let entry = Rc::clone(self);
        leptos::task::spawn_local(async move { entry.follow(run, fetcher).await });
    }

    async fn follow(&self, run: u64, fetcher: Fetcher<T>) {
        if !self.may_go_on(run, is_online).await {
            return;
        }
        loop {
            let answer = fetcher().await;
            if self.run.get() != run {
                return;
            }
            let error = match answer {
                Ok(data) => return self.state.update(|state| state.succeed(data, now_millis())),
                Err(error) => error,
            };
            let failures = self.state.with_untracked(|state| state.failure_count);
            if failures >= self.retries() || !retry::is_transient(&error) {
                return self.state.update(|state| state.fail(error));
            }
            self.state.update(|state| state.fail_once(error.clone()));
            sleep(retry::delay(failures)).await;
            if self.run.get() == run && self.observers.borrow().is_empty() {
                // Nobody wants to know any more.
                return self.state.update(|state| state.fail(error));
            }
            if !self.may_go_on(run, is_online_and_focused).await {
                return;
            }
        }
    }

    /// Waits until `condition` holds; false when a later fetch has taken over.
    async fn may_go_on(&self, run: u64, condition: fn() -> bool) -> bool {
        if !condition() {
            self.show(run, FetchStatus::Paused);
            environment::until(condition).await;
            self.show(run, FetchStatus::Fetching);
        }
        self.run.get() == run
    }

    fn show(&self, run: u64, fetch_status: FetchStatus) {
        if self.run.get() == run && self.state.with_untracked(|state| state.fetch_status != fetch_status) {
            self.state.update(|state| state.fetch_status = fetch_status);
        }
    }

    fn retries(&self) -> u32 {
        self.observers.borrow().last().map_or(0, |observer| observer.retry)
    }

    fn is_wanted(&self, wanted: impl Fn(&ObserverOptions) -> bool) -> bool {
        self.observers.borrow().iter().any(|observer| observer.enabled.get() && wanted(observer))
    }
}

/// An [`Entry`] of whatever type.
trait AnyEntry {
    fn as_any(self: Rc<Self>) -> Rc<dyn Any>;
    fn invalidate(self: Rc<Self>);
    fn on_focus(self: Rc<Self>);
    fn on_reconnect(self: Rc<Self>);
    fn unused_since(&self) -> Option<u64>;
}

impl<T: Clone + Send + Sync + 'static> AnyEntry for Entry<T> {
    fn as_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }

    fn invalidate(self: Rc<Self>) {
        self.state.update_untracked(|state| state.invalidated = true);
        if self.is_wanted(|_| true) {
            // Also a first read that is under way: it may have looked before the change.
            self.fetch(true);
        }
    }

    fn on_focus(self: Rc<Self>) {
        if self.is_wanted(|observer| observer.on_focus && self.is_stale(observer.stale_time)) {
            self.fetch(false);
        }
    }

    fn on_reconnect(self: Rc<Self>) {
        if self.is_wanted(|observer| observer.on_reconnect && self.is_stale(observer.stale_time)) {
            self.fetch(false);
        }
    }

    fn unused_since(&self) -> Option<u64> {
        self.unused_since.get()
    }
}

struct Slot {
    key: QueryKey<Box<dyn Any>>,
    entry: Rc<dyn AnyEntry>,
}

thread_local! {
    static SLOTS: RefCell<Vec<Slot>> = const { RefCell::new(Vec::new()) };
}

/// The entry of this key; makes it when there is none. Forgets what has not been shown for long.
pub(super) fn entry<V, T>(key: &QueryKey<V>) -> Rc<Entry<T>>
where
    V: Clone + PartialEq + 'static,
    T: Clone + Send + Sync + 'static,
{
    SLOTS.with_borrow_mut(|slots| {
        sweep(slots, now_millis());
        let known = slots.iter().filter(|slot| slot.key.is(key)).find_map(|slot| {
            let same = slot.key.arguments.downcast_ref::<V>() == Some(&key.arguments);
            same.then(|| Rc::clone(&slot.entry).as_any().downcast::<Entry<T>>().ok()).flatten()
        });
        known.unwrap_or_else(|| {
            let entry = Rc::new(Entry::new());
            slots.push(Slot { key: key.with(Box::new(key.arguments.clone()) as _), entry: Rc::clone(&entry) as _ });
            entry
        })
    })
}

fn sweep(slots: &mut Vec<Slot>, now: u64) {
    slots.retain(|slot| slot.entry.unused_since().is_none_or(|since| now.saturating_sub(since) < KEPT));
}

fn entries(wanted: impl Fn(&QueryKey<Box<dyn Any>>) -> bool) -> Vec<Rc<dyn AnyEntry>> {
    SLOTS
        .with_borrow(|slots| slots.iter().filter(|slot| wanted(&slot.key)).map(|slot| Rc::clone(&slot.entry)).collect())
}

/// Invalidates the queries of this name; `None`: all of them. Those that are shown are read again.
pub(super) fn invalidate(name: Option<&str>) {
    entries(|key| name.is_none_or(|name| key.name == name)).into_iter().for_each(AnyEntry::invalidate);
}

/// An operation of `account` (`None`: of somebody) came to its end: what is known of this account or of the chain is
/// out of date.
pub(in crate::hooks) fn operation_ended(account: Option<Address>) {
    entries(|key| account.is_none() || key.account.is_none() || key.account == account)
        .into_iter()
        .for_each(AnyEntry::invalidate);
}

/// The person is back.
pub(super) fn on_focus() {
    entries(|_| true).into_iter().for_each(AnyEntry::on_focus);
}

/// The network is back.
pub(super) fn on_reconnect() {
    entries(|_| true).into_iter().for_each(AnyEntry::on_reconnect);
}

/// Forgets everything, for tests.
#[cfg(test)]
pub(super) fn clear() {
    SLOTS.take();
}

/// How many entries are left when somebody looks so many milliseconds from now, for tests.
#[cfg(test)]
pub(super) fn count_after(milliseconds: u64) -> usize {
    SLOTS.with_borrow_mut(|slots| {
        sweep(slots, now_millis() + milliseconds);
        slots.len()
    })
}
