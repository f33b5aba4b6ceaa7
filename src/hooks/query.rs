//! [`use_query`]: TanStack Query v5's `useQuery` over futures that are not `Send`.
//!
//! Own code rather than leptos-fetch 0.4.10, for these reasons: that crate has no `enabled`, no retries, no
//! `fetch_status` and no failure counts, so TanStack's states would have to be built around it anyway; its client is
//! handed down by context, which every island that is a root of its own would make anew, while a cache of the page
//! serves all islands; and it brings chrono, parking_lot, tracing and 350 kB of source of its own into a page whose first
//! load is guarded by the kilobyte. What is here is a few hundred lines.

#![cfg_attr(not(feature = "hydrate"), allow(dead_code))]

use std::{future::Future, rc::Rc};

use alloy::primitives::Address;
use futures::FutureExt;
use leptos::prelude::*;

use super::{
    context::SmartAccountContext,
    effects::effect,
    provider::use_provided_context,
    query_status::{FetchStatus, QueryStatus},
};
use crate::error::AppError;

pub(super) mod cache;
mod environment;
mod observer;
mod options;
mod state;
#[cfg(all(test, feature = "ssr"))]
mod tests;

use cache::Fetcher;
use observer::Observer;
pub use options::QueryOptions;
use state::QueryState;

/// The query key: equal keys share one answer.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryKey<V> {
    /// What is asked.
    pub name: &'static str,
    /// EIP-155 id of the server's chain; `None` without a provider.
    pub chain_id: Option<u64>,
    /// The smart account, when the answer is about one ([`QueryScope::Account`]).
    pub account: Option<Address>,
    /// The rest of the question.
    pub arguments: V,
}

impl<V> QueryKey<V> {
    fn is<W>(&self, other: &QueryKey<W>) -> bool {
        (self.name, self.chain_id, self.account) == (other.name, other.chain_id, other.account)
    }

    fn with<W>(&self, arguments: W) -> QueryKey<W> {
        QueryKey { name: self.name, chain_id: self.chain_id, account: self.account, arguments }
    }
}

/// What a query is about, and with that when an ended operation makes its answer out of date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueryScope {
    /// The chain: out of date after any operation that this page followed to its end.
    Chain,
    /// The smart account of [`use_smart_account`](super::use_smart_account): asked once that is known, and out of
    /// date after an operation of it.
    Account,
}

/// What every query hook returns. `Copy`: pass it around like a signal.
pub struct UseQueryReturn<T: Send + Sync + 'static> {
    /// The last answer. Stays while it is read again, and when that fails.
    pub data: Signal<Option<T>>,
    /// Why the last fetch failed, until one succeeds.
    pub error: Signal<Option<AppError>>,
    /// Is there an answer?
    pub status: Signal<QueryStatus>,
    /// Is it being read?
    pub fetch_status: Signal<FetchStatus>,
    /// No answer yet.
    pub is_pending: Signal<bool>,
    /// No answer yet, and it is being read.
    pub is_loading: Signal<bool>,
    /// It is being read, for the first time or again.
    pub is_fetching: Signal<bool>,
    /// `status` is success.
    pub is_success: Signal<bool>,
    /// `status` is error.
    pub is_error: Signal<bool>,
    /// When `data` was read, milliseconds since the epoch; 0 without data.
    pub data_updated_at: Signal<u64>,
    /// Failed tries of the fetch that is under way, or that failed last.
    pub failure_count: Signal<u32>,
    /// Why the last of these tries failed.
    pub failure_reason: Signal<Option<AppError>>,
    /// Reads now, also when not enabled.
    pub refetch: Callback<()>,
}

impl<T: Send + Sync + 'static> Copy for UseQueryReturn<T> {}

impl<T: Send + Sync + 'static> Clone for UseQueryReturn<T> {
    fn clone(&self) -> Self {
        *self
    }
}

/// A read with TanStack v5's states: cached by key, shared by all who ask the same, tried again, and read again when
/// it is out of date: a new observer comes, the page is looked at again, the network is back, or an operation of this
/// page came to its end.
///
/// `arguments` is the rest of the key; `None` asks nothing. `fetch` is called with the whole key.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::{QueryKey, QueryOptions, QueryScope, use_query};
///
/// #[component]
/// fn Square(n: Signal<u32>) -> impl IntoView {
///     let square = use_query(
///         "square",
///         QueryScope::Chain,
///         Signal::derive(move || Some(n.get())),
///         QueryOptions::default(),
///         |key: QueryKey<u32>| async move { Ok(key.arguments * key.arguments) },
///     );
///     view! {
///         <output>{move || square.data.get()}</output>
///         <button on:click=move |_| square.refetch.run(()) disabled=square.is_fetching>"Again"</button>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// Nothing is read: pending, and fetching if it will be read after hydration.
///
/// In React: `useQuery` of `@tanstack/react-query`.
pub fn use_query<V, T, F, Fut>(
    name: &'static str,
    scope: QueryScope,
    arguments: Signal<Option<V>>,
    options: QueryOptions,
    fetch: F,
) -> UseQueryReturn<T>
where
    V: Clone + PartialEq + Send + Sync + 'static,
    T: Clone + PartialEq + Send + Sync + 'static,
    F: Fn(QueryKey<V>) -> Fut + 'static,
    Fut: Future<Output = Result<T, AppError>> + 'static,
{
    let provided = use_provided_context();
    let key = Memo::new(move |_| key_of(name, scope, provided, arguments.get()));
    let shown = RwSignal::new(None::<ArcRwSignal<QueryState<T>>>);
    let refetch = follow(key, shown, options, fetch);
    let will_fetch = move || options.enabled.get() && key.with(Option::is_some);
    returned(shown, Signal::derive(will_fetch), refetch)
}

