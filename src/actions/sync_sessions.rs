//! Brings the stored sessions in line with the chain, after a reload or when something is in doubt.

use alloy::primitives::{Address, B256, U256};

use super::{
    clock::unix_seconds,
    ports::{Relay, SessionStore},
    session_tree::reconcile,
    settle_session::take_out,
};
use crate::{
    error::AppError,
    protocol::{
        rpc::AccountState,
        session::{SessionBook, SessionLeaf, SessionStatus},
    },
};

/// How long after the end of its paymaster's signature a grant is given up, seconds. Covers clocks
/// that disagree.
const GRACE: u64 = 60;

/// What [`sync_sessions`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncedSessions {
    /// The sessions as they are stored now.
    pub book: SessionBook,
    /// The account at the latest block, with the nonce of lane 0.
    pub account: AccountState,
    /// The stored leaves make the root on chain. When false, another device or app changed the sessions
    /// and the ones here cannot be used.
    pub in_sync: bool,
    /// Operations whose grants are still open: settle each with [`super::settle_session`].
    pub pending: Vec<B256>,
}

/// Compares the store with the chain and sets what the root on chain proves: unconfirmed leaves that are
/// in it become `ACTIVE` (also those of the JavaScript SDK, which never does that itself, SPEC 10, S34),
/// confirmed ones that are not become `REVOKED`. Grants that can provably never be included any more (the
/// nonce is used, or the paymaster's signature is over) are taken out.
///
/// # Errors
/// Those of the [`Relay`] and of the store; then the store is as before. A root that the stored leaves
/// cannot make is no error here, see [`SyncedSessions::in_sync`].
pub async fn sync_sessions(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    account: Address,
) -> Result<SyncedSessions, AppError> {
    let (state, mut book) =
        futures::future::try_join(relay.account_state(account, U256::ZERO), store.load(account)).await?;
    let outcome = reconcile(&mut book, state.merkle_root);
    if let Ok(true) = outcome {
        book = store.update(account, Box::new(|book| reconcile(book, state.merkle_root).map(drop))).await?;
    }
    let in_sync = outcome.is_ok();
    if in_sync {
        let now = unix_seconds().max(state.block_timestamp);
        let dead = operations(&book, |leaf| is_dead(leaf, state.nonce, now));
        for user_op_hash in &dead {
            take_out(store, account, *user_op_hash).await?;
        }
        if !dead.is_empty() {
            book = store.load(account).await?;
        }
    }
    let pending = operations(&book, |_| true);
    Ok(SyncedSessions { book, account: state, in_sync, pending })
}

/// Operations of unconfirmed leaves that `wanted` holds for, each once, oldest first.
fn operations(book: &SessionBook, wanted: impl Fn(&SessionLeaf) -> bool) -> Vec<B256> {
    let mut found = Vec::new();
    for leaf in book.leaf_nodes.iter().filter(|leaf| leaf.status == SessionStatus::Pending && wanted(leaf)) {
        if let Some(user_op_hash) = leaf.user_op_hash.filter(|hash| !found.contains(hash)) {
            found.push(user_op_hash);
        }
    }
    found
}

/// The leaf is not under the root on chain, and its operation cannot change that any more. `nonce` is the
/// next one of lane 0, read together with the root.
fn is_dead(leaf: &SessionLeaf, nonce: U256, now: u64) -> bool {
    let number = |name: &str| leaf.extra.get(name).cloned();
    let used = number(GRANT_NONCE)
        .and_then(|value| serde_json::from_value::<U256>(value).ok())
        .is_some_and(|granted| granted >> 64 == nonce >> 64 && granted < nonce);
    let over = number(GRANT_VALID_UNTIL)
        .and_then(|value| value.as_u64())
        .is_some_and(|valid_until| valid_until != 0 && now > valid_until.saturating_add(GRACE));
    used || over
}

/// Own field of a stored leaf: nonce of the granting operation, hex.
pub(super) const GRANT_NONCE: &str = "userOpNonce";
/// Own field of a stored leaf: end of the paymaster's signature on the granting operation, unix seconds.
pub(super) const GRANT_VALID_UNTIL: &str = "userOpValidUntil";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    fn leaf(nonce: u64, valid_until: u64) -> SessionLeaf {
        let mut leaf = SessionLeaf::default();
        leaf.extra.insert(GRANT_NONCE.into(), json!(U256::from(nonce)));
        leaf.extra.insert(GRANT_VALID_UNTIL.into(), json!(valid_until));
        leaf
    }

    #[test]
    fn a_grant_is_dead_once_its_nonce_is_used_or_its_sponsorship_is_over() {
        assert!(!is_dead(&leaf(5, 0), U256::from(5), 1_000));
        assert!(is_dead(&leaf(5, 0), U256::from(6), 1_000));
        assert!(!is_dead(&leaf(5, 1_000), U256::from(5), 1_000 + GRACE));
        assert!(is_dead(&leaf(5, 1_000), U256::from(5), 1_001 + GRACE));
        // Nothing is known of a leaf of the seed, nor of another lane.
        assert!(!is_dead(&SessionLeaf::default(), U256::from(6), 1_000));
        let mut other_lane = leaf(0, 0);
        other_lane.extra.insert(GRANT_NONCE.into(), json!(U256::from(1) << 64));
        assert!(!is_dead(&other_lane, U256::from(6), 1_000));
    }
}
