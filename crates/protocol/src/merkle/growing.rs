//! [`GrowingTree`]: a list of leaves that grows at its end, and the nodes over it that stay.

use alloy::primitives::B256;

use super::{MerkleFrontier, MerkleTree, parent};

/// All nodes over a list of leaves that no further leaf changes: one hash for each leaf on average, and few for the tree.
#[derive(Clone, Debug, Default)]
pub struct GrowingTree {
    /// By height, leaves first: roots of perfect subtrees, from the left.
    layers: Vec<Vec<B256>>,
}

impl GrowingTree {
    /// Adds a leaf at the end.
    pub fn push(&mut self, leaf: B256) {
        let mut node = leaf;
        for height in 0.. {
            if height == self.layers.len() {
                self.layers.push(Vec::new());
            }
            let Some(layer) = self.layers.get_mut(height) else { return };
            layer.push(node);
            match layer[..] {
                [.., left, right] if layer.len() % 2 == 0 => node = parent(left, right),
                _ => return,
            }
        }
    }

    /// Takes away all leaves but the first `count`.
    pub fn truncate(&mut self, count: usize) {
        for (height, layer) in self.layers.iter_mut().enumerate() {
            layer.truncate(count >> height);
        }
        self.layers.retain(|layer| !layer.is_empty());
    }

    /// The tree over all leaves.
    pub fn tree(&self) -> MerkleTree {
        let mut layers: Vec<Vec<B256>> = Vec::with_capacity(self.layers.len() + 1);
        // The last node of a layer, where it is over fewer leaves than the others.
        let mut edge = None;
        for height in 0.. {
            let complete = self.layers.get(height).map_or(&[][..], Vec::as_slice);
            let layer: Vec<B256> = complete.iter().copied().chain(edge).collect();
            edge = match layer[complete.len() / 2 * 2..] {
                [left, right] => Some(parent(left, right)),
                [single] => Some(single),
                _ => None,
            };
            let is_last = layer.len() <= 1;
            if !layer.is_empty() {
                layers.push(layer);
            }
            if is_last {
                break;
            }
        }
        MerkleTree { layers }
    }

    /// The frontier over all leaves.
    pub fn frontier(&self) -> MerkleFrontier {
        let odd = self.layers.iter().enumerate().rev().filter(|(_, layer)| layer.len() % 2 == 1);
        let peak = |(height, layer): (usize, &Vec<B256>)| Some((u32::try_from(height).ok()?, *layer.last()?));
        MerkleFrontier { peaks: odd.filter_map(peak).collect() }
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::keccak256;

    use super::*;

    #[test]
    fn it_is_the_tree_of_its_leaves_however_it_came_about() {
        let leaves: Vec<B256> = (0..70_u8).map(|number| keccak256([number])).collect();
        let mut growing = GrowingTree::default();
        assert_eq!((growing.tree(), growing.frontier().root()), (MerkleTree::default(), None));
        let check = |growing: &GrowingTree, leaves: &[B256]| {
            let expected = MerkleTree::new(leaves.to_vec());
            assert_eq!(growing.tree(), expected, "{} leaves", leaves.len());
            assert_eq!(growing.frontier().root(), expected.root());
            let (mut frontier, next) = (growing.frontier(), keccak256(b"next"));
            frontier.push(next);
            assert_eq!(frontier.root(), MerkleTree::new([leaves, &[next]].concat()).root());
        };
        for count in 0..leaves.len() {
            growing.push(leaves[count]);
            check(&growing, &leaves[..=count]);
        }
        for count in [70, 69, 64, 33, 32, 31, 8, 7, 1] {
            growing.truncate(count);
            check(&growing, &leaves[..count]);
            let mut again = growing.clone();
            leaves[count..].iter().for_each(|leaf| again.push(*leaf));
            check(&again, &leaves);
        }
        growing.truncate(0);
        assert!(growing.tree().is_empty());
    }
}
