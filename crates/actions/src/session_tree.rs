//! The tree of confirmed sessions, compared with the chain.

use std::collections::HashSet;

use alloy::primitives::{Address, B256};

use super::ports::SessionStore;
use crate::error::AppError;
use use_aa_protocol::{
    merkle::{MerkleFrontier, MerkleTree},
    session::{Reconciliation, SessionBook, SessionKeyManager, SessionLeaf},
};

/// Sets the statuses in the book so that its tree has the root on chain; `Some` when one changed.
///
/// # Errors
/// `SessionsOutOfSync` when no set of stored leaves makes that root; the book is then as before.
pub fn reconcile(book: &mut SessionBook, chain_root: B256) -> Result<Option<StaleStatuses>, AppError> {
    let stored_ids = ids(book);
    match book.reconcile(chain_root) {
        Reconciliation::InSync => Ok(None),
        Reconciliation::Settled { .. } => Ok(Some(StaleStatuses { stored_ids, root: chain_root })),
        Reconciliation::Unknown { local, chain } => Err(AppError::SessionsOutOfSync { local, chain }),
    }
}

/// The tree of a book in step with the chain, for proofs, and the statuses that are still to be written to the store.
///
/// # Errors
/// As [`reconcile`].
pub fn tree_in_sync(book: &mut SessionBook, chain_root: B256) -> Result<(MerkleTree, Option<StaleStatuses>), AppError> {
    let tree = book.tree();
    if tree.root().unwrap_or_default() == chain_root {
        return Ok((tree, None));
    }
    let stale = reconcile(book, chain_root)?;
    Ok((book.tree(), stale))
}

/// Statuses that are still to be written to the store: the chain is ahead of it.
#[derive(Clone, Debug)]
pub struct StaleStatuses {
    /// The leaves that are stored as confirmed.
    stored_ids: Vec<String>,
    /// The root on chain.
    root: B256,
}

impl StaleStatuses {
    /// Sets the statuses in `book`, if it is still the book that was compared with the chain. One that has moved
    /// on since (another tab's grant is confirmed) is left alone: to it this root is an old one, and its newest
    /// sessions would count as revoked.
    pub fn settle(&self, book: &mut SessionBook) -> bool {
        has_leaves(book, &self.stored_ids) && reconcile(book, self.root).is_ok()
    }

    /// Settles what is stored; gives the book as it is stored then.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn write(&self, store: &dyn SessionStore, account: Address) -> Result<SessionBook, AppError> {
        let change = |book: &mut SessionBook| {
            self.settle(book);
            Ok(())
        };
        store.update(account, Box::new(change)).await
    }
}

/// The confirmed leaves that a grant builds on; knows its root, but no proofs.
#[derive(Clone, Debug)]
pub struct SessionTree {
    root: B256,
    session_ids: Vec<String>,
    frontier: MerkleFrontier,
    /// What the store lags behind this tree.
    stale: Option<StaleStatuses>,
    /// Ids of leaves that what is built on it leaves out.
    left_out: HashSet<String>,
}

impl SessionTree {
    /// The tree of no session, to be built on instead of the stored one.
    pub fn replacing(book: &SessionBook) -> Self {
        let nothing = Self::over(&SessionBook::default());
        Self { stale: Some(StaleStatuses { stored_ids: ids(book), root: nothing.root }), ..nothing }
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
        let stale = reconcile(book, chain_root)?;
        Ok(Self { stale, ..Self::over(book) })
    }

    fn over(book: &SessionBook) -> Self {
        let frontier = book.frontier();
        let root = frontier.root().unwrap_or_default();
        Self { root, session_ids: ids(book), frontier, stale: None, left_out: HashSet::new() }
    }

    /// The same tree of `book`, with these leaves left out of what is built on it.
    pub fn leaving_out(mut self, book: &SessionBook, left_out: HashSet<String>) -> Self {
        if !left_out.is_empty() {
            let stays = |leaf: &&SessionLeaf| !left_out.contains(&leaf.session_id);
            self.frontier = leaves(book).filter(stays).map(SessionLeaf::hash).collect();
        }
        Self { left_out, ..self }
    }

    /// Ids of the leaves that what is built on it leaves out.
    pub fn left_out(&self) -> &HashSet<String> {
        &self.left_out
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

    /// The root once `new` leaves are added at the end, and those that are left out are gone. Hashes the new leaves only.
    pub fn root_with(&self, new: &[SessionLeaf]) -> B256 {
        let mut frontier = self.frontier.clone();
        new.iter().for_each(|leaf| frontier.push(leaf.hash()));
        frontier.root().unwrap_or_default()
    }

    /// Still the tree of `book`? Compares ids and hashes nothing.
    pub fn is_tree_of(&self, book: &SessionBook) -> bool {
        has_leaves(book, &self.session_ids)
    }

    /// Makes `book` one that this is the tree of, where only its statuses are stale (see [`StaleStatuses::settle`]).
    pub fn settle(&self, book: &mut SessionBook) -> bool {
        self.stale.as_ref().is_some_and(|stale| stale.settle(book)) && self.is_tree_of(book)
    }
}

/// Are the confirmed leaves of both books the same, under each manager? Compares ids and hashes nothing.
pub(super) fn has_trees_of(book: &SessionBook, seen: &SessionBook) -> bool {
    fn in_trees(book: &SessionBook) -> impl Iterator<Item = (&String, SessionKeyManager)> {
        let in_trees = book.leaf_nodes.iter().filter(|leaf| leaf.status.in_tree());
        in_trees.map(|leaf| (&leaf.session_id, leaf.manager()))
    }
    in_trees(book).eq(in_trees(seen))
}

fn ids(book: &SessionBook) -> Vec<String> {
    leaves(book).map(|leaf| leaf.session_id.clone()).collect()
}

fn has_leaves(book: &SessionBook, session_ids: &[String]) -> bool {
    leaves(book).map(|leaf| &leaf.session_id).eq(session_ids)
}

fn leaves(book: &SessionBook) -> impl Iterator<Item = &SessionLeaf> {
    book.leaf_nodes.iter().filter(|leaf| leaf.is_in_tree())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use use_aa_protocol::session::SessionStatus;

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
    fn only_the_book_that_a_tree_was_made_from_is_settled_by_it() {
        let stored = SessionBook { leaf_nodes: vec![leaf(1, SessionStatus::Pending)], ..Default::default() };
        let granted = SessionBook { leaf_nodes: vec![leaf(1, SessionStatus::Active)], ..Default::default() };
        let tree = SessionTree::in_sync(&mut stored.clone(), granted.root()).unwrap();
        let mut lagging = stored;
        assert!(tree.settle(&mut lagging));
        assert_eq!(lagging.leaf_nodes, granted.leaf_nodes);

        let mut ahead = granted;
        ahead.leaf_nodes.push(leaf(2, SessionStatus::Active));
        let before = ahead.clone();
        assert!(!tree.settle(&mut ahead));
        assert_eq!(ahead, before);
    }

    #[test]
    fn a_leaf_confirmed_behind_our_back_becomes_active() {
        let granted = SessionBook { leaf_nodes: vec![leaf(1, SessionStatus::Active)], ..Default::default() };
        let mut book = SessionBook { leaf_nodes: vec![leaf(1, SessionStatus::Pending)], ..Default::default() };
        let (tree, stale) = tree_in_sync(&mut book, granted.root()).unwrap();
        assert!(stale.is_some());
        assert_eq!(tree.root(), Some(granted.root()));
        assert_eq!(book.leaf_nodes[0].status, SessionStatus::Active);
    }
}
