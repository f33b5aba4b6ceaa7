//! The two session key managers that an account may have enabled: the one that grants go to, and the one before it.
//!
//! Each holds a root of its own. Leaves of the older one are kept in the same book, marked, and are never part of the
//! tree that grants build on.

use std::collections::HashSet;

use alloy::primitives::{Address, B256};

use super::{Adoption, PublishedLeaves, Reconciliation, SessionBook, SessionLeaf};
use crate::{
    ProtocolError,
    addresses::{SESSION_KEY_MANAGER, SESSION_KEY_MANAGER_V1_0_0},
};

/// Own field of a leaf: address of the manager that holds it, where that is not the one that grants go to.
const HELD_BY: &str = "sessionKeyManager";

/// Which contract holds the root that a session is under.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SessionKeyManager {
    /// The one that sessions are granted to.
    #[default]
    Current,
    /// The one before it ("V1_0_0"). Its sessions are read, shown and ended here, never granted or used.
    Older,
}

impl SessionKeyManager {
    /// Where it is.
    pub fn address(self) -> Address {
        match self {
            Self::Current => SESSION_KEY_MANAGER,
            Self::Older => SESSION_KEY_MANAGER_V1_0_0,
        }
    }
}

impl SessionLeaf {
    /// Who holds its root.
    pub fn manager(&self) -> SessionKeyManager {
        match self.extra.contains_key(HELD_BY) {
            true => SessionKeyManager::Older,
            false => SessionKeyManager::Current,
        }
    }

    /// Is it part of the tree that grants build on?
    pub fn is_in_tree(&self) -> bool {
        self.status.in_tree() && self.manager() == SessionKeyManager::Current
    }

    /// Says who holds its root.
    pub fn set_manager(&mut self, manager: SessionKeyManager) {
        match manager {
            SessionKeyManager::Current => self.extra.remove(HELD_BY),
            SessionKeyManager::Older => self.extra.insert(HELD_BY.into(), manager.address().to_string().into()),
        };
    }
}

impl SessionBook {
    /// The leaves of one manager as a book of their own, which is about no other one.
    pub fn part_of(&self, manager: SessionKeyManager) -> Self {
        let leaves = self.leaf_nodes.iter().filter(|leaf| leaf.manager() == manager);
        let mut part = Self { leaf_nodes: leaves.cloned().collect(), ..Self::default() };
        part.leaf_nodes.iter_mut().for_each(|leaf| leaf.set_manager(SessionKeyManager::Current));
        part
    }

    /// Settles the older manager's leaves with the root that it holds; zero where it is not enabled. Leaves that were
    /// not known to be its own are found by that root: the JavaScript SDK stores them like any others. `current_root` is
    /// the root of the current manager on chain.
    pub fn reconcile_older(&mut self, older_root: B256, current_root: B256) -> Reconciliation {
        let known = self.within(SessionKeyManager::Older, |part| part.settle(older_root));
        if !matches!(known, Reconciliation::Unknown { .. }) {
            return known;
        }
        let all = self.part_of(SessionKeyManager::Current);
        // What makes the current root stays there; the older manager may have been given the same leaves.
        let is_current = all.root() == current_root && !current_root.is_zero();
        let mut others = all.clone();
        others.leaf_nodes.retain(|leaf| !leaf.status.in_tree());
        let candidates = [(others, false), (all, is_current)];
        let found = candidates.into_iter().find_map(|(mut part, is_current)| {
            let is_known = !matches!(part.settle(older_root), Reconciliation::Unknown { .. });
            is_known.then_some((part, is_current))
        });
        let Some((found, is_current)) = found else { return known };
        let members = found.leaf_nodes.into_iter().filter(|leaf| leaf.status.in_tree());
        if is_current {
            for mut leaf in members {
                leaf.session_id.push_str("-older");
                leaf.set_manager(SessionKeyManager::Older);
                self.leaf_nodes.push(leaf);
            }
        } else {
            let ids = members.map(|leaf| leaf.session_id).collect::<HashSet<_>>();
            for leaf in self.leaf_nodes.iter_mut().filter(|leaf| ids.contains(&leaf.session_id)) {
                leaf.set_manager(SessionKeyManager::Older);
            }
        }
        match self.within(SessionKeyManager::Older, |part| part.settle(older_root)) {
            Reconciliation::InSync => Reconciliation::Settled { activated: Vec::new(), revoked: Vec::new() },
            settled => settled,
        }
    }

