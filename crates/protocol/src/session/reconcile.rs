//! Settling the local book with the root on chain.
//!
//! `@biconomy/use-aa` writes leaves before it sends anything and never says which arrived; a page may be closed
//! in mid-grant; another tab may have granted. The chain knows one thing only, the root. So: find the
//! set of stored leaves that reproduces it.

use alloy::primitives::B256;

use super::{SessionBook, SessionEvent, SessionKeyManager, SessionLeaf, SessionStatus};
use crate::merkle::MerkleFrontier;

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
    /// Tried in this order: the tree as it is · none (zero root) · the tree that revoked leaves were in last (the
    /// server was on another chain for a while, or the node on a stale one) · the tree without what was taken back and came
    /// back unasked · the tree without what an operation
    /// on its way takes out, with what the same one grants · all but the revoked ones, and
    /// leading runs of them · the tree plus each pending, then each revoked grant (leaves of one
    /// operation together) · only those marked active · leading runs with the revoked ones (`@biconomy/use-aa`
    /// marks revoked before it revokes). Whatever a stale answer of a node made of the book, the next
    /// fresh one mends.
    pub fn reconcile(&mut self, chain_root: B256) -> Reconciliation {
        self.within(SessionKeyManager::Current, |part| part.settle(chain_root))
    }

    /// [`Self::reconcile`] for leaves of one manager only.
    pub(in crate::session) fn settle(&mut self, chain_root: B256) -> Reconciliation {
        let hashes: Vec<B256> = self.leaf_nodes.iter().map(SessionLeaf::hash).collect();
        let statuses: Vec<SessionStatus> = self.leaf_nodes.iter().map(|leaf| leaf.status).collect();
        let local = self.root();
        if local == chain_root {
            return Reconciliation::InSync;
        }
        let Some(members) = self.members(chain_root, &hashes, &statuses) else {
            return Reconciliation::Unknown { local, chain: chain_root };
        };
        let (mut activated, mut revoked) = (Vec::new(), Vec::new());
        for (leaf, member) in self.leaf_nodes.iter_mut().zip(members) {
            let was_in_tree = leaf.status.in_tree();
            let (event, changed) = match member {
                true => (SessionEvent::EnteredTree, &mut activated),
                false => (SessionEvent::LeftTree { last_root: local, elsewhere: false }, &mut revoked),
            };
            if member != was_in_tree && leaf.record(&event).is_ok() {
                changed.push(leaf.session_id.clone());
            }
        }
        self.store_root();
        Reconciliation::Settled { activated, revoked }
    }

    /// Which leaves make the tree with the root `wanted`.
    fn members(&self, wanted: B256, hashes: &[B256], statuses: &[SessionStatus]) -> Option<Vec<bool>> {
        let pick = |include: &dyn Fn(usize) -> bool| (0..hashes.len()).map(include).collect::<Vec<bool>>();
        if wanted.is_zero() {
            return Some(pick(&|_| false));
        }
        let left = self.leaves_that_left(wanted);
        if left.contains(&true) {
            let with_the_rest = pick(&|index| in_tree(statuses, index) || left.get(index) == Some(&true));
            let returned = [left, with_the_rest].into_iter().find(|members| root_of(hashes, members) == wanted);
            if returned.is_some() {
                return returned;
            }
        }
        let came_back = |index: usize| self.leaf_nodes.get(index).is_some_and(SessionLeaf::has_come_back);
        let without_them = pick(&|index| in_tree(statuses, index) && !came_back(index));
        if root_of(hashes, &without_them) == wanted {
            return Some(without_them);
        }
        for user_op_hash in self.revocations().into_iter().rev().take(MAX_GROUPS) {
            let goes =
                |index: usize| self.leaf_nodes.get(index).and_then(SessionLeaf::revocation) == Some(user_op_hash);
            let comes =
                |index: usize| self.leaf_nodes.get(index).is_some_and(|leaf| leaf.state().is_granted_by(user_op_hash));
            let members = pick(&|index| in_tree(statuses, index) && !goes(index) || comes(index));
            if root_of(hashes, &members) == wanted {
                return Some(members);
            }
        }
        let has = |index: usize, status: SessionStatus| statuses.get(index) == Some(&status);
        let not_revoked = pick(&|index| !has(index, SessionStatus::Revoked));
        let matching = |members: Vec<bool>| (root_of(hashes, &members) == wanted).then_some(members);
        if let Some(members) = matching(not_revoked.clone()).or_else(|| leading(wanted, hashes, &not_revoked)) {
            return Some(members);
        }
        for status in [SessionStatus::Pending, SessionStatus::Revoked] {
            for group in self.groups(status).into_iter().take(MAX_GROUPS) {
                let members = pick(&|index| in_tree(statuses, index) || group.contains(&index));
                if root_of(hashes, &members) == wanted {
                    return Some(members);
                }
            }
        }
        matching(pick(&|index| has(index, SessionStatus::Active))).or_else(|| leading(wanted, hashes, &pick(&|_| true)))
    }

    /// The revoked leaves that were under this root last.
    fn leaves_that_left(&self, root: B256) -> Vec<bool> {
        let left = |leaf: &SessionLeaf| leaf.state().ending().is_some_and(|ending| ending.last_root == Some(root));
        self.leaf_nodes.iter().map(left).collect()
    }

    /// Indexes of the leaves with this status, those of one operation together, newest grant first.
    fn groups(&self, status: SessionStatus) -> Vec<Vec<usize>> {
        let mut groups: Vec<(Option<B256>, Vec<usize>)> = Vec::new();
        for (index, leaf) in self.leaf_nodes.iter().enumerate().filter(|(_, leaf)| leaf.status == status) {
            match groups.last_mut() {
                Some((hash, group)) if hash.is_some() && *hash == leaf.user_op_hash => group.push(index),
                _ => groups.push((leaf.user_op_hash, vec![index])),
            }
        }
        groups.into_iter().rev().map(|(_, group)| group).collect()
    }
}

