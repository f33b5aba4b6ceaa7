//! The stored sessions, and how they compare with the chain.

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

pub async fn sync_sessions(account: Address) -> Outcome<StoredSessions> {
    let taken_over = LocalSessionStore.take_over_clear_text(account).await?;
    let synced = actions::sync_sessions::sync_sessions(&ServerRelay, &LocalSessionStore, account).await?;
    if synced.in_sync {
        publish(account);
    }
    let ended = synced.adopted.map(|adoption| adoption.ended).unwrap_or_default();
    let actions::sync_sessions::SyncedSessions { book, in_sync, older_in_sync, pending, revocations, .. } = synced;
    Ok(StoredSessions { leaves: book.leaf_nodes, pending, revocations, ended, in_sync, older_in_sync, taken_over })
}
