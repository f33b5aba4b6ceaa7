//! What a `PENDING` leaf remembers of the operation that grants it, and what the chain proves by that.

use alloy::primitives::U256;
use serde_json::json;

use super::prepare_user_operation::PreparedUserOperation;
use use_aa_protocol::{rpc::AccountState, session::SessionLeaf};

/// Own field of a stored leaf: nonce of the granting operation, hex.
const GRANT_NONCE: &str = "userOpNonce";
/// Own field of a stored leaf: end of the paymaster's signature on the granting operation, unix seconds.
const GRANT_VALID_UNTIL: &str = "userOpValidUntil";
/// Own field of a stored `PENDING` leaf: the bundler may or may not have the operation.
const IN_DOUBT: &str = "sendInDoubt";

/// How long the chain's clock must be past the end of the paymaster's signature, seconds: the latest block may be
/// taken back by a reorganisation.
const GRACE: u64 = 60;

/// Writes into a leaf which operation grants it, and until when that can be included.
pub(super) fn mark(leaf: &mut SessionLeaf, operation: &PreparedUserOperation) {
    leaf.user_op_hash = Some(operation.user_op_hash);
    leaf.extra.insert(GRANT_NONCE.into(), json!(operation.user_operation.nonce));
    leaf.extra.remove(GRANT_VALID_UNTIL);
    // What became of an earlier operation says nothing about this one.
    leaf.extra.remove(IN_DOUBT);
    if let Some(valid_until) = operation.sponsored_until() {
        leaf.extra.insert(GRANT_VALID_UNTIL.into(), json!(valid_until));
    }
}

/// Marks a leaf whose operation may never have arrived, or may be gone.
pub(super) fn doubt(leaf: &mut SessionLeaf) {
    leaf.extra.insert(IN_DOUBT.into(), true.into());
}

/// Was [`doubt`] called on it?
pub(super) fn is_in_doubt(leaf: &SessionLeaf) -> bool {
    leaf.extra.contains_key(IN_DOUBT)
}

/// Nonce of the granting operation, where it is known.
pub(super) fn nonce(leaf: &SessionLeaf) -> Option<U256> {
    serde_json::from_value(leaf.extra.get(GRANT_NONCE)?.clone()).ok()
}

/// The operation of a leaf that is not under the root on chain can change nothing any more: its nonce is used, or
/// its paymaster's signature is over *by the chain's own clock* (this device's may be fast). `state` holds the next
/// nonce of lane 0, read no later than the root. A chain without blocks has a clock all the same: its next block's.
pub(super) fn can_never_be_included(leaf: &SessionLeaf, state: &AccountState) -> bool {
    let used = nonce(leaf).is_some_and(|granted| granted >> 64 == state.nonce >> 64 && granted < state.nonce);
    let valid_until = leaf.extra.get(GRANT_VALID_UNTIL).and_then(serde_json::Value::as_u64).unwrap_or_default();
    used || (valid_until != 0 && state.clocks.is_past_on_chain(valid_until, GRACE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use use_aa_protocol::clocks::Clocks;

    fn leaf(nonce: U256, valid_until: u64) -> SessionLeaf {
        let mut leaf = SessionLeaf::default();
        leaf.extra.insert(GRANT_NONCE.into(), json!(nonce));
        leaf.extra.insert(GRANT_VALID_UNTIL.into(), json!(valid_until));
        leaf
    }

    fn dead(leaf: &SessionLeaf, nonce: u64, block: u64) -> bool {
        dead_by(leaf, nonce, Clocks { block, pending: block, wall: 4_000_000_000 })
    }

    fn dead_by(leaf: &SessionLeaf, nonce: u64, clocks: Clocks) -> bool {
        let state = AccountState {
            block_timestamp: 0,
            deployed: true,
            nonce: U256::from(nonce),
            merkle_root: Default::default(),
            session_key_manager_enabled: true,
            batched_session_router_enabled: false,
            balance: U256::ZERO,
            clocks,
        };
        can_never_be_included(leaf, &state)
    }

    #[test]
    fn a_grant_is_dead_once_its_nonce_is_used_or_its_sponsorship_is_over_on_chain() {
        let five = U256::from(5);
        assert!(!dead(&leaf(five, 0), 5, 1_000));
        assert!(dead(&leaf(five, 0), 6, 1_000));
        assert!(!dead(&leaf(five, 1_000), 5, 1_000 + GRACE));
        assert!(dead(&leaf(five, 1_000), 5, 1_001 + GRACE));
        // Decades ago by this device's clock, but the chain has not come so far.
        assert!(!dead(&leaf(five, 1_000), 5, 900));
        // Nobody sent for an hour, and the next block comes too late for it.
        assert!(dead_by(&leaf(five, 1_000), 5, Clocks { block: 900, pending: 4_500, wall: 4_500 }));
        // Nothing is known of a leaf of the seed, nor of another lane.
        assert!(!dead(&SessionLeaf::default(), 6, 1_000));
        assert!(!dead(&leaf(U256::from(1) << 64, 0), 6, 1_000));
    }
}
