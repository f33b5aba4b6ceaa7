//! [`use_session_list`].

use std::collections::BTreeSet;

use alloy::primitives::Address;
use leptos::prelude::*;

use super::{LimitLeft, ListedNote, QueryStatus, provider::use_context_or_detached};
use crate::{client::time::now_seconds, error::AppError, protocol::session::SessionLeaf};

/// What [`use_session_list`] returns.
#[derive(Clone, Copy)]
pub struct UseSessionListReturn {
    /// The sessions of the account that are stored in this browser, oldest first; where each session stands for itself on
    /// the chain, before them those that it has from other devices. Their `status` is the stored one;
    /// [`SessionLeaf::status_at`] with [`now`](Self::now) is the one by the clock.
    pub sessions: Signal<Vec<SessionLeaf>>,
    /// The time, unix seconds; moves every second while somebody looks.
    pub now: Signal<u64>,
    /// Session keys that are stored here and cannot be opened any more, because the browser deleted what they are
    /// encrypted with. Their sessions stay on the chain: grant again, import a file with the keys, or revoke.
    pub lost_keys: Signal<BTreeSet<Address>>,
    /// What is left of the limits over many calls, read from the chain; only on account kinds whose sessions count.
    pub limits_left: Signal<Vec<LimitLeft>>,
    /// What a person must know of sessions beside what they may do: that what one may do cannot be read here, or that the
    /// chain has it otherwise than it was granted. Only on account kinds whose sessions the chain tells apart.
    pub notes: Signal<Vec<ListedNote>>,
    /// Where reading stands.
    pub status: Signal<QueryStatus>,
    /// Why the sessions could not be read or compared with the chain.
    pub error: Signal<Option<AppError>>,
    /// `Some(false)`: the chain holds other sessions than this browser, those here cannot be used.
    pub is_in_sync: Signal<Option<bool>>,
    /// Modules that the account has enabled, as of the last comparison with the chain: no session may call them.
    pub modules: Signal<Vec<Address>>,
    /// The older session key manager holds sessions that this browser does not know. They can only be ended, all at once.
    pub older_unknown: Signal<bool>,
    /// Reads the store again.
    pub refetch: Callback<()>,
}

/// The sessions of the account, current across hooks and tabs.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::use_session_list;
///
/// #[component]
/// fn Sessions() -> impl IntoView {
///     let list = use_session_list();
///     view! {
///         <ul>
///             <For each=move || list.sessions.get() key=|leaf| (leaf.session_id.clone(), leaf.status) let:leaf>
///                 <li>{leaf.label.clone()} {move || leaf.status_at(list.now.get()).wire_name()}</li>
///             </For>
///         </ul>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// The list is empty and `status` is pending: sessions are known to the browser only.
///
/// In React: nothing; ours.
pub fn use_session_list() -> UseSessionListReturn {
    let context = use_context_or_detached().with_sessions();
    UseSessionListReturn {
        sessions: context.sessions.into(),
        now: use_clock(),
        lost_keys: context.lost_keys.into(),
        limits_left: context.limits_left.into(),
        notes: context.session_notes.into(),
        status: context.sessions_status.into(),
        error: context.sessions_error.into(),
        is_in_sync: context.in_sync.into(),
        modules: context.modules.into(),
        older_unknown: context.older_unknown.into(),
        refetch: Callback::new(move |()| context.compare_again()),
    }
}

fn use_clock() -> Signal<u64> {
    let now = RwSignal::new(now_seconds());
    #[cfg(feature = "hydrate")]
    super::effect(move || {
        now.try_set(now_seconds());
        let second = std::time::Duration::from_secs(1);
        let tick = move || {
            now.try_set(now_seconds());
        };
        if let Ok(interval) = set_interval_with_handle(tick, second) {
            on_cleanup(move || interval.clear());
        }
    });
    now.into()
}
