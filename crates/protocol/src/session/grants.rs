//! Grants on their way: which leaves they are to put under the root, and how they end.

use alloy::primitives::{Address, B256, U256};

use super::{GrantOperation, SessionBook, SessionEvent, SessionLeaf, SessionState};
use crate::clocks::Clocks;

impl SessionBook {
    /// Operations whose leaves are not confirmed, each once, oldest first.
    pub fn grants(&self) -> Vec<B256> {
        self.grants_that(|_| true)
    }

    /// Those of [`Self::grants`] that can never be included any more: see [`GrantOperation::can_never_be_included`].
    /// For a book that has the tree on chain.
    pub fn dead_grants(&self, next_nonce: U256, clocks: Clocks) -> Vec<B256> {
        self.grants_that(|grant| grant.can_never_be_included(next_nonce, clocks))
    }

    fn grants_that(&self, wanted: impl Fn(&GrantOperation) -> bool) -> Vec<B256> {
        let mut found = Vec::new();
        for state in self.leaf_nodes.iter().map(SessionLeaf::state) {
            let operation = state.grant().filter(|grant| wanted(grant)).and_then(|grant| grant.user_op_hash);
            found.extend(operation.filter(|hash| !found.contains(hash)));
        }
        found
    }

    /// Is every leaf of this operation one that it can never put under the root any more?
    pub fn is_grant_dead(&self, user_op_hash: B256, next_nonce: U256, clocks: Clocks) -> bool {
        let states = self.leaf_nodes.iter().map(SessionLeaf::state).filter(|state| state.is_granted_by(user_op_hash));
        states
            .into_iter()
            .all(|state| state.grant().is_some_and(|grant| grant.can_never_be_included(next_nonce, clocks)))
    }

    /// Nobody knows whether the operation will be included.
    pub fn doubt_grant(&mut self, user_op_hash: B256) {
        self.record(&SessionEvent::GrantInDoubt, |state| state.is_granted_by(user_op_hash));
        // What it is to leave out, too.
        self.doubt_revocation(user_op_hash);
    }

    /// The operation succeeded: its leaves are under the root, and what it left out is not any more. Gives the grants with
    /// the same nonce, which can never be included any more.
    pub fn confirm_grant(&mut self, user_op_hash: B256) -> Vec<B256> {
        let nonce_of = |state: &SessionState| state.grant().and_then(|grant| grant.nonce);
        let mine = self.leaf_nodes.iter().map(SessionLeaf::state).filter(|state| state.is_granted_by(user_op_hash));
        let used = mine.filter_map(|state| nonce_of(&state)).collect::<Vec<_>>();
        // Also takes out what the grant left out.
        self.confirm_revocation(user_op_hash);
        self.grants_that(|grant| grant.nonce.is_some_and(|nonce| used.contains(&nonce)))
    }

    /// The operation will not happen: its leaves go, or are revoked as they were before. Gives the addresses of the keys
    /// that no leaf names any more.
    pub fn fail_grant(&mut self, user_op_hash: B256) -> Vec<Address> {
        let key_of = |leaf: &SessionLeaf| leaf.session_key_address;
        let mine = self.leaf_nodes.iter().filter(|leaf| leaf.state().is_granted_by(user_op_hash));
        let mut keys = mine.map(key_of).collect::<Vec<_>>();
        self.record(&SessionEvent::GrantFailed, |state| state.is_granted_by(user_op_hash));
        // What it was to leave out stays.
        self.fail_revocation(user_op_hash);
        keys.retain(|key| !self.leaf_nodes.iter().any(|leaf| key_of(leaf) == *key));
        keys.sort();
        keys.dedup();
        keys
    }

    /// The oldest change that is on its way, a grant or a revocation, by one of its sessions and its operation. What is
    /// in doubt counts only when `skip_doubtful` is false; operations in `passed_over` do not.
    pub fn change_in_flight(&self, skip_doubtful: bool, passed_over: impl Fn(&B256) -> bool) -> Option<(String, B256)> {
        self.leaf_nodes.iter().find_map(|leaf| {
            let operation = match leaf.state() {
                SessionState::Revoking { operation } => {
                    Some(operation.user_op_hash).filter(|_| !(skip_doubtful && operation.in_doubt))
                }
                state => state
                    .grant()
                    .filter(|grant| !(skip_doubtful && grant.in_doubt))
                    .and_then(|grant| grant.user_op_hash),
            };
            let user_op_hash = operation.filter(|hash| !passed_over(hash))?;
            Some((leaf.session_id.clone(), user_op_hash))
        })
    }
}
