//! Taking sessions back, and bringing them back: what happens is said first, the chain proves it afterwards.

#![allow(unsafe_code)] // inside the expansion of `split_function!`: the import of the chunk's entry

use std::collections::{HashMap, HashSet};

use alloy::primitives::Address;
use leptos::{html, prelude::*, task::spawn_local};

use super::{
    code_split::split_function,
    deferred_view::when_wanted,
    gas_payer::use_is_sponsored,
    grant_review::KeptSessions,
    live_text::{live, verbatim},
    native_currency::use_native_currency,
    operation_status::OperationStatus,
    session_notes::unreadable_words,
    session_words::{sessions_text, title_of, whole_permission_text},
};
use crate::{
    error::AppError,
    hooks::{
        AccountKind, MOST_ENDED_AT_ONCE, MutationOptions, OperationKind, RestoreSessionsVariables, RevocationProof,
        RevokeAtNodesVariables, RevokeSessionsVariables, SessionsToRevoke, UseMutationReturn, UseSessionsReturn,
        UseUserOpWaitReturn, UserOpResponse, effect, use_account_kind, use_restore_sessions, use_resumed_operation,
        use_revocation_proof, use_revoke_at_nodes, use_revoke_sessions_with, use_smart_account, use_user_op_wait,
    },
    protocol::{describe::TokenFacts, distributed_key::is_distributed, foreign_text::isolated, session::SessionLeaf},
};

/// So many sessions are tried by themselves after one revocation; the others when somebody asks.
const TRIED_AT_ONCE: usize = 25;
/// Names in the dialog.
const NAMED: usize = 5;

/// A change that a person asks for, by the sessions' ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Take these back.
    Revoke(Vec<String>),
    /// Take every session of the account back, also unknown ones.
    RevokeAll,
    /// Bring these back.
    Restore(Vec<String>),
}

/// What the chain says of a session that was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It is being asked.
    Trying,
    /// It refuses the session's key.
    Refused {
        /// Its words.
        reason: String,
        /// Were the nodes told that share the key? `None` when no nodes do.
        at_nodes: Option<bool>,
    },
    /// It does not refuse it, or for another reason.
    NotProven {
        /// Its words.
        answer: String,
    },
    /// It could not be asked.
    Unanswered {
        /// Why.
        error: String,
    },
}

/// What the rows need of it; `Copy`.
#[derive(Clone, Copy)]
pub struct SessionChanges {
    /// Set it to open the dialog.
    pub ask: RwSignal<Option<Change>>,
    /// A change is being built, signed or sent.
    pub busy: Signal<bool>,
    /// One was refused, or could not be sent.
    failed: Signal<bool>,
    /// Asks the chain about the session with this id.
    pub prove: Callback<String>,
    proofs: RwSignal<HashMap<String, Proof>>,
    /// Ids that the person agreed to take back.
    taken: StoredValue<Vec<String>>,
    revoke: UseMutationReturn<RevokeSessionsVariables, UserOpResponse>,
    revocation: UseUserOpWaitReturn,
    restore: UseMutationReturn<RestoreSessionsVariables, UserOpResponse>,
    return_: UseUserOpWaitReturn,
}

impl SessionChanges {
    /// A change is on its way, or came to its end.
    fn is_followed(self) -> bool {
        let is_followed =
            |wait: UseUserOpWaitReturn| wait.is_loading.get() || wait.is_success.get() || wait.is_error.get();
        is_followed(self.revocation) || is_followed(self.return_) || self.failed.get()
    }

    /// What the chain said of the session, if it was asked.
    pub fn proof_of(self, session_id: &str) -> Option<Proof> {
        self.proofs.with(|proofs| proofs.get(session_id).cloned())
    }
}

