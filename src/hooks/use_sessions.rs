//! [`use_sessions`].

use std::{collections::BTreeSet, sync::Arc};

use alloy::primitives::Address;
use leptos::prelude::*;

use super::{
    QueryKey, QueryOptions, QueryScope, UseQueryReturn, UseSessionListReturn, provider::use_context_or_detached,
    use_query, use_session_list,
};
use crate::{
    error::AppError,
    protocol::session::{ListedStatus, SessionUses, matches_search},
};

/// What a caller may say about [`use_sessions`].
#[derive(Clone, Copy, Default)]
pub struct UseSessionsOptions {
    /// Names of contracts that the app knows: the search finds sessions by them, too.
    pub contract_name: Option<fn(Address) -> Option<&'static str>>,
}

/// What [`use_sessions`] returns.
#[derive(Clone, Copy)]
pub struct UseSessionsReturn {
    /// The sessions themselves, the clock, and how far reading is.
    pub list: UseSessionListReturn,
    /// Places in `list.sessions` of those that filter and search let through, newest first.
    pub rows: Signal<Arc<Vec<usize>>>,
    /// How many there are of each status.
    pub counts: Signal<Vec<(ListedStatus, usize)>>,
    /// Only those with this status are listed; `None`: all.
    pub filter: RwSignal<Option<ListedStatus>>,
    /// Only those whose name, contract, function, key or id hold these words are listed.
    pub search: RwSignal<String>,
    /// Ids that the person selected.
    pub selected: RwSignal<BTreeSet<String>>,
    /// How often each was used, counted from the chain; find one with [`SessionUses::of`] by its leaf's hash.
    pub uses: UseQueryReturn<SessionUses>,
    /// Ids of sessions that another device was seen to end, in this visit.
    pub ended_elsewhere: Signal<Vec<String>>,
    /// Leaves them ended: forgets `ended_elsewhere`.
    pub accept_ended: Callback<()>,
}

/// The sessions of the account as a person manages them: status by the chain and the clock, filter, search, selection,
/// and uses. What other devices change is noticed within ten seconds while somebody looks.
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_sessions.rs"), "```")]
///
/// # Server-Side Rendering
/// No session: they are known to the browser only.
///
/// In React: nothing; ours.
pub fn use_sessions() -> UseSessionsReturn {
    use_sessions_with(UseSessionsOptions::default())
}

/// As [`use_sessions`], with options: which sessions, and what is read of them.
pub fn use_sessions_with(options: UseSessionsOptions) -> UseSessionsReturn {
    let context = use_context_or_detached().with_sessions();
    let list = use_session_list();
    let filter = RwSignal::new(None::<ListedStatus>);
    let search = RwSignal::new(String::new());
    let selected = RwSignal::new(BTreeSet::new());

    // Changes when one changes, not once per second.
    let statuses = Memo::new(move |_| {
        let now = list.now.get();
        list.sessions.with(|all| Arc::new(all.iter().map(|leaf| leaf.listed_at(now)).collect::<Vec<_>>()))
    });
    // Made when somebody searches, and once for all that they type.
    let texts = Memo::new(move |_| {
        let name = |contract| options.contract_name.and_then(|name| name(contract)).unwrap_or_default().to_lowercase();
        let text = |leaf: &crate::protocol::session::SessionLeaf| {
            [leaf.contract().map(name).unwrap_or_default(), leaf.search_text()].join(" ")
        };
        list.sessions.with(|all| Arc::new(all.iter().map(text).collect::<Vec<_>>()))
    });
    let rows = Memo::new(move |_| {
        let (statuses, wanted) = (statuses.get(), filter.get());
        let words = search.get();
        let texts = (!words.trim().is_empty()).then(|| texts.get());
        let is_listed = |(place, status): &(usize, &ListedStatus)| {
            let found =
                texts.as_ref().is_none_or(|texts| texts.get(*place).is_some_and(|text| matches_search(text, &words)));
            wanted.is_none_or(|wanted| wanted == **status) && found
        };
        Arc::new(statuses.iter().enumerate().rev().filter(is_listed).map(|(place, _)| place).collect::<Vec<_>>())
    });
    let counts = Memo::new(move |_| {
        let statuses = statuses.get();
        let count = |status| (status, statuses.iter().filter(|other| **other == status).count());
        ListedStatus::ALL.into_iter().map(count).collect::<Vec<_>>()
    });
    let asked = Signal::derive(move || context.account.get().map(|_| ()));
    let uses = use_query("session-uses", QueryScope::Account, asked, QueryOptions::default(), |key: QueryKey<()>| {
        read_uses(key.account)
    });
    #[cfg(feature = "hydrate")]
    watch_root(context);

    UseSessionsReturn {
        list,
        rows: rows.into(),
        counts: counts.into(),
        filter,
        search,
        selected,
        uses,
        ended_elsewhere: context.ended_elsewhere.into(),
        accept_ended: Callback::new(move |()| drop(context.ended_elsewhere.try_set(Vec::new()))),
    }
}

#[cfg(feature = "hydrate")]
async fn read_uses(account: Option<Address>) -> Result<SessionUses, AppError> {
    crate::client::relay::session_uses(account.ok_or(AppError::NoSmartAccount)?).await
}

#[cfg(not(feature = "hydrate"))]
async fn read_uses(_: Option<Address>) -> Result<SessionUses, AppError> {
    Err(AppError::Internal { reason: "uses are read in the browser only".into() })
}

/// Compares with the chain now and then, and when the person comes back to the page.
#[cfg(feature = "hydrate")]
fn watch_root(context: super::context::SmartAccountContext) {
    use leptos::ev;

    /// Pause between two looks, seconds.
    const PAUSE: u64 = 10;

    let compare = move || {
        if !document().hidden() {
            super::account::compare_root(context);
        }
    };
    super::effect(move || {
        if context.account.get().is_some() {
            compare();
        }
    });
    super::effect(move || {
        let listener = window_event_listener(ev::focus, move |_| compare());
        on_cleanup(move || listener.remove());
        if let Ok(interval) = set_interval_with_handle(compare, std::time::Duration::from_secs(PAUSE)) {
            on_cleanup(move || interval.clear());
        }
    });
}
