//! What the ledger of sessions gives up again.
//!
//! | A set … | is kept |
//! |---|---|
//! | whose root the account has on chain | for as long as it has; looked up when nobody published it for `USE_AA_LEDGER_DAYS` |
//! | that another one of its account replaced | for a week, the newest eight and 16 MiB of them |
//! | of any account | while all of them fit into 4 GiB: the largest ones go first, honest ones have kilobytes |

use std::{sync::atomic::Ordering, time::Duration};

use alloy::primitives::{Address, B256};

use super::{
    super::{
        database::{Database, DatabaseError, in_transaction, on_pool},
        state::ServerState,
    },
    now, unreadable,
};
use use_aa_actions::error::AppError;

/// How often.
const PAUSE: Duration = Duration::from_secs(3_600);
/// How long replaced sets are kept, seconds.
const REPLACED: i64 = 7 * 86_400;
/// Bytes of all sets together.
const BYTES_IN_ALL: i64 = 4 * 1024 * 1024 * 1024;
/// After so many new bytes it is done at once.
pub(super) const GROWTH: usize = 256 * 1024 * 1024;
/// Old sets that the chain is asked about at a time.
const ASKED_ABOUT: i64 = 100;

/// Gives up what is not needed any more, for as long as this state is in use.
pub fn keep_tidy(state: &ServerState) {
    let state = state.downgrade();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(PAUSE).await;
            let Some(state) = state.upgrade() else { return };
            done(tidy(&state).await);
        }
    });
}

/// The same once, now.
pub(super) fn tidy_now(state: &ServerState) {
    let state = state.clone();
    state.session_sets().grown.store(0, Ordering::Relaxed);
    tokio::spawn(async move { done(tidy(&state).await) });
}

fn done(outcome: Result<(), AppError>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "tidying the ledger of sessions");
    }
}

async fn tidy(state: &ServerState) -> Result<(), AppError> {
    state.session_sets().grown.store(0, Ordering::Relaxed);
    let (database, chain_id, now) = (state.database(), state.config().chain_id, now());
    // First: it does not need the chain.
    database.forget_largest_sets(BYTES_IN_ALL).await?;
    database.forget_replaced_sets(now - REPLACED).await?;
    let kept = i64::try_from(state.config().ledger_days.saturating_mul(86_400)).unwrap_or(i64::MAX);
    for (account, root) in database.old_sets(chain_id, now.saturating_sub(kept)).await? {
        let is_current = state.node().merkle_roots(account).await?.contains(&root);
        database.look_again_or_forget(chain_id, account, root, is_current.then_some(now)).await?;
    }
    Ok(())
}

impl Database {
    /// Forgets sets that are older than that and have a newer one of their account beside them.
    async fn forget_replaced_sets(&self, before: i64) -> Result<(), DatabaseError> {
        let query = "DELETE FROM session_sets WHERE published_at < $1 AND EXISTS (SELECT 1 FROM session_sets AS newer \
            WHERE newer.chain_id = session_sets.chain_id AND newer.account = session_sets.account \
            AND newer.published_at > session_sets.published_at)";
        in_transaction!(self, transaction => {
            sqlx::query(query).bind(before).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(())
        })
    }

    /// Some of the sets that nobody published since then.
    async fn old_sets(&self, chain_id: u64, before: i64) -> Result<Vec<(Address, B256)>, DatabaseError> {
        let query = "SELECT account, root FROM session_sets WHERE chain_id = $1 AND published_at < $2 \
            ORDER BY published_at LIMIT $3";
        let chain_id = chain_id.cast_signed();
        let found: Vec<(String, String)> = on_pool!(self, pool => {
            sqlx::query_as(query).bind(chain_id).bind(before).bind(ASKED_ABOUT).fetch_all(pool).await?
        });
        let read = |(account, root): (String, String)| Some((account.parse().ok()?, root.parse().ok()?));
        found.into_iter().map(|row| read(row).ok_or_else(|| unreadable(&"an address or a root"))).collect()
    }

