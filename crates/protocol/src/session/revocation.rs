//! Taking sessions back: which root is left, and what the book remembers until the chain has it.
//!
//! A leaf that is being revoked stays what it was, for the chain still accepts it. It only carries the hash of the
//! operation that takes it out; the status changes when that operation has succeeded (`@biconomy/use-aa` changes it first and
//! corrupts the tree, docs/protocol.md 3.17).

use std::collections::HashSet;

use alloy::primitives::{B256, U256};

use super::{RevocationOperation, SessionBook, SessionEvent, SessionKeyManager, SessionLeaf};
use crate::{
    clocks::Clocks,
    merkle::{MerkleFrontier, MerkleTree},
};

impl SessionBook {
    /// Root over the tree's leaves without these sessions; zero when none is left.
    pub fn root_without(&self, session_ids: &HashSet<&str>) -> B256 {
        let stays = |leaf: &&SessionLeaf| leaf.is_in_tree() && !session_ids.contains(leaf.session_id.as_str());
        let leaves = self.leaf_nodes.iter().filter(stays);
        leaves.map(SessionLeaf::hash).collect::<MerkleFrontier>().root().unwrap_or_default()
    }

    /// An operation that takes these sessions out will be sent. One that is not in the tree any more stays as it is.
    pub fn begin_revocation(&mut self, session_ids: &HashSet<&str>, operation: impl Into<RevocationOperation>) {
        let event = SessionEvent::RevocationSent { operation: operation.into() };
        for leaf in self.leaf_nodes.iter_mut().filter(|leaf| session_ids.contains(leaf.session_id.as_str())) {
            let _ = leaf.record(&event);
        }
    }

    /// The operation failed: its sessions stay.
    pub fn fail_revocation(&mut self, user_op_hash: B256) {
        self.record(&SessionEvent::RevocationFailed, |state| state.revocation() == Some(user_op_hash));
    }

    /// The bundler dropped the operation, which does not prove that it will never be included.
    pub fn doubt_revocation(&mut self, user_op_hash: B256) {
        for leaf in self.leaf_nodes.iter_mut() {
            let state = leaf.state();
            let Some(operation) = state.revoking().filter(|operation| operation.user_op_hash == user_op_hash) else {
                continue;
            };
            let operation = RevocationOperation { in_doubt: true, ..*operation };
            let _ = leaf.record(&SessionEvent::RevocationSent { operation });
        }
    }

    /// Will no leaf of this operation be taken out by it any more? For a book that has the tree on chain. Of what a
    /// former version noted nothing is known but the hash: it counts as over, as it did there.
    pub fn is_revocation_dead(&self, user_op_hash: B256, next_nonce: U256, clocks: Clocks) -> bool {
        let states = self.leaf_nodes.iter().map(SessionLeaf::state);
        states.filter(|state| state.revocation() == Some(user_op_hash)).all(|state| {
            let is_over = |operation: &RevocationOperation| operation.can_never_be_included(next_nonce, clocks);
            state.revoking().is_some_and(|operation| operation.nonce.is_none() || is_over(operation))
        })
    }

    /// Those of [`Self::revocations`] that can never be included any more. For a book that has the tree on chain.
    pub fn dead_revocations(&self, next_nonce: U256, clocks: Clocks) -> Vec<B256> {
        let is_over = |operation: &RevocationOperation| operation.can_never_be_included(next_nonce, clocks);
        let states = self.leaf_nodes.iter().map(SessionLeaf::state);
        let mut found = states
            .filter_map(|state| state.revoking().filter(|operation| is_over(operation)).map(|dead| dead.user_op_hash))
            .collect::<Vec<_>>();
        found.dedup();
        found
    }

    /// The operation succeeded: its sessions are out of the tree. Gives their ids.
    pub fn confirm_revocation(&mut self, user_op_hash: B256) -> Vec<String> {
        let mut revoked = self.within(SessionKeyManager::Current, |part| part.leave_tree(user_op_hash));
        if self.leaf_nodes.iter().any(|leaf| leaf.manager() == SessionKeyManager::Older) {
            revoked.extend(self.within(SessionKeyManager::Older, |part| part.leave_tree(user_op_hash)));
        }
        // A grant may have left sessions out, too.
        self.record(&SessionEvent::EnteredTree, |state| state.is_granted_by(user_op_hash));
        if !revoked.is_empty() {
            self.store_root();
        }
        revoked
    }

    fn leave_tree(&mut self, user_op_hash: B256) -> Vec<String> {
        let event = SessionEvent::LeftTree { last_root: self.root(), elsewhere: false };
        self.record(&event, |state| state.revocation() == Some(user_op_hash))
    }

    /// The Merkle proof that a revoked session had in the last tree it was in; `None` when that tree can no longer be
    /// made from what is stored.
    pub fn last_proof(&self, session_id: &str) -> Option<Vec<B256>> {
        let leaf = self.find(session_id)?;
        if leaf.manager() == SessionKeyManager::Older {
            return self.part_of(SessionKeyManager::Older).last_proof(session_id);
        }
        let tree = leaf.last_root()?;
        let was_there = |leaf: &&SessionLeaf| leaf.is_in_tree() || leaf.last_root() == Some(tree);
        let last = MerkleTree::new(self.leaf_nodes.iter().filter(was_there).map(SessionLeaf::hash).collect());
        last.root().filter(|root| *root == tree)?;
        last.proof(last.position(leaf.hash())?)
    }

