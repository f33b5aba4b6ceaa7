//! The stored sessions, and how they compare with the chain.

use std::collections::BTreeSet;

use alloy::primitives::Address;

use super::{Outcome, following::publish};
use crate::{
    actions::{self, ports::SessionStore},
    client::{relay::ServerRelay, session_store::local::LocalSessionStore, time::sleep},
    hooks::answers::StoredSessions,
    protocol::session::SessionLeaf,
};

pub async fn load_sessions(account: Address) -> Outcome<Vec<SessionLeaf>> {
    // Asked for when somebody has just written, which holds the page for 40 ms with ten thousand leaves: reading and
    // drawing them is a task of its own, behind whatever the writer does next (sending, for one).
    sleep(0).await;
    Ok(LocalSessionStore.load(account).await?.leaf_nodes)
}

/// Keys that are stored here and cannot be opened any more.
pub async fn lost_keys(account: Address) -> Outcome<BTreeSet<Address>> {
    LocalSessionStore.lost_keys(account).await
}

pub async fn sync_sessions(account: Address) -> Outcome<StoredSessions> {
    let taken_over = LocalSessionStore.take_over_clear_text(account).await?;
    let synced = actions::sync_sessions::sync_sessions(&ServerRelay, &LocalSessionStore, account).await?;
    if synced.in_sync {
        publish(account);
    }
    let ended = synced.adopted.map(|adoption| adoption.ended).unwrap_or_default();
    let actions::sync_sessions::SyncedSessions {
        book,
        account: state,
        in_sync,
        older_in_sync,
        pending,
        revocations,
        ..
    } = synced;
    let (leaves, modules) = (book.leaf_nodes, state.modules);
    Ok(StoredSessions { leaves, pending, revocations, ended, in_sync, older_in_sync, modules, taken_over })
}