    async fn look_again_or_forget(
        &self,
        chain_id: u64,
        account: Address,
        root: B256,
        now: Option<i64>,
    ) -> Result<(), DatabaseError> {
        let (chain_id, account, root) = (chain_id.cast_signed(), super::lower(account), root.to_string());
        let (set, forget) = (
            "UPDATE session_sets SET published_at = $4 WHERE chain_id = $1 AND account = $2 AND root = $3",
            "DELETE FROM session_sets WHERE chain_id = $1 AND account = $2 AND root = $3",
        );
        in_transaction!(self, transaction => {
            match now {
                Some(now) => sqlx::query(set).bind(chain_id).bind(&account).bind(&root).bind(now)
                    .execute(&mut *transaction).await?.rows_affected(),
                None => sqlx::query(forget).bind(chain_id).bind(&account).bind(&root)
                    .execute(&mut *transaction).await?.rows_affected(),
            };
            transaction.commit().await?;
            Ok(())
        })
    }

    /// Forgets the largest sets until all of them fit.
    async fn forget_largest_sets(&self, bytes: i64) -> Result<(), DatabaseError> {
        let query = "DELETE FROM session_sets WHERE (chain_id, account, root) IN (SELECT chain_id, account, root FROM \
            (SELECT chain_id, account, root, SUM(OCTET_LENGTH(leaves)) OVER \
            (ORDER BY OCTET_LENGTH(leaves), published_at DESC, root, account ROWS UNBOUNDED PRECEDING) AS so_far \
            FROM session_sets) AS sets WHERE so_far > $1)";
        in_transaction!(self, transaction => {
            sqlx::query(query).bind(bytes).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use use_aa_protocol::session::PublishedLeaves;

    use super::*;

    fn set(number: u8, length: usize) -> PublishedLeaves {
        serde_json::from_value(serde_json::json!([alloy::primitives::Bytes::from(vec![number; length])])).unwrap()
    }

    struct Ledger(Database);

    impl Ledger {
        async fn keep(&self, account: u8, number: u8, length: usize, age: i64) {
            let (account, set) = (Address::repeat_byte(account), set(number, length));
            self.0.keep_session_set(1, account, set.root(), &set).await.unwrap();
            let at = Some(now() - age);
            self.0.look_again_or_forget(1, account, set.root(), at).await.unwrap();
        }

        async fn has(&self, account: u8, number: u8, length: usize) -> bool {
            let root = set(number, length).root();
            self.0.session_set(1, Address::repeat_byte(account), root).await.unwrap().is_some()
        }
    }

    #[tokio::test]
    async fn replaced_sets_go_after_a_week_and_current_ones_stay() {
        let ledger = Ledger(Database::at("sqlite::memory:").unwrap());
        ledger.keep(1, 1, 40, 3 * REPLACED).await;
        ledger.keep(1, 2, 40, REPLACED / 2).await;
        ledger.keep(1, 3, 40, 0).await;
        ledger.keep(2, 1, 40, 3 * REPLACED).await;
        ledger.0.forget_replaced_sets(now() - REPLACED).await.unwrap();
        assert!(!ledger.has(1, 1, 40).await, "replaced, and old");
        assert!(ledger.has(1, 2, 40).await && ledger.has(1, 3, 40).await && ledger.has(2, 1, 40).await);
        let old = ledger.0.old_sets(1, now() - REPLACED).await.unwrap();
        assert_eq!(old, [(Address::repeat_byte(2), set(1, 40).root())]);
        ledger.0.look_again_or_forget(1, old[0].0, old[0].1, None).await.unwrap();
        assert!(!ledger.has(2, 1, 40).await);
    }

    #[tokio::test]
    async fn the_largest_sets_go_first() {
        let ledger = Ledger(Database::at("sqlite::memory:").unwrap());
        ledger.keep(1, 1, 40, 900).await;
        ledger.keep(2, 1, 4_000, 0).await;
        ledger.keep(3, 1, 2_000, 0).await;
        ledger.keep(3, 2, 40, 500).await;
        ledger.0.forget_largest_sets(5_000).await.unwrap();
        assert!(ledger.has(1, 1, 40).await && ledger.has(3, 1, 2_000).await && ledger.has(3, 2, 40).await);
        assert!(!ledger.has(2, 1, 4_000).await);
    }
}
