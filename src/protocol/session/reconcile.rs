//! Settling the local book with the root on chain.
//!
//! The seed writes leaves before it sends anything and never says which arrived; a page may be closed
//! in mid-grant; another tab may have granted. The chain knows one thing only, the root. So: find the
//! set of stored leaves that reproduces it.

use std::collections::HashSet;

use alloy::primitives::B256;

use super::{SessionBook, SessionLeaf, SessionStatus};
use crate::protocol::merkle::MerkleFrontier;

/// Pending grants beyond this are not tried one by one (each try costs a walk over all leaves).
const MAX_GROUPS: usize = 32;

/// What [`SessionBook::reconcile`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reconciliation {
    /// The book's tree has the chain's root; nothing was changed.
    InSync,
    /// Some statuses were changed; now the book's tree has the chain's root.
    Settled {
        /// Ids of sessions found in the tree on chain, now active.
        activated: Vec<String>,
        /// Ids of sessions no longer in the tree on chain, now revoked.
        revoked: Vec<String>,
    },
    /// No set of stored leaves gives the chain's root: another device or app wrote it. Nothing was
    /// changed.
    Unknown {
        /// Root of the book's tree.
        local: B256,
        /// Root on chain.
        chain: B256,
    },
}

impl SessionBook {
    /// Finds the stored leaves that make `chain_root` and marks them active. Leaves that were taken
    /// for live but are not in that tree become revoked; pending ones stay pending.
    ///
    /// Tried in this order: the tree as it is · leading leaves in insertion order, without the
    /// revoked ones · the tree plus each pending grant (leaves of one operation together) · only
    /// those marked active · leading leaves with the revoked ones (the seed marks revoked before it
    /// revokes) · none (zero root).
    pub fn reconcile(&mut self, chain_root: B256) -> Reconciliation {
        let hashes: Vec<B256> = self.leaf_nodes.iter().map(SessionLeaf::hash).collect();
        let statuses: Vec<SessionStatus> = self.leaf_nodes.iter().map(|leaf| leaf.status).collect();
        let local = root_where(&hashes, |index| in_tree(&statuses, index));
        if local == chain_root {
            return Reconciliation::InSync;
        }
        let Some(members) = self.members(chain_root, &hashes, &statuses) else {
            return Reconciliation::Unknown { local, chain: chain_root };
        };
        let (mut activated, mut revoked) = (Vec::new(), Vec::new());
        for (index, leaf) in self.leaf_nodes.iter_mut().enumerate() {
            match (members.contains(&index), leaf.status.in_tree()) {
                (true, false) => {
                    leaf.status = SessionStatus::Active;
                    activated.push(leaf.session_id.clone());
                }
                (false, true) => {
                    leaf.status = SessionStatus::Revoked;
                    revoked.push(leaf.session_id.clone());
                }
                _ => {}
            }
        }
        self.store_root();
        Reconciliation::Settled { activated, revoked }
    }

    /// Indexes of the leaves whose tree has the root `wanted`.
    fn members(&self, wanted: B256, hashes: &[B256], statuses: &[SessionStatus]) -> Option<HashSet<usize>> {
        if wanted.is_zero() {
            return Some(HashSet::new());
        }
        let not_revoked = |index: usize| statuses.get(index).is_some_and(|status| *status != SessionStatus::Revoked);
        if let Some(members) = leading(wanted, hashes, not_revoked) {
            return Some(members);
        }
        let matches = |include: &dyn Fn(usize) -> bool| {
            (root_where(hashes, include) == wanted).then(|| (0..hashes.len()).filter(|index| include(*index)).collect())
        };
        for group in self.pending_groups().into_iter().take(MAX_GROUPS) {
            let members = matches(&|index| in_tree(statuses, index) || group.contains(&index));
            if members.is_some() {
                return members;
            }
        }
        matches(&|index| statuses.get(index) == Some(&SessionStatus::Active))
            .or_else(|| leading(wanted, hashes, |_| true))
    }

    /// Indexes of pending leaves, those of one operation together, newest grant first.
    fn pending_groups(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<(Option<B256>, Vec<usize>)> = Vec::new();
        for (index, leaf) in self.leaf_nodes.iter().enumerate() {
            if leaf.status != SessionStatus::Pending {
                continue;
            }
            match groups.iter_mut().find(|(hash, _)| hash.is_some() && *hash == leaf.user_op_hash) {
                Some((_, group)) => group.push(index),
                None => groups.push((leaf.user_op_hash, vec![index])),
            }
        }
        groups.into_iter().rev().map(|(_, group)| group).collect()
    }
}

fn in_tree(statuses: &[SessionStatus], index: usize) -> bool {
    statuses.get(index).is_some_and(|status| status.in_tree())
}

