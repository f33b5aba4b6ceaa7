//! The session ledger: leaf sets by (chain, account, root), so that a second device can build on the first one's
//! sessions (docs/protocol.md 3.18, 10-C1, U13).
//!
//! A set is accepted only when its Merkle root is the one that the account has on chain at that moment, and a reader
//! checks the same once more, so neither side has to trust the other. A set holds what any grant tells the chain by its
//! hash: windows, modules, policies; no key, no name.
//!
//! How long sets are kept, and how many, is in `upkeep.rs`.

mod upkeep;

use std::sync::{Arc, atomic::Ordering};

use alloy::primitives::{Address, B256};
use tokio::sync::Semaphore;

use super::{
    database::{Database, DatabaseError, in_transaction, on_pool},
    state::ServerState,
};
use use_aa_actions::{clock::unix_seconds, error::AppError};
use use_aa_protocol::session::PublishedLeaves;

pub use upkeep::keep_tidy;

/// Sets kept per account: the newest, and a few before it for nodes that lag behind.
const KEPT_PER_ACCOUNT: i64 = 8;
/// Bytes of an account's sets together, the newest one apart.
const BYTES_PER_ACCOUNT: i64 = 16 * 1024 * 1024;

/// Waits for a permit.
async fn permit(permits: &Semaphore) -> Result<tokio::sync::SemaphorePermit<'_>, AppError> {
    // It is never closed.
    permits.acquire().await.map_err(|error| AppError::Internal { reason: error.to_string() })
}

/// Keeps the leaves under a root that the account has on chain now, at the session key manager or at the older one.
/// Publishing twice changes nothing.
///
/// # Errors
/// `InvalidInput` for a malformed set; `SessionsOutOfSync` when its root is not the one on chain.
pub async fn publish(state: &ServerState, account: Address, leaves: &PublishedLeaves) -> Result<(), AppError> {
    leaves.check()?;
    let session_sets = state.session_sets();
    let local = {
        let _permit = permit(&session_sets.hashing).await?;
        let leaves = leaves.clone();
        let hashed = tokio::task::spawn_blocking(move || leaves.root()).await;
        hashed.map_err(|error| AppError::Internal { reason: error.to_string() })?
    };
    let [chain, older] = state.node().merkle_roots(account).await?;
    if local != chain && (local != older || older.is_zero()) {
        return Err(AppError::SessionsOutOfSync { local, chain });
    }
    state.database().keep_session_set(state.config().chain_id, account, local, leaves).await?;
    if session_sets.grown.fetch_add(leaves.bytes(), Ordering::Relaxed) > upkeep::GROWTH {
        upkeep::tidy_now(state);
    }
    Ok(())
}

/// The leaves under this root of the account, when somebody has published them. Check them against the root.
///
/// # Errors
/// Those of the database.
pub async fn published(state: &ServerState, account: Address, root: B256) -> Result<Option<PublishedLeaves>, AppError> {
    let session_sets = state.session_sets();
    if let Some(set) = session_sets.sets.kept(&(account, root)).await {
        return Ok(Some((*set).clone()));
    }
    let _permit = permit(&session_sets.reading).await?;
    if let Some(set) = session_sets.sets.kept(&(account, root)).await {
        return Ok(Some((*set).clone()));
    }
    let found = state.database().session_set(state.config().chain_id, account, root).await?;
    // Earlier versions took inner nodes of the tree for leaves.
    let found = found.filter(|set| set.check().is_ok());
    // That there is none may change at once, at another server, too.
    if let Some(set) = &found {
        session_sets.sets.keep((account, root), Arc::new(set.clone())).await;
    }
    Ok(found)
}

impl Database {
    /// Keeps a set whose root was compared with the chain, in place of any other for that root: whatever passes
    /// [`PublishedLeaves::check`] holds all leaves, so the last writer never says less than the first.
    async fn keep_session_set(
        &self,
        chain_id: u64,
        account: Address,
        root: B256,
        leaves: &PublishedLeaves,
    ) -> Result<(), DatabaseError> {
        let json = serde_json::to_string(leaves).map_err(|error| unreadable(&error))?;
        let (chain_id, account, root) = (chain_id.cast_signed(), lower(account), root.to_string());
        in_transaction!(self, transaction => {
            sqlx::query("INSERT INTO session_sets (chain_id, account, root, leaves, published_at) \
                VALUES ($1, $2, $3, $4, $5) \
                ON CONFLICT (chain_id, account, root) \
                DO UPDATE SET leaves = excluded.leaves, published_at = excluded.published_at")
                .bind(chain_id)
                .bind(&account)
                .bind(&root)
                .bind(json)
                .bind(now())
                .execute(&mut *transaction)
                .await?;
            sqlx::query("DELETE FROM session_sets WHERE chain_id = $1 AND account = $2 AND root <> $3 AND root NOT IN \
                (SELECT root FROM session_sets WHERE chain_id = $1 AND account = $2 \
                ORDER BY published_at DESC, root LIMIT $4)")
                .bind(chain_id)
                .bind(&account)
                .bind(&root)
                .bind(KEPT_PER_ACCOUNT)
                .execute(&mut *transaction)
                .await?;
            sqlx::query("DELETE FROM session_sets WHERE chain_id = $1 AND account = $2 AND root <> $3 AND root IN \
                (SELECT root FROM (SELECT root, SUM(OCTET_LENGTH(leaves)) OVER \
                (ORDER BY published_at DESC, root ROWS UNBOUNDED PRECEDING) AS so_far \
                FROM session_sets WHERE chain_id = $1 AND account = $2 AND root <> $3) AS sets WHERE so_far > $4)")
                .bind(chain_id)
                .bind(&account)
                .bind(&root)
                .bind(BYTES_PER_ACCOUNT)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(())
        })
    }