fn in_tree(statuses: &[SessionStatus], index: usize) -> bool {
    statuses.get(index).is_some_and(|status| status.in_tree())
}

/// Root over the picked leaves; zero when none is.
fn root_of(hashes: &[B256], members: &[bool]) -> B256 {
    let picked = hashes.iter().zip(members).filter(|(_, member)| **member).map(|(hash, _)| *hash);
    picked.collect::<MerkleFrontier>().root().unwrap_or_default()
}

/// The shortest run of leading candidates whose root is `wanted`.
fn leading(wanted: B256, hashes: &[B256], candidates: &[bool]) -> Option<Vec<bool>> {
    let mut frontier = MerkleFrontier::default();
    let mut members = vec![false; hashes.len()];
    for ((hash, candidate), member) in hashes.iter().zip(candidates).zip(0..) {
        if !candidate {
            continue;
        }
        frontier.push(*hash);
        *members.get_mut(member)? = true;
        if frontier.root() == Some(wanted) {
            return Some(members);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::MerkleTree;
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
    fn what_a_stale_root_revoked_a_fresh_one_brings_back() {
        let mut book = book(&[("gone", Revoked, 0), ("a", Active, 1), ("b", Active, 2)]);
        let (stale, fresh) = (root(&book, &["a"]), book.root());
        assert_eq!(book.reconcile(stale), settled(&[], &["b"]));
        assert_eq!(book.reconcile(fresh), settled(&["b"], &[]));
        assert_eq!(book.leaf_nodes.first().map(|leaf| leaf.status), Some(Revoked));
    }

    #[test]
    fn a_chain_that_was_away_finds_its_sessions_again() {
        let mut book =
            book(&[("x", Revoked, 0), ("a", Active, 1), ("y", Revoked, 2), ("b", Active, 3), ("c", Active, 4)]);
        let ours = book.root();
        assert_eq!(book.reconcile(B256::ZERO), settled(&[], &["a", "b", "c"]));
        assert_eq!(book.reconcile(ours), settled(&["a", "b", "c"], &[]));
        assert!(book.leaf_nodes.iter().all(|leaf| leaf.extra.is_empty()), "no traces");
        // Only some of them left.
        let some = root(&book, &["a"]);
        assert_eq!(book.reconcile(some), settled(&[], &["b", "c"]));
        assert_eq!(book.reconcile(ours), settled(&["b", "c"], &[]));
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