/// Root over the leaves that `include` picks; zero when it picks none.
fn root_where(hashes: &[B256], include: impl Fn(usize) -> bool) -> B256 {
    let picked = hashes.iter().enumerate().filter(|(index, _)| include(*index)).map(|(_, hash)| *hash);
    picked.collect::<MerkleFrontier>().root().unwrap_or_default()
}

/// The shortest run of leading leaves that `include` picks whose root is `wanted`.
fn leading(wanted: B256, hashes: &[B256], include: impl Fn(usize) -> bool) -> Option<HashSet<usize>> {
    let mut frontier = MerkleFrontier::default();
    let mut members = HashSet::new();
    for (index, hash) in hashes.iter().enumerate().filter(|(index, _)| include(*index)) {
        frontier.push(*hash);
        members.insert(index);
        if frontier.root() == Some(wanted) {
            return Some(members);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::merkle::MerkleTree;
    use SessionStatus::{Active, Expired, Inactive, Pending, Revoked};

    fn book(leaves: &[(&str, SessionStatus, u8)]) -> SessionBook {
        let leaf = |(id, status, operation): &(&str, SessionStatus, u8)| SessionLeaf {
            session_id: (*id).into(),
            status: *status,
            session_key_data: id.as_bytes().to_vec().into(),
            user_op_hash: (*operation != 0).then(|| B256::repeat_byte(*operation)),
            ..SessionLeaf::default()
        };
        SessionBook { leaf_nodes: leaves.iter().map(leaf).collect(), ..SessionBook::default() }
    }

    fn root(book: &SessionBook, ids: &[&str]) -> B256 {
        let leaves = book.leaf_nodes.iter().filter(|leaf| ids.contains(&leaf.session_id.as_str()));
        MerkleTree::new(leaves.map(SessionLeaf::hash).collect()).root().unwrap_or_default()
    }

    fn settled(activated: &[&str], revoked: &[&str]) -> Reconciliation {
        let ids = |list: &[&str]| list.iter().map(|id| (*id).to_owned()).collect();
        Reconciliation::Settled { activated: ids(activated), revoked: ids(revoked) }
    }

    #[test]
    fn a_book_in_step_is_left_alone() {
        let mut book = book(&[("a", Active, 0), ("b", Pending, 1), ("c", Expired, 0)]);
        let before = book.clone();
        assert_eq!(book.reconcile(root(&before, &["a", "c"])), Reconciliation::InSync);
        assert_eq!(book, before);
    }

    #[test]
    fn the_grant_that_arrived_is_activated_with_all_its_leaves_and_the_other_stays_pending() {
        let mut book = book(&[("a", Active, 0), ("b1", Pending, 1), ("b2", Pending, 1), ("c", Pending, 2)]);
        let chain = root(&book, &["a", "b1", "b2"]);
        assert_eq!(book.reconcile(chain), settled(&["b1", "b2"], &[]));
        assert_eq!(book.leaf_nodes.last().map(|leaf| leaf.status), Some(Pending));
        assert_eq!(book.root(), chain);
        // a later grant in another tab that did not know the first
        let mut other = self::book(&[("a", Active, 0), ("b1", Pending, 1), ("b2", Pending, 1), ("c", Pending, 2)]);
        assert_eq!(other.reconcile(root(&other, &["a", "c"])), settled(&["c"], &[]));
        assert_eq!(other.tree_leaves().len(), 2);
    }

    #[test]
    fn a_zero_root_takes_everything_back_but_keeps_what_is_pending() {
        let mut book = book(&[("a", Active, 0), ("b", Pending, 1)]);
        assert_eq!(book.reconcile(B256::ZERO), settled(&[], &["a"]));
        assert_eq!(book.root(), B256::ZERO);
        assert_eq!(book.merkle_root, "");
        assert_eq!(book.leaf_nodes.iter().map(|leaf| leaf.status).collect::<Vec<_>>(), [Revoked, Pending]);
    }

    #[test]
    fn sessions_that_another_tab_revoked_or_never_revoked_are_found_out() {
        let mut pruned = book(&[("a", Active, 0), ("b", Inactive, 0), ("c", Active, 0)]);
        assert_eq!(pruned.reconcile(root(&pruned, &["a", "c"])), settled(&[], &["b"]));
        let mut undone = book(&[("a", Revoked, 0), ("b", Active, 0)]);
        assert_eq!(undone.reconcile(root(&undone, &["a", "b"])), settled(&["a"], &[]));
    }

    #[test]
    fn a_foreign_root_changes_nothing() {
        let mut book = book(&[("a", Active, 0), ("b", Pending, 1)]);
        let before = book.clone();
        let chain = B256::repeat_byte(9);
        assert_eq!(book.reconcile(chain), Reconciliation::Unknown { local: before.root(), chain });
        assert_eq!(book, before);
    }
}
