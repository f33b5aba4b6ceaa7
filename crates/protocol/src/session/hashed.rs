//! Hashes of a long book are kept: one grant compares it with the chain several times, and each time it differs at most in
//! its last leaves. To compare a leaf costs a fraction of hashing it, with its share of the tree.

use std::cell::RefCell;

use alloy::primitives::{Address, Bytes};

use super::SessionLeaf;
use crate::merkle::GrowingTree;

/// A shorter book is hashed at once: nobody notices.
const WORTH_KEEPING: usize = 256;

/// So many long books are kept: those of accounts that take turns, and of a change before and after it.
const MOST_KEPT: usize = 4;

thread_local! {
    /// The one that was asked for last is the last.
    static KEPT: RefCell<Vec<Hashed>> = const { RefCell::new(Vec::new()) };
}

/// The leaves of a book, and the tree over them.
#[derive(Default)]
struct Hashed {
    leaves: Vec<Preimage>,
    tree: GrowingTree,
}

/// All that enters a leaf's hash.
struct Preimage {
    window: (u64, u64),
    session_validation_module: Address,
    session_key_data: Bytes,
}

impl Preimage {
    fn of(leaf: &SessionLeaf) -> Self {
        Self {
            window: (leaf.valid_until, leaf.valid_after),
            session_validation_module: leaf.session_validation_module,
            session_key_data: leaf.session_key_data.clone(),
        }
    }

    fn is_of(&self, leaf: &SessionLeaf) -> bool {
        self.window == (leaf.valid_until, leaf.valid_after)
            && self.session_validation_module == leaf.session_validation_module
            && self.session_key_data == leaf.session_key_data
    }
}

impl Hashed {
    /// Becomes the tree of these leaves, as far as `most` leaves that are hashed now bring it. Gives how many those are.
    fn follow(&mut self, leaves: &[&SessionLeaf], most: usize) -> usize {
        let same = self.leaves.iter().zip(leaves).take_while(|(kept, leaf)| kept.is_of(leaf)).count();
        self.leaves.truncate(same);
        self.tree.truncate(same);
        let new = leaves.iter().skip(same).take(most);
        for leaf in new.clone() {
            self.tree.push(leaf.hash());
            self.leaves.push(Preimage::of(leaf));
        }
        new.len()
    }
}

/// What `read` finds in the tree of these leaves.
pub(super) fn read<T>(leaves: &[&SessionLeaf], read: impl FnOnce(&GrowingTree) -> T) -> T {
    if leaves.len() < WORTH_KEEPING {
        let mut few = Hashed::default();
        few.follow(leaves, usize::MAX);
        return read(&few.tree);
    }
    with_kept(leaves, |kept| {
        kept.follow(leaves, usize::MAX);
        read(&kept.tree)
    })
}

/// What is kept of the book with these leaves.
fn with_kept<T>(leaves: &[&SessionLeaf], work: impl FnOnce(&mut Hashed) -> T) -> T {
    KEPT.with_borrow_mut(|kept| {
        // Known by its first leaf: the last ones change.
        let is_of =
            |book: &Hashed| book.leaves.first().zip(leaves.first()).is_some_and(|(kept, leaf)| kept.is_of(leaf));
        let known = kept.iter().position(is_of);
        if known.is_none() && kept.len() == MOST_KEPT {
            kept.remove(0);
        }
        let mut book = known.map(|place| kept.remove(place)).unwrap_or_default();
        let found = work(&mut book);
        kept.push(book);
        found
    })
}

/// Hashes up to `most` of the leaves; true when the next look at their tree finds all of them hashed.
pub(super) fn hash_some(leaves: &[&SessionLeaf], most: usize) -> bool {
    leaves.len() < WORTH_KEEPING || with_kept(leaves, |kept| kept.follow(leaves, most)) < most
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::B256;

    use super::*;
    use crate::{
        merkle::MerkleTree,
        session::{SessionBook, SessionStatus},
    };

    fn book(count: u32) -> SessionBook {
        let leaf = |number: u32| SessionLeaf {
            session_id: number.to_string(),
            session_key_data: number.to_be_bytes().to_vec().into(),
            status: SessionStatus::Active,
            ..SessionLeaf::default()
        };
        SessionBook { leaf_nodes: (0..count).map(leaf).collect(), ..SessionBook::default() }
    }

    fn plain(book: &SessionBook) -> MerkleTree {
        MerkleTree::new(book.tree_leaves().into_iter().map(SessionLeaf::hash).collect::<Vec<B256>>())
    }

    /// Whatever was hashed before: the tree is that of the book as it is now.
    #[test]
    fn no_change_of_a_long_book_is_missed() {
        let mut book = book(600);
        let changes: [fn(&mut SessionBook); 9] = [
            |_| {},
            |book| book.leaf_nodes.push(SessionLeaf { status: SessionStatus::Active, ..SessionLeaf::default() }),
            |book| book.leaf_nodes[10].status = SessionStatus::Revoked,
            |book| book.leaf_nodes[10].status = SessionStatus::Active,
            |book| book.leaf_nodes[599].valid_until = 7,
            |book| book.leaf_nodes[599].valid_after = 7,
            |book| book.leaf_nodes[300].session_validation_module = Address::repeat_byte(1),
            |book| book.leaf_nodes[0].session_key_data = vec![1; 4].into(),
            |book| book.leaf_nodes.truncate(300),
        ];
        for change in changes {
            change(&mut book);
            let expected = plain(&book);
            assert_eq!((book.tree(), book.root()), (expected.clone(), expected.root().unwrap()));
            let mut frontier = book.frontier();
            frontier.push(B256::repeat_byte(1));
            let mut more = expected.layers()[0].clone();
            more.push(B256::repeat_byte(1));
            assert_eq!(frontier.root(), MerkleTree::new(more).root());
        }
        let short = SessionBook { leaf_nodes: book.leaf_nodes[..5].to_vec(), ..SessionBook::default() };
        assert_eq!(short.tree(), plain(&short));
    }

    #[test]
    fn one_more_leaf_costs_one_hash_and_a_long_book_is_hashed_in_steps() {
        let long = book(1_000);
        let leaves = long.tree_leaves();
        let mut kept = Hashed::default();
        assert_eq!(kept.follow(&leaves[..999], usize::MAX), 999);
        assert_eq!(kept.follow(&leaves, usize::MAX), 1);
        assert_eq!(kept.follow(&leaves, usize::MAX), 0);
        assert_eq!(kept.tree.tree(), plain(&long));
        let steps = (1..).take_while(|_| !hash_some(&leaves, 100)).count();
        assert_eq!(steps, 10, "one hundred each");
        assert_eq!(long.tree(), plain(&long));
    }
    /// Two users of the page take turns, each in steps: neither undoes what is hashed of the other's.
    #[test]
    fn two_long_books_are_hashed_by_turns() {
        let (one, mut other) = (book(1_000), book(1_000));
        other.leaf_nodes[0].session_key_data = vec![7; 9].into();
        let (one, other) = (one.tree_leaves(), other.tree_leaves());
        let turns = (1..=20).find(|_| hash_some(&one, 100) & hash_some(&other, 100));
        assert_eq!(turns, Some(11), "ten steps each, and one that finds all done");
        assert!(KEPT.with_borrow(|kept| kept.iter().all(|book| book.leaves.len() == 1_000)));
        for number in 0..10 {
            let mut book = book(300);
            book.leaf_nodes[0].valid_until = number;
            assert_eq!(book.tree(), plain(&book));
            assert!(KEPT.with_borrow(Vec::len) <= MOST_KEPT);
        }
    }
}