    /// Takes over the set behind the older manager's root, as [`SessionBook::adopt`] does for the current one.
    ///
    /// # Errors
    /// Those of [`SessionBook::adopt`].
    pub fn adopt_older(&mut self, set: &PublishedLeaves) -> Result<Adoption, ProtocolError> {
        set.check()?;
        let known = self.leaf_nodes.iter().map(|leaf| leaf.session_id.clone()).collect::<HashSet<_>>();
        let mut adoption = self.within(SessionKeyManager::Older, |part| part.take_over(set))?;
        // Adopted sessions are named by their leaf, which the current manager may hold as well.
        for leaf in self.leaf_nodes.iter_mut().filter(|leaf| leaf.manager() == SessionKeyManager::Older) {
            if adoption.added.contains(&leaf.session_id) && known.contains(&leaf.session_id) {
                leaf.session_id.push_str("-older");
            }
        }
        adoption.added =
            adoption.added.into_iter().map(|id| if known.contains(&id) { id + "-older" } else { id }).collect();
        Ok(adoption)
    }

    /// Changes the leaves of one manager as if there were no others; those follow behind them.
    pub(in crate::session) fn within<T>(
        &mut self,
        manager: SessionKeyManager,
        change: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let is_older = manager == SessionKeyManager::Older;
        if !is_older && self.leaf_nodes.iter().all(|leaf| leaf.manager() == manager) {
            return change(self);
        }
        let (mine, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.leaf_nodes).into_iter().partition(|leaf| leaf.manager() == manager);
        let (root, others_first) = (self.merkle_root.clone(), is_older);
        self.leaf_nodes = mine;
        self.leaf_nodes.iter_mut().for_each(|leaf| leaf.set_manager(SessionKeyManager::Current));
        let outcome = change(self);
        self.leaf_nodes.iter_mut().for_each(|leaf| leaf.set_manager(manager));
        if others_first {
            let mine = std::mem::replace(&mut self.leaf_nodes, others);
            self.leaf_nodes.extend(mine);
            // The stored root is that of the current manager's tree.
            self.merkle_root = root;
        } else {
            self.leaf_nodes.extend(others);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::session::{SessionStatus, test_books::book};
    use SessionKeyManager::Older;
    use SessionStatus::{Active, Pending, Revoked};

    fn seen(book: &SessionBook) -> Vec<(&str, SessionStatus, SessionKeyManager)> {
        book.leaf_nodes.iter().map(|leaf| (leaf.session_id.as_str(), leaf.status, leaf.manager())).collect()
    }

    #[test]
    fn what_the_sdk_stored_of_the_older_manager_is_found_by_its_root_and_enters_no_other_tree() {
        let older_root = book(&[("a", Active), ("b", Active)]).root();
        // The SDK leaves them pending.
        let mut stored = book(&[("a", Pending), ("b", Pending)]);
        assert!(matches!(
            stored.reconcile_older(older_root, B256::ZERO),
            Reconciliation::Settled { .. } | Reconciliation::InSync
        ));
        assert_eq!(seen(&stored), [("a", Active, Older), ("b", Active, Older)]);
        assert_eq!((stored.root(), stored.part_of(Older).root()), (B256::ZERO, older_root));
        assert!(matches!(stored.reconcile(B256::ZERO), Reconciliation::InSync), "the current manager has none");
        let proof = stored.proof("b").unwrap();
        assert!(crate::merkle::verify(older_root, stored.leaf_nodes[1].hash(), &proof));

        // The same beside sessions of the current manager, which stay what they are.
        let mut mixed = book(&[("new", Active), ("a", Pending), ("b", Pending)]);
        let (new_root, before) = (mixed.root(), mixed.leaf_nodes[0].clone());
        assert!(matches!(mixed.reconcile_older(older_root, new_root), Reconciliation::Settled { .. }));
        assert_eq!((mixed.root(), mixed.part_of(Older).root(), &mixed.leaf_nodes[0]), (new_root, older_root, &before));
        // Both managers have the same leaves.
        let mut both = book(&[("a", Active), ("b", Active)]);
        assert!(matches!(both.reconcile_older(older_root, older_root), Reconciliation::Settled { .. }));
        assert_eq!((both.root(), both.part_of(Older).root(), both.leaf_nodes.len()), (older_root, older_root, 4));

        // A grant goes to the current manager, and the end of the older ones is noticed.
        stored.leaf_nodes.extend(book(&[("new", Active)]).leaf_nodes);
        assert_eq!(stored.root(), book(&[("new", Active)]).root());
        let current_root = stored.root();
        assert!(matches!(stored.reconcile_older(B256::ZERO, current_root), Reconciliation::Settled { .. }));
        let statuses = stored.leaf_nodes.iter().map(|leaf| leaf.status).collect::<Vec<_>>();
        assert_eq!((statuses, stored.root()), (vec![Active, Revoked, Revoked], current_root));
    }
}