/// Mutations, waits and proofs of the list.
pub fn use_session_changes(sessions: UseSessionsReturn) -> SessionChanges {
    let compare_again = Callback::new(move |(error, _): (AppError, _)| {
        if matches!(error, AppError::SessionsOutOfSync { .. }) {
            sessions.list.refetch.run(());
        }
    });
    let revoke =
        use_revoke_sessions_with(MutationOptions { on_error: Some(compare_again), ..MutationOptions::default() });
    let restore = use_restore_sessions();
    let try_it = use_revocation_proof();
    let tell_nodes = use_revoke_at_nodes();
    let proofs = RwSignal::new(HashMap::new());
    let taken = StoredValue::new(Vec::<String>::new());
    let note = move |id: &str, proof: Proof| {
        proofs.try_update(|proofs| drop(proofs.insert(id.to_owned(), proof)));
    };
    let ask_chain = move |ids: Vec<String>| {
        ids.iter().for_each(|id| note(id, Proof::Trying));
        spawn_local(async move {
            for id in ids {
                let proof = match try_it.mutate_async(id.clone()).await {
                    Ok(RevocationProof::Refused { reason }) => {
                        let is_shared = |leaf: &SessionLeaf| leaf.session_id == id && is_distributed(leaf);
                        let shared = sessions.list.sessions.try_with_untracked(|all| all.iter().any(is_shared));
                        let at_nodes = match shared {
                            Some(true) => {
                                let session_id = id.clone();
                                let variables = RevokeAtNodesVariables { session_id, ..Default::default() };
                                Some(tell_nodes.mutate_async(variables).await.is_ok())
                            }
                            _ => None,
                        };
                        Proof::Refused { reason, at_nodes }
                    }
                    Ok(RevocationProof::NotProven { answer }) => Proof::NotProven { answer },
                    Err(error) => Proof::Unanswered { error: error.to_string() },
                };
                note(&id, proof);
            }
        });
    };
    // Go on after a reload, too.
    let operation = use_resumed_operation(OperationKind::RevokeSessions, revoke.data);
    let revocation = use_user_op_wait(operation);
    // The chain has the new root, and the store knows what that took out: the old keys are tried.
    effect(move || {
        let Some(hash) = revocation.data.with(|receipt| receipt.as_ref().map(|receipt| receipt.user_op_hash)) else {
            return;
        };
        // Where a session of another device is stored nowhere, nothing of it says by what it ended.
        let is_taken = |leaf: &SessionLeaf| {
            leaf.is_on_other_device() && taken.with_value(|taken| taken.contains(&leaf.session_id))
        };
        let taken_by_it = |leaf: &&SessionLeaf| {
            let ending = leaf.state().ending().map(|ending| ending.operation);
            ending == Some(Some(hash)) || (ending == Some(None) && is_taken(leaf))
        };
        let untried = |leaf: &&SessionLeaf| proofs.with_untracked(|proofs| !proofs.contains_key(&leaf.session_id));
        let ids = sessions.list.sessions.with(|all| {
            let taken = all.iter().filter(taken_by_it).take(TRIED_AT_ONCE);
            taken.filter(untried).map(|leaf| leaf.session_id.clone()).collect::<Vec<_>>()
        });
        if !ids.is_empty() {
            sessions.selected.update(|selected| selected.clear());
            ask_chain(ids);
        }
    });
    let returning = use_resumed_operation(OperationKind::RestoreSessions, restore.data);
    let return_ = use_user_op_wait(returning);
    SessionChanges {
        ask: RwSignal::new(None),
        busy: Signal::derive(move || revoke.is_pending.get() || restore.is_pending.get()),
        failed: Signal::derive(move || revoke.is_error.get() || restore.is_error.get()),
        prove: Callback::new(move |id| ask_chain(vec![id])),
        proofs,
        taken,
        revoke,
        revocation,
        restore,
        return_,
    }
}

/// The dialog before a change, and how the change goes. Loaded when there is one.
#[component]
pub fn SessionChangeStatus(
    /// The list.
    sessions: UseSessionsReturn,
    /// Its changes.
    changes: SessionChanges,
) -> impl IntoView {
    let wanted = move || changes.ask.with(Option::is_some) || changes.busy.get() || changes.is_followed();
    when_wanted(wanted, move |owner| load((sessions, changes, owner)))
}

split_function! {
    /// Makes the view below the owner.
    in rest: fn load(parts: (UseSessionsReturn, SessionChanges, Owner)) -> AnyView {
        let (sessions, changes, owner) = parts;
        owner.with(|| change_status(sessions, changes))
    }
}

