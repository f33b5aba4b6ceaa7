//! An operation that changes sessions is sent once more with higher fees: it has another hash, and only one of the two is
//! ever included.

use alloy::primitives::{B256, U256};

use super::{GrantOperation, RevocationOperation, SessionBook, SessionEvent, SessionLeaf, SessionState};

/// What a leaf waited for before its operation was overtaken: its session's id, and the event that says so.
pub type Overtaken = (String, SessionEvent);

impl SessionBook {
    /// Does a leaf wait for this operation, to come under the root or to leave it?
    pub fn waits_for(&self, user_op_hash: B256) -> bool {
        self.leaf_nodes.iter().any(|leaf| leaf.state().is_changed_by(user_op_hash))
    }

    /// `faster` will be sent in the place of `first`: what waits for the one waits for the other. Until the later of their
    /// ends, for either may be included; when it is `first`, the root on chain tells. Gives what [`Self::restore_overtaken`]
    /// needs; nothing when no leaf waits for `first`.
    pub fn overtake(&mut self, first: B256, faster: B256, nonce: U256, valid_until: Option<u64>) -> Vec<Overtaken> {
        let later = |of_first: Option<u64>| of_first.zip(valid_until).map(|(one, other)| one.max(other));
        let mut overtaken = Vec::new();
        for leaf in self.leaf_nodes.iter_mut() {
            let state = leaf.state();
            if !state.is_changed_by(first) {
                continue;
            }
            let before = match (state.grant(), state.revoking()) {
                (Some(grant), _) => SessionEvent::GrantPrepared(grant.clone()),
                (None, Some(operation)) => SessionEvent::RevocationSent { operation: *operation },
                (None, None) => continue,
            };
            let event = match &before {
                SessionEvent::GrantPrepared(grant) => SessionEvent::GrantPrepared(GrantOperation {
                    user_op_hash: Some(faster),
                    nonce: Some(nonce),
                    valid_until: later(grant.valid_until),
                    in_doubt: false,
                }),
                SessionEvent::RevocationSent { operation } => SessionEvent::RevocationSent {
                    operation: RevocationOperation {
                        user_op_hash: faster,
                        nonce: Some(nonce),
                        valid_until: later(operation.valid_until),
                        in_doubt: false,
                    },
                },
                _ => continue,
            };
            if leaf.record(&event).is_ok() {
                overtaken.push((leaf.session_id.clone(), before));
            }
        }
        overtaken
    }

    /// `faster` was not taken: what still waits for it waits for what it waited for before.
    pub fn restore_overtaken(&mut self, faster: B256, overtaken: &[Overtaken]) {
        let waits = |leaf: &SessionLeaf| leaf.state().is_changed_by(faster);
        for (session_id, before) in overtaken {
            if let Some(leaf) = self.find_mut(session_id).filter(|leaf| waits(leaf)) {
                let _ = leaf.record(before);
            }
        }
    }
}

impl SessionState {
    /// Is this operation to grant it, or to take it out?
    fn is_changed_by(&self, user_op_hash: B256) -> bool {
        self.is_granted_by(user_op_hash) || self.revocation() == Some(user_op_hash)
    }
}