    /// The set with this root.
    async fn session_set(
        &self,
        chain_id: u64,
        account: Address,
        root: B256,
    ) -> Result<Option<PublishedLeaves>, DatabaseError> {
        let query = "SELECT leaves FROM session_sets WHERE chain_id = $1 AND account = $2 AND root = $3";
        let (chain_id, account, root) = (chain_id.cast_signed(), lower(account), root.to_string());
        let found: Option<String> = on_pool!(self, pool => {
            sqlx::query_scalar(query).bind(chain_id).bind(account).bind(root).fetch_optional(pool).await?
        });
        found.map(|json| serde_json::from_str(&json).map_err(|error| unreadable(&error))).transpose()
    }
}

fn unreadable(error: &impl std::fmt::Display) -> DatabaseError {
    DatabaseError::Query { reason: format!("session_sets: {error}") }
}

fn lower(account: Address) -> String {
    format!("{account:#x}")
}

fn now() -> i64 {
    unix_seconds().cast_signed()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use use_aa_protocol::{
        addresses::DEMO_NFT,
        policy::Policy,
        session::{SessionBook, SessionLeaf, SessionStatus},
    };

    fn set(valid_until: u64) -> PublishedLeaves {
        let policy = Policy::new(DEMO_NFT, "safeMint(address)").with_valid_until(valid_until);
        let leaf = SessionLeaf::from_policy(&policy, Address::repeat_byte(1), "id").unwrap();
        let leaf = SessionLeaf { status: SessionStatus::Active, ..leaf };
        SessionBook { leaf_nodes: vec![leaf], ..Default::default() }.published().unwrap()
    }

    /// What earlier versions took for a set of one leaf: the root's own preimage.
    fn poison(set: &PublishedLeaves) -> PublishedLeaves {
        let leaves: Vec<alloy::primitives::Bytes> = serde_json::from_value(serde_json::to_value(set).unwrap()).unwrap();
        let mut hashes = leaves.iter().map(alloy::primitives::keccak256).collect::<Vec<_>>();
        hashes.sort();
        serde_json::from_value(serde_json::json!([alloy::primitives::Bytes::from(hashes.concat())])).unwrap()
    }

    #[tokio::test]
    async fn a_set_that_hides_leaves_is_replaced_however_many_write() {
        let database = Database::at("sqlite::memory:").unwrap();
        let account = Address::repeat_byte(0xaa);
        let leaves = [1, 2].map(|id| serde_json::to_value(set(id)).unwrap()[0].clone());
        let honest: PublishedLeaves = serde_json::from_value(serde_json::json!(leaves)).unwrap();
        let (poison, root) = (poison(&honest), honest.root());
        assert_eq!(poison.root(), root, "both make the root");
        assert!(poison.check().is_err() && honest.check().is_ok());
        // Written by an earlier version.
        database.keep_session_set(1, account, root, &poison).await.unwrap();
        let writers = (0..8).map(|_| database.keep_session_set(1, account, root, &honest));
        for written in futures::future::join_all(writers).await {
            written.unwrap();
        }
        assert_eq!(database.session_set(1, account, root).await.unwrap(), Some(honest));
    }

    #[tokio::test]
    async fn the_newest_sets_of_an_account_are_kept() {
        let database = Database::at("sqlite::memory:").unwrap();
        let account = Address::repeat_byte(0xaa);
        let sets = (1..=20).map(set).collect::<Vec<_>>();
        for leaves in &sets {
            database.keep_session_set(1, account, leaves.root(), leaves).await.unwrap();
            let kept = database.session_set(1, account, leaves.root()).await.unwrap();
            assert_eq!(kept.as_ref(), Some(leaves), "what was just published is there");
        }
        let mut kept = 0;
        for leaves in &sets {
            kept += i64::from(database.session_set(1, account, leaves.root()).await.unwrap().is_some());
        }
        assert!((KEPT_PER_ACCOUNT..=KEPT_PER_ACCOUNT + 1).contains(&kept), "{kept}");
        let large =
            serde_json::from_value(serde_json::json!(vec![alloy::primitives::Bytes::from(vec![7; 4_096]); 1_500]));
        let large: PublishedLeaves = large.unwrap();
        let heavy = Address::repeat_byte(0xbb);
        for root in 1..=4 {
            database.keep_session_set(1, heavy, B256::repeat_byte(root), &large).await.unwrap();
        }
        let mut bytes = 0;
        for root in 1..=4 {
            let set = database.session_set(1, heavy, B256::repeat_byte(root)).await.unwrap();
            bytes += set.map_or(0, |set| serde_json::to_string(&set).unwrap().len());
        }
        assert_eq!(bytes / serde_json::to_string(&large).unwrap().len(), 2, "the newest, and what fits beside it");
        let last = sets.last().unwrap().root();
        assert_eq!(database.session_set(2, account, last).await.unwrap(), None, "another chain");
        assert_eq!(database.session_set(1, DEMO_NFT, last).await.unwrap(), None, "another account");
    }
}