fn change_status(sessions: UseSessionsReturn, changes: SessionChanges) -> AnyView {
    let dialog = NodeRef::<html::Dialog>::new();
    let SessionChanges { ask, .. } = changes;
    effect(move || {
        if let (Some(dialog), true) = (dialog.get(), ask.with(Option::is_some))
            && !dialog.open()
        {
            // Fails only when the element has left the document, and then there is nothing to show.
            drop(dialog.show_modal());
        }
    });
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let is_open = Signal::derive(move || matches!(ask.get(), Some(Change::Revoke(_) | Change::Restore(_))));
    let leaving = Signal::derive(move || match ask.get() {
        Some(Change::Revoke(ids)) => ids,
        _ => Vec::new(),
    });
    let kept = KeptSessions::new(sessions.list, is_open, leaving);
    let confirm = move |_| {
        let agreed = ask.get_untracked();
        let reviewed = Some(untrack(|| kept.reviewed()));
        close();
        match agreed {
            Some(Change::Restore(session_ids)) => {
                changes.proofs.update(|proofs| proofs.retain(|id, _| !session_ids.contains(id)));
                changes.restore.mutate.run(RestoreSessionsVariables { session_ids, reviewed, ..Default::default() });
            }
            Some(Change::Revoke(ids)) => {
                changes.taken.set_value(ids.clone());
                let sessions = SessionsToRevoke::These(ids);
                changes.revoke.mutate.run(RevokeSessionsVariables { sessions, reviewed, ..Default::default() });
            }
            Some(Change::RevokeAll) => {
                let sessions = SessionsToRevoke::All;
                changes.revoke.mutate.run(RevokeSessionsVariables { sessions, ..Default::default() });
            }
            None => {}
        }
    };
    let is_return = move || matches!(ask.get(), Some(Change::Restore(_)));
    let sponsored = use_is_sponsored();
    let kind = use_account_kind().kind;
    let (account, native) = (use_smart_account(), use_native_currency());
    let blocked = move || is_open.get() && kept.is_blocked();
    view! {
        <dialog
            class="review"
            node_ref=dialog
            data-testid="session-change"
            aria-labelledby="session-change-title"
            // The event comes a moment after the dialog has closed: it may be open again by then.
            on:close=move |_| {
                if dialog.get_untracked().is_none_or(|dialog| !dialog.open()) {
                    ask.set(None);
                }
            }
        >
            {move || {
                ask.get()
                    .map(|change| {
                        let signatures = signatures_words(&change, sessions, kind.get());
                        let pays = [signatures, payer_words(sponsored.get())].join(" ");
                        let address = account.smart_account_address.get();
                        question(&change, kind.get(), sessions, &pays, address, &native.get(), kept)
                    })
            }}
            <div class="review-foot">
                <button type="button" class="button quiet" data-testid="revoke-cancel" on:click=move |_| close()>
                    {move || live(if is_return() { "Leave it ended" } else { "Keep" })}
                </button>
                <button type="button" class="button" data-testid="revoke-confirm" disabled=blocked on:click=confirm>
                    {move || live(if is_return() { "Sign and bring back" } else { "Sign and take back" })}
                </button>
            </div>
        </dialog>
        <OperationStatus mutation=changes.revoke wait=changes.revocation hash_testid="revoke-sessions-hash" />
        <OperationStatus mutation=changes.restore wait=changes.return_ hash_testid="restore-sessions-hash" />
    }
    .into_any()
}

/// What is said of sessions that come back where the chain counts.
const COUNTED_ANEW: &str = "The same keys work again, within the same limits and until the same end. What was used of their limits is forgotten: whatever is counted, uses and totals, begins at nothing and can be used in full once more. What was granted as one session with it comes back, too.";

