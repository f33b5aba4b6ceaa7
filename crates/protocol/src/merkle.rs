//! The Merkle tree over session leaves (docs/protocol.md 3.7).
//!
//! Leaves in insertion order, neither sorted nor hashed again; pairs sorted by bytes; a last node
//! without partner moves up unchanged.

mod growing;

use alloy::primitives::{B256, keccak256};

pub use growing::GrowingTree;

/// Parent of two nodes: keccak of the smaller followed by the larger.
pub fn parent(a: B256, b: B256) -> B256 {
    #[cfg(test)]
    PARENTS.set(PARENTS.get() + 1);
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    let mut pair = [0u8; 64];
    pair[..32].copy_from_slice(low.as_slice());
    pair[32..].copy_from_slice(high.as_slice());
    keccak256(pair)
}

#[cfg(test)]
thread_local! {
    static PARENTS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How many nodes `work` hashes on this thread.
#[cfg(test)]
pub(crate) fn parents_of(work: impl FnOnce()) -> usize {
    let before = PARENTS.get();
    work();
    PARENTS.get() - before
}

/// Folds a proof over a leaf as OpenZeppelin's `MerkleProof.verify` does.
pub fn verify(root: B256, leaf: B256, proof: &[B256]) -> bool {
    proof.iter().fold(leaf, |node, sibling| parent(node, *sibling)) == root
}

/// All layers of a tree, leaves first, so that any proof is a mere look-up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MerkleTree {
    layers: Vec<Vec<B256>>,
}

impl MerkleTree {
    /// Builds the tree over `leaves`, in this order.
    pub fn new(leaves: Vec<B256>) -> Self {
        if leaves.is_empty() {
            return Self::default();
        }
        let mut layers = Vec::with_capacity(usize::BITS as usize - leaves.len().leading_zeros() as usize + 1);
        let mut current = leaves;
        while current.len() > 1 {
            let next = current
                .chunks(2)
                .filter_map(|pair| match pair {
                    [left, right] => Some(parent(*left, *right)),
                    [single] => Some(*single),
                    _ => None,
                })
                .collect();
            layers.push(std::mem::replace(&mut current, next));
        }
        layers.push(current);
        Self { layers }
    }

    /// The root, or `None` for a tree without leaves (the chain then holds the zero root).
    pub fn root(&self) -> Option<B256> {
        self.layers.last()?.first().copied()
    }

    /// Number of leaves.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, Vec::len)
    }

    /// True when there is no leaf.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// All layers, leaves first, root last.
    pub fn layers(&self) -> &[Vec<B256>] {
        &self.layers
    }

    /// Position of a leaf; the last one when it is there more than once. `None` when it is absent
    /// (`@biconomy/use-aa` answers with an empty proof, which fails on chain only).
    pub fn position(&self, leaf: B256) -> Option<usize> {
        self.layers.first()?.iter().rposition(|candidate| *candidate == leaf)
    }

    /// Sibling hashes from the leaf at `index` up to the root; `None` when there is no such leaf.
    pub fn proof(&self, index: usize) -> Option<Vec<B256>> {
        if index >= self.len() {
            return None;
        }
        let siblings = self.layers.iter().enumerate().filter_map(|(height, layer)| layer.get((index >> height) ^ 1));
        Some(siblings.copied().collect())
    }
}

/// The root of a growing list of leaves, in logarithmic space: one hash per leaf on average.
/// Gives the same root as [`MerkleTree`] at any time.
#[derive(Clone, Debug, Default)]
pub struct MerkleFrontier {
    /// Roots of perfect subtrees with their heights, largest first.
    peaks: Vec<(u32, B256)>,
}

impl MerkleFrontier {
    /// Adds a leaf at the end.
    pub fn push(&mut self, leaf: B256) {
        let mut peak = (0, leaf);
        while let Some(&(height, left)) = self.peaks.last() {
            if height != peak.0 {
                break;
            }
            self.peaks.pop();
            peak = (height + 1, parent(left, peak.1));
        }
        self.peaks.push(peak);
    }

    /// The root over all leaves so far, or `None` when there is none.
    pub fn root(&self) -> Option<B256> {
        let mut peaks = self.peaks.iter().rev().map(|(_, hash)| *hash);
        let last = peaks.next()?;
        Some(peaks.fold(last, |right, left| parent(left, right)))
    }
}

impl FromIterator<B256> for MerkleFrontier {
    fn from_iter<I: IntoIterator<Item = B256>>(leaves: I) -> Self {
        let mut frontier = Self::default();
        leaves.into_iter().for_each(|leaf| frontier.push(leaf));
        frontier
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: u8) -> Vec<B256> {
        (0..count).map(|n| keccak256([n])).collect()
    }

    /// docs/protocol.md 3.7: a last node without partner moves up unchanged.
    #[test]
    fn an_odd_node_moves_up_unchanged() {
        let [a, b, c] = [0u8, 1, 2].map(|n| keccak256([n]));
        let tree = MerkleTree::new(vec![a, b, c]);
        assert_eq!(tree.root(), Some(parent(parent(a, b), c)));
        assert_eq!(tree.proof(2), Some(vec![parent(a, b)]));
        assert_eq!(tree.proof(0), Some(vec![b, c]));
        assert_eq!(tree.proof(3), None);
    }

    #[test]
    fn one_leaf_is_its_own_root_and_none_has_no_root() {
        let leaf = keccak256([7]);
        assert_eq!(MerkleTree::new(vec![leaf]).root(), Some(leaf));
        assert!(verify(leaf, leaf, &[]));
        assert_eq!(MerkleTree::new(vec![]).root(), None);
        assert_eq!(MerkleFrontier::default().root(), None);
        assert!(MerkleTree::default().is_empty());
    }

    #[test]
    fn the_frontier_agrees_with_the_tree() {
        let mut frontier = MerkleFrontier::default();
        for count in 1..=66 {
            frontier.push(keccak256([count - 1]));
            assert_eq!(frontier.root(), MerkleTree::new(leaves(count)).root(), "{count}");
        }
    }
}
