//! Taking sessions back: which root is left, and what the book remembers until the chain has it.
//!
//! A leaf that is being revoked stays what it was, for the chain still accepts it. It only carries the hash of the
//! operation that takes it out; the status changes when that operation has succeeded (the seed changes it first and
//! corrupts the tree, SPEC 3.17).

use std::collections::HashSet;

use alloy::primitives::B256;

use super::{SessionBook, SessionLeaf, SessionStatus};
use crate::merkle::{MerkleFrontier, MerkleTree};

/// Own field of a leaf in the tree: hash of the operation that takes it out.
const REVOKED_BY: &str = "revokedByUserOp";
/// Own field of a revoked leaf: hash of the operation that took it out.
pub(super) const TAKEN_BY: &str = "takenByUserOp";

impl SessionLeaf {
    /// The operation on its way that takes this leaf out of the tree.
    pub fn revoked_by(&self) -> Option<B256> {
        self.extra.get(REVOKED_BY)?.as_str()?.parse().ok().filter(|_| self.status.in_tree())
    }

    /// The operation of this browser that took this leaf out of the tree.
    pub fn taken_by(&self) -> Option<B256> {
        let by = self.extra.get(TAKEN_BY)?.as_str()?.parse().ok();
        by.filter(|_| self.status == SessionStatus::Revoked)
    }
}

impl SessionBook {
    /// Root over the tree's leaves without these sessions; zero when none is left.
    pub fn root_without(&self, session_ids: &HashSet<&str>) -> B256 {
        let stays = |leaf: &&SessionLeaf| leaf.status.in_tree() && !session_ids.contains(leaf.session_id.as_str());
        let leaves = self.leaf_nodes.iter().filter(stays);
        leaves.map(SessionLeaf::hash).collect::<MerkleFrontier>().root().unwrap_or_default()
    }

    /// Notes that an operation takes these sessions out.
    pub fn begin_revocation(&mut self, session_ids: &HashSet<&str>, user_op_hash: B256) {
        let named = |leaf: &&mut SessionLeaf| session_ids.contains(leaf.session_id.as_str());
        for leaf in self.leaf_nodes.iter_mut().filter(|leaf| leaf.status.in_tree()).filter(named) {
            leaf.extra.insert(REVOKED_BY.into(), user_op_hash.to_string().into());
        }
    }

    /// The operation failed: its sessions stay.
    pub fn forget_revocation(&mut self, user_op_hash: B256) {
        for leaf in self.leaf_nodes.iter_mut().filter(|leaf| leaf.revoked_by() == Some(user_op_hash)) {
            leaf.extra.remove(REVOKED_BY);
        }
    }

    /// The operation succeeded: its sessions are out of the tree. Gives their ids.
    pub fn confirm_revocation(&mut self, user_op_hash: B256) -> Vec<String> {
        let before = self.root();
        let mut revoked = Vec::new();
        for leaf in self.leaf_nodes.iter_mut().filter(|leaf| leaf.revoked_by() == Some(user_op_hash)) {
            leaf.leave_tree(before);
            revoked.push(leaf.session_id.clone());
        }
        if !revoked.is_empty() {
            self.store_root();
        }
        revoked
    }

    /// The Merkle proof that a revoked session had in the last tree it was in; `None` when that tree can no longer be
    /// made from what is stored.
    pub fn last_proof(&self, session_id: &str) -> Option<Vec<B256>> {
        let leaf = self.find(session_id).filter(|leaf| leaf.status == SessionStatus::Revoked)?;
        let tree = leaf.extra.get(super::reconcile::LEFT_TREE)?;
        let was_there = |leaf: &&SessionLeaf| {
            leaf.status.in_tree() || leaf.extra.get(super::reconcile::LEFT_TREE).is_some_and(|left| left == tree)
        };
        let last = MerkleTree::new(self.leaf_nodes.iter().filter(was_there).map(SessionLeaf::hash).collect());
        last.root().filter(|root| root.to_string() == tree.as_str().unwrap_or_default())?;
        last.proof(last.position(leaf.hash())?)
    }

    /// Operations that are to take sessions out, each once, oldest leaf first.
    pub fn revocations(&self) -> Vec<B256> {
        let mut found = Vec::new();
        for user_op_hash in self.leaf_nodes.iter().filter_map(SessionLeaf::revoked_by) {
            if !found.contains(&user_op_hash) {
                found.push(user_op_hash);
            }
        }
        found
    }
}

impl SessionLeaf {
    /// No longer under the root on chain; `tree` is the last root that it was under.
    pub(super) fn leave_tree(&mut self, tree: B256) {
        self.status = SessionStatus::Revoked;
        if let Some(by) = self.extra.remove(REVOKED_BY) {
            self.extra.insert(TAKEN_BY.into(), by);
        }
        self.extra.insert(super::reconcile::LEFT_TREE.into(), tree.to_string().into());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::session::Reconciliation;
    use SessionStatus::{Active, Pending, Revoked};

    const OPERATION: B256 = B256::repeat_byte(7);

    fn book(leaves: &[(&str, SessionStatus)]) -> SessionBook {
        let leaf = |(id, status): &(&str, SessionStatus)| SessionLeaf {
            session_id: (*id).into(),
            status: *status,
            session_key_data: id.as_bytes().to_vec().into(),
            ..SessionLeaf::default()
        };
        SessionBook { leaf_nodes: leaves.iter().map(leaf).collect(), ..SessionBook::default() }
    }

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
        failed.forget_revocation(OPERATION);
        assert_eq!(failed, book(&[("a", Active), ("b", Active), ("p", Pending)]));

        assert_eq!(sessions.confirm_revocation(B256::ZERO), Vec::<String>::new());
        assert_eq!(sessions.confirm_revocation(OPERATION), ["a"]);
        assert_eq!(statuses(&sessions), [Revoked, Active, Pending]);
        assert_eq!(sessions.root(), book(&[("b", Active)]).root());
        assert!(sessions.revocations().is_empty());
        assert_eq!(
            sessions.leaf_nodes.iter().map(SessionLeaf::taken_by).collect::<Vec<_>>(),
            [Some(OPERATION), None, None]
        );
        let proof = sessions.last_proof("a").expect("its last tree is known");
        assert!(crate::merkle::verify(before, sessions.leaf_nodes[0].hash(), &proof));
        assert_eq!(sessions.last_proof("b"), None);
        // A node that answers with an old block brings them back.
        assert!(matches!(sessions.reconcile(before), Reconciliation::Settled { .. }));
        assert_eq!(statuses(&sessions), [Active, Active, Pending]);
        assert_eq!((sessions.leaf_nodes[0].taken_by(), sessions.leaf_nodes[0].revoked_by()), (None, None));
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
