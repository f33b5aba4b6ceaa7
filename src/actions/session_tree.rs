//! The tree of confirmed sessions, compared with the chain.

use alloy::primitives::B256;

use crate::{
    error::AppError,
    protocol::{
        merkle::{MerkleFrontier, MerkleTree},
        session::{Reconciliation, SessionBook, SessionLeaf},
    },
};

/// Sets the statuses in the book so that its tree has the root on chain; true when one changed.
///
/// # Errors
/// `SessionsOutOfSync` when no set of stored leaves makes that root; the book is then as before.
pub fn reconcile(book: &mut SessionBook, chain_root: B256) -> Result<bool, AppError> {
    match book.reconcile(chain_root) {
        Reconciliation::InSync => Ok(false),
        Reconciliation::Settled { .. } => Ok(true),
        Reconciliation::Unknown { local, chain } => Err(AppError::SessionsOutOfSync { local, chain }),
    }
}

/// The tree of a book in step with the chain, for proofs. The second value is true when statuses had
/// to be set for that.
///
/// # Errors
/// As [`reconcile`].
pub fn tree_in_sync(book: &mut SessionBook, chain_root: B256) -> Result<(MerkleTree, bool), AppError> {
    let tree = book.tree();
    if tree.root().unwrap_or_default() == chain_root {
        return Ok((tree, false));
    }
    let changed = reconcile(book, chain_root)?;
    Ok((book.tree(), changed))
}

/// The confirmed leaves that a grant builds on; knows its root, but no proofs.
#[derive(Clone, Debug)]
pub struct SessionTree {
    root: B256,
    session_ids: Vec<String>,
    frontier: MerkleFrontier,
}

impl SessionTree {
    /// The tree of no session.
    pub fn empty() -> Self {
        Self::over(&SessionBook::default())
    }

    /// Compares the book with the chain; statuses in `book` are reconciled when that settles a difference.
    ///
    /// # Errors
    /// As [`reconcile`].
    pub fn in_sync(book: &mut SessionBook, chain_root: B256) -> Result<Self, AppError> {
        let tree = Self::over(book);
        if tree.root == chain_root {
            return Ok(tree);
        }
        reconcile(book, chain_root)?;
        Ok(Self::over(book))
    }

    fn over(book: &SessionBook) -> Self {
        let frontier: MerkleFrontier = leaves(book).map(SessionLeaf::hash).collect();
        Self {
            root: frontier.root().unwrap_or_default(),
            session_ids: leaves(book).map(|leaf| leaf.session_id.clone()).collect(),
            frontier,
        }
    }

    /// The root on chain that this tree makes; zero without leaves.
    pub fn root(&self) -> B256 {
        self.root
    }

    /// How many leaves it has.
    pub fn len(&self) -> usize {
        self.session_ids.len()
    }

    /// True without leaves.
    pub fn is_empty(&self) -> bool {
        self.session_ids.is_empty()
    }

    /// The root once `new` leaves are added at the end. Hashes the new leaves only.
    pub fn root_with(&self, new: &[SessionLeaf]) -> B256 {
        let mut frontier = self.frontier.clone();
        new.iter().for_each(|leaf| frontier.push(leaf.hash()));
        frontier.root().unwrap_or_default()
    }

    /// Still the tree of `book`? Compares ids and hashes nothing.
    pub fn is_tree_of(&self, book: &SessionBook) -> bool {
        leaves(book).map(|leaf| &leaf.session_id).eq(&self.session_ids)
    }
}

fn leaves(book: &SessionBook) -> impl Iterator<Item = &SessionLeaf> {
    book.leaf_nodes.iter().filter(|leaf| leaf.status.in_tree())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::protocol::session::SessionStatus;

    fn leaf(id: u8, status: SessionStatus) -> SessionLeaf {
        let data = vec![id; 70].into();
        SessionLeaf { session_id: id.to_string(), session_key_data: data, status, ..Default::default() }
    }

    #[test]
    fn an_unconfirmed_leaf_enters_no_root() {
        let confirmed = [leaf(1, SessionStatus::Active), leaf(2, SessionStatus::Active)];
        let book = SessionBook { leaf_nodes: confirmed.to_vec(), ..Default::default() };
        let chain_root = book.root();
        let mut with_pending = book.clone();
        with_pending.leaf_nodes.insert(1, leaf(9, SessionStatus::Pending));

        let tree = SessionTree::in_sync(&mut with_pending, chain_root).unwrap();
        let new = [leaf(3, SessionStatus::Pending)];
        assert_eq!(tree.root_with(&new), book.root_with(&new));
        assert!(tree.is_tree_of(&book) && tree.is_tree_of(&with_pending));
        assert_eq!(tree.len(), 2);
    }

    #[test]
    fn a_root_of_other_leaves_is_out_of_sync_and_changes_nothing() {
        let mut book = SessionBook { leaf_nodes: vec![leaf(1, SessionStatus::Active)], ..Default::default() };
        let (before, local) = (book.clone(), book.root());
        let chain = B256::repeat_byte(7);
        let error = SessionTree::in_sync(&mut book, chain).unwrap_err();
        assert_eq!(error, AppError::SessionsOutOfSync { local, chain });
        assert_eq!(book, before);
    }

    #[test]
    fn a_leaf_confirmed_behind_our_back_becomes_active() {
        let granted = SessionBook { leaf_nodes: vec![leaf(1, SessionStatus::Active)], ..Default::default() };
        let mut book = SessionBook { leaf_nodes: vec![leaf(1, SessionStatus::Pending)], ..Default::default() };
        let (tree, changed) = tree_in_sync(&mut book, granted.root()).unwrap();
        assert!(changed);
        assert_eq!(tree.root(), Some(granted.root()));
        assert_eq!(book.leaf_nodes[0].status, SessionStatus::Active);
    }
}