/// What will happen, in plain words.
fn question(
    change: &Change,
    kind: AccountKind,
    sessions: UseSessionsReturn,
    pays: &str,
    account: Option<Address>,
    native: &TokenFacts,
    kept: KeptSessions,
) -> AnyView {
    let (ids, title, what) = match change {
        Change::Revoke(ids) => (
            ids.as_slice(),
            ["Take back ", &sessions_text(ids.len()), "?"].concat(),
            "Whoever holds the key can do nothing with it any more, in this browser or elsewhere. What was granted as one session with it ends, too; your other sessions stay as they are.",
        ),
        Change::RevokeAll => (
            &[][..],
            "Take back every session?".to_owned(),
            "This ends all sessions that the chain has of the account, also those that were granted in other browsers or apps and are not listed here, and what was only signed for in this browser.",
        ),
        Change::Restore(ids) => (
            ids.as_slice(),
            ["Bring back ", &sessions_text(ids.len()), "?"].concat(),
            match kind {
                AccountKind::BiconomyV2 => "The same keys work again, within the same limits and until the same end.",
                AccountKind::Nexus => COUNTED_ANEW,
            },
        ),
    };
    let names = sessions.list.sessions.with_untracked(|all| {
        let named = ids.iter().take(NAMED).filter_map(|id| all.iter().find(|leaf| leaf.session_id == *id));
        let told = |leaf: &SessionLeaf| {
            let unreadable = untrack(|| unreadable_words(sessions.list, &leaf.session_id));
            (title_of(leaf), unreadable.unwrap_or_else(|| whole_permission_text(leaf, account, native)))
        };
        named.map(told).collect::<Vec<_>>()
    });
    let more = ids.len().saturating_sub(names.len());
    // One is named by the question itself.
    let (title, is_one) = match (change, names.as_slice()) {
        (Change::Revoke(_), [(name, _)]) => (["Take back “", &isolated(name), "”?"].concat(), true),
        (Change::Restore(_), [(name, _)]) => (["Bring back “", &isolated(name), "”?"].concat(), true),
        _ => (title, false),
    };
    view! {
        <div class="review-head">
            <h2 id="session-change-title" tabindex="-1" autofocus>
                {live(title)}
            </h2>
        </div>
        <div class="review-body">
            {(!names.is_empty())
                .then(|| {
                    view! {
                        <ul class="named">
                            {names
                                .into_iter()
                                .map(|(name, allows)| {
                                    view! {
                                        <li>
                                            {(!is_one).then(|| view! { <strong><bdi>{verbatim(name)}</bdi></strong> <br /> })}
                                            {live(&allows)}
                                        </li>
                                    }
                                })
                                .collect_view()}
                            {(more > 0).then(|| view! { <li>{live(["and ", &more.to_string(), " more"].concat())}</li> })}
                        </ul>
                    }
                })} <p>{live(what)}</p> {kept.view()}
            <p class="reason">{live(pays)} " The change counts when the chain has confirmed it."</p>
        </div>
    }
    .into_any()
}

fn payer_words(sponsored: bool) -> String {
    let pays =
        if sponsored { "This app's sponsor pays the network fee." } else { "Your smart account pays the network fee." };
    pays.to_owned()
}

/// How often the wallet is asked. Sessions that stand each for itself are ended one by one, and an operation has room for
/// so many.
fn signatures_words(change: &Change, sessions: UseSessionsReturn, kind: AccountKind) -> String {
    let ended = match (kind, change) {
        (AccountKind::BiconomyV2, _) | (_, Change::Restore(_)) => 0,
        (AccountKind::Nexus, Change::Revoke(ids)) => whole_sessions(ids.iter()),
        (AccountKind::Nexus, Change::RevokeAll) => sessions.list.sessions.with_untracked(|all| {
            let in_force = all.iter().filter(|leaf| leaf.status.in_tree());
            whole_sessions(in_force.map(|leaf| &leaf.session_id))
        }),
    };
    match ended {
        0 | 1 => "Your wallet signs once.".to_owned(),
        2..=MOST_ENDED_AT_ONCE => "Your wallet signs once, or more often where fewer go at a time.".to_owned(),
        _ => {
            let most = MOST_ENDED_AT_ONCE.to_string();
            ["Your wallet signs several times, one after the other, each time for ", &most, " sessions at most."]
                .concat()
        }
    }
}

/// A session of several calls has a row for each.
fn whole_sessions<'a>(ids: impl Iterator<Item = &'a String>) -> usize {
    ids.map(|id| id.split_once('-').map_or(id.as_str(), |(id, _)| id)).collect::<HashSet<_>>().len()
}
