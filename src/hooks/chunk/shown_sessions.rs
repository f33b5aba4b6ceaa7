//! The stored sessions, and how they compare with the chain, as the page shows them.

use alloy::primitives::Address;
use leptos::{prelude::*, task::spawn_local};

use super::{
    Outcome,
    following::{publish, settle_session},
};
use crate::{
    actions::{
        ports::SessionStore,
        sync_sessions::{SyncedSessions, sync_sessions},
    },
    client::{
        relay::ServerRelay,
        session_store::{local::LocalSessionStore, unless_forgotten::UnlessForgotten},
        time::sleep,
    },
    hooks::{context::SmartAccountContext, query_status::QueryStatus, rest},
};

/// The stored sessions as they are.
pub async fn show(context: SmartAccountContext, account: Address) -> Outcome<()> {
    // Asked for when somebody has just written, which holds the page for 40 ms with ten thousand leaves: reading and
    // drawing them is a task of its own, behind whatever the writer does next (sending, for one).
    sleep(0).await;
    let leaves = LocalSessionStore.load(account).await?.leaf_nodes;
    if context.shows(account) {
        if context.sessions.try_with_untracked(|shown| *shown != leaves) == Some(true) {
            context.sessions.try_set(leaves);
        }
        context.sessions_error.try_set(None);
        context.sessions_status.try_set(QueryStatus::Success);
        look_for_keys(context, account);
    }
    Ok(())
}

/// Compares what is stored with the chain. `usize`: clear-text keys of the JavaScript SDK that were encrypted on the way.
pub(super) async fn compared(account: Address) -> Outcome<(SyncedSessions, usize)> {
    let store = UnlessForgotten::from_now(account);
    let taken_over = LocalSessionStore.take_over_clear_text(account).await?;
    let synced = sync_sessions(&ServerRelay, &store, account).await?;
    if synced.in_sync {
        publish(account);
    }
    Ok((synced, taken_over))
}

/// The stored sessions after comparing them with the chain; what was under way when the page was left is followed.
pub async fn compare(context: SmartAccountContext, account: Address) -> Outcome<()> {
    let (synced, taken_over) = compared(account).await?;
    let ended = synced.adopted.map(|adoption| adoption.ended).unwrap_or_default();
    let SyncedSessions { book, account: state, in_sync, older_in_sync, pending, revocations, .. } = synced;
    if !context.shows(account) {
        return Ok(());
    }
    // Before the comparison is said to be done: the review waits for that.
    context.modules.try_set(state.modules);
    context.in_sync.try_set(Some(in_sync));
    context.older_unknown.try_set(!older_in_sync);
    context.keys_taken_over.try_update(|keys| *keys += taken_over);
    context.sessions.try_set(book.leaf_nodes);
    look_for_keys(context, account);
    context.ended_elsewhere.try_update(|sessions| sessions.extend(ended));
    for user_op_hash in revocations {
        spawn_local(async move { drop(rest::settle_revocation(account, user_op_hash).await) });
    }
    for user_op_hash in pending {
        spawn_local(async move { drop(settle_session(account, user_op_hash).await) });
    }
    Ok(())
}

/// A browser may have deleted what its stored session keys are encrypted with. When that cannot be found out now, nothing
/// is said: using a session says it then.
fn look_for_keys(context: SmartAccountContext, account: Address) {
    spawn_local(async move {
        let Ok(lost) = LocalSessionStore.lost_keys(account).await else { return };
        if context.shows(account) && context.lost_keys.try_with_untracked(|shown| *shown != lost) == Some(true) {
            context.lost_keys.try_set(lost);
        }
    });
}