    /// Operations that are to take sessions out, each once, oldest leaf first.
    pub fn revocations(&self) -> Vec<B256> {
        let mut found = Vec::new();
        for user_op_hash in self.leaf_nodes.iter().filter_map(SessionLeaf::revocation) {
            if !found.contains(&user_op_hash) {
                found.push(user_op_hash);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::session::{Ending, GrantOperation, Reconciliation, SessionState, SessionStatus, test_books::book};
    use SessionStatus::{Active, Pending, Revoked};

    const OPERATION: B256 = B256::repeat_byte(7);

    fn statuses(book: &SessionBook) -> Vec<SessionStatus> {
        book.leaf_nodes.iter().map(|leaf| leaf.status).collect()
    }

    #[test]
    fn the_root_that_is_left_is_that_of_the_leaves_that_stay() {
        let all = book(&[("a", Active), ("b", Active), ("p", Pending), ("c", Active)]);
        assert_eq!(all.root_without(&HashSet::from(["b"])), book(&[("a", Active), ("c", Active)]).root());
        assert_eq!(all.root_without(&HashSet::from(["p"])), all.root());
        assert_eq!(all.root_without(&HashSet::from(["a", "b", "c"])), B256::ZERO);
    }

    #[test]
    fn a_status_changes_with_the_chain_only() {
        let mut sessions = book(&[("a", Active), ("b", Active), ("p", Pending)]);
        let before = sessions.root();
        sessions.begin_revocation(&HashSet::from(["a", "p"]), OPERATION);
        assert_eq!((statuses(&sessions), sessions.root()), (vec![Active, Active, Pending], before));
        assert_eq!(sessions.revocations(), [OPERATION]);

        let mut failed = sessions.clone();
        failed.fail_revocation(OPERATION);
        assert_eq!(failed, book(&[("a", Active), ("b", Active), ("p", Pending)]));

        assert_eq!(sessions.confirm_revocation(B256::ZERO), Vec::<String>::new());
        assert_eq!(sessions.confirm_revocation(OPERATION), ["a"]);
        assert_eq!(statuses(&sessions), [Revoked, Active, Pending]);
        assert_eq!(sessions.root(), book(&[("b", Active)]).root());
        assert!(sessions.revocations().is_empty());
        assert_eq!(
            sessions.leaf_nodes[0].state(),
            SessionState::Revoked(Ending { last_root: Some(before), operation: Some(OPERATION), ..Ending::default() })
        );
        let proof = sessions.last_proof("a").expect("its last tree is known");
        assert!(crate::merkle::verify(before, sessions.leaf_nodes[0].hash(), &proof));
        assert_eq!(sessions.last_proof("b"), None);
        // A node that answers with an old block brings them back.
        assert!(matches!(sessions.reconcile(before), Reconciliation::Settled { .. }));
        assert_eq!(statuses(&sessions), [Active, Active, Pending]);
        assert_eq!(sessions.leaf_nodes[0].state(), SessionState::Confirmed);
    }

    #[test]
    fn a_session_that_came_back_is_not_taken_out_by_a_revocation_from_before_its_import() {
        let mut sessions = book(&[("a", Active), ("b", Active)]);
        sessions.begin_revocation(&HashSet::from(["a"]), OPERATION);
        let in_tree = sessions.root();
        sessions.leaf_nodes[0].record(&SessionEvent::Imported).unwrap();
        // Before anybody asked to bring it back, the root may still hold it, and the operation may still come.
        let mut not_yet = sessions.clone();
        assert!(matches!(not_yet.reconcile(in_tree), Reconciliation::Settled { .. }));
        assert_eq!(not_yet.revocations(), [OPERATION]);

        let a = &mut sessions.leaf_nodes[0];
        a.record(&SessionEvent::GrantPrepared(GrantOperation::default())).unwrap();
        a.record(&SessionEvent::EnteredTree).unwrap();
        assert_eq!(sessions.confirm_revocation(OPERATION), Vec::<String>::new());
        assert_eq!((statuses(&sessions), sessions.root()), (vec![Active, Active], in_tree));
    }

    /// The page was closed between sending and the receipt: any subset may be gone.
    #[test]
    fn the_chains_root_tells_whether_a_revocation_arrived() {
        let ids = ["a", "b", "c", "d", "e"];
        let mut sessions = book(&ids.map(|id| (id, Active)));
        let (before, taken) = (sessions.root(), HashSet::from(["b", "d"]));
        let after = sessions.root_without(&taken);
        sessions.begin_revocation(&taken, OPERATION);
        assert_eq!(sessions.clone().reconcile(before), Reconciliation::InSync);
        let revoked = vec!["b".to_owned(), "d".to_owned()];
        assert_eq!(sessions.reconcile(after), Reconciliation::Settled { activated: vec![], revoked });
        assert_eq!(statuses(&sessions), [Active, Revoked, Active, Revoked, Active]);
        assert!(sessions.revocations().is_empty());
    }
}