/// `None` until what the key holds is known.
fn key_of<V>(
    name: &'static str,
    scope: QueryScope,
    provided: Option<SmartAccountContext>,
    arguments: Option<V>,
) -> Option<QueryKey<V>> {
    let chain_id = match provided {
        Some(context) => Some(context.chain_info.with(|chain| chain.as_ref().map(|chain| chain.chain_id))?),
        None => None,
    };
    let account = match scope {
        QueryScope::Chain => None,
        QueryScope::Account => Some(provided?.account.get()?),
    };
    Some(QueryKey { name, chain_id, account, arguments: arguments? })
}

/// Wires an [`Observer`] to the key; gives `refetch`.
fn follow<V, T, F, Fut>(
    key: Memo<Option<QueryKey<V>>>,
    shown: RwSignal<Option<ArcRwSignal<QueryState<T>>>>,
    options: QueryOptions,
    fetch: F,
) -> Callback<()>
where
    V: Clone + PartialEq + Send + Sync + 'static,
    T: Clone + PartialEq + Send + Sync + 'static,
    F: Fn(QueryKey<V>) -> Fut + 'static,
    Fut: Future<Output = Result<T, AppError>> + 'static,
{
    if !cfg!(feature = "hydrate") {
        return Callback::new(|()| ());
    }
    let fetch = Rc::new(fetch);
    let fetcher_of = Rc::new(move |key: QueryKey<V>| {
        let fetch = Rc::clone(&fetch);
        Rc::new(move || fetch(key.clone()).boxed_local()) as Fetcher<T>
    });
    let observer = StoredValue::new_local(Rc::new(Observer::new(shown, options, fetcher_of)));
    effect(move || {
        let (key, enabled) = (key.get(), options.enabled.get());
        if let Some(observer) = observer.try_get_value() {
            untrack(|| observer.observe(key, enabled));
        }
    });
    on_cleanup(move || {
        if let Some(observer) = observer.try_get_value() {
            observer.leave();
        }
    });
    Callback::new(move |()| {
        if let Some(observer) = observer.try_get_value() {
            observer.refetch();
        }
    })
}

fn returned<T>(
    shown: RwSignal<Option<ArcRwSignal<QueryState<T>>>>,
    will_fetch: Signal<bool>,
    refetch: Callback<()>,
) -> UseQueryReturn<T>
where
    T: Clone + PartialEq + Send + Sync + 'static,
{
    let data = Memo::new(move |_| read(shown, |state| state.data.clone()).flatten());
    let error = Memo::new(move |_| read(shown, |state| state.error.clone()).flatten());
    let status = Memo::new(move |_| read(shown, |state| state.status).unwrap_or_default());
    let fetch_status = Memo::new(move |_| {
        read(shown, |state| state.fetch_status).unwrap_or_else(|| match will_fetch.get() {
            true => FetchStatus::Fetching,
            false => FetchStatus::Idle,
        })
    });
    let is_fetching = move || fetch_status.get() == FetchStatus::Fetching;
    let is = move |wanted| Signal::derive(move || status.get() == wanted);
    UseQueryReturn {
        data: data.into(),
        error: error.into(),
        status: status.into(),
        fetch_status: fetch_status.into(),
        is_pending: is(QueryStatus::Pending),
        is_loading: Signal::derive(move || is_fetching() && status.get() == QueryStatus::Pending),
        is_fetching: Signal::derive(is_fetching),
        is_success: is(QueryStatus::Success),
        is_error: is(QueryStatus::Error),
        data_updated_at: Signal::derive(move || read(shown, |state| state.data_updated_at).unwrap_or_default()),
        failure_count: Signal::derive(move || read(shown, |state| state.failure_count).unwrap_or_default()),
        failure_reason: Signal::derive(move || read(shown, |state| state.failure_reason.clone()).flatten()),
        refetch,
    }
}

fn read<T: Send + Sync + 'static, R>(
    shown: RwSignal<Option<ArcRwSignal<QueryState<T>>>>,
    part: impl Fn(&QueryState<T>) -> R,
) -> Option<R> {
    shown.get().map(|state| state.with(part))
}

/// Makes the answers of all queries with this name out of date (`None`: of all queries); those that are shown are
/// read again. In the browser only.
pub fn invalidate_queries(name: Option<&str>) {
    cache::invalidate(name);
}
