//! The book of an account's sessions: look-ups, the tree on chain, proofs (docs/protocol.md 3.7, 3.16).

use alloy::primitives::{Address, B256};
use serde_json::{Map, Value};

use super::{SessionKeyManager, SessionLeaf, SessionStatus, hashed};
use crate::{
    ProtocolError,
    merkle::{GrowingTree, MerkleFrontier, MerkleTree},
};

/// All sessions of one account, in insertion order: this order is the tree.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionBook {
    /// Root as last written, hex; empty when none. The chain's root decides, not this one.
    pub merkle_root: String,
    /// The leaves, oldest first.
    pub leaf_nodes: Vec<SessionLeaf>,
    /// Fields that we do not know, kept as they were.
    pub extra: Map<String, Value>,
}

/// By what a session is looked up: its id, or key address and validation module (first match).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionSearch {
    /// Id of the session.
    pub session_id: Option<String>,
    /// Address of its key.
    pub session_key_address: Option<Address>,
    /// Its validation module.
    pub session_validation_module: Option<Address>,
    /// Only with this status.
    pub status: Option<SessionStatus>,
}

impl SessionBook {
    /// The leaves that make the root on chain, in tree order: all but pending and revoked ones.
    /// Expired ones stay in the tree until a later root leaves them out.
    pub fn tree_leaves(&self) -> Vec<&SessionLeaf> {
        self.leaf_nodes.iter().filter(|leaf| leaf.is_in_tree()).collect()
    }

    /// The tree of [`Self::tree_leaves`].
    pub fn tree(&self) -> MerkleTree {
        hashed::read(&self.tree_leaves(), GrowingTree::tree)
    }

    /// The frontier of [`Self::tree_leaves`]: their root, and that of any leaves behind them.
    pub fn frontier(&self) -> MerkleFrontier {
        hashed::read(&self.tree_leaves(), GrowingTree::frontier)
    }

    /// Hashes up to `most` leaves of a long book ahead; true when all are hashed. [`Self::root`], [`Self::tree`] and
    /// [`Self::frontier`] of it then take no time that a person notices. For pages, which must not stand still.
    pub fn hash_some(&self, most: usize) -> bool {
        hashed::hash_some(&self.tree_leaves(), most)
    }

    /// Root of [`Self::tree_leaves`]; zero when there are none, as the chain has it.
    pub fn root(&self) -> B256 {
        self.root_with(&[])
    }

    /// The root after adding `new` leaves behind the tree's: what a grant sends to the chain.
    /// Pending leaves of the book do not enter it.
    pub fn root_with(&self, new: &[SessionLeaf]) -> B256 {
        let mut frontier = self.frontier();
        new.iter().for_each(|leaf| frontier.push(leaf.hash()));
        frontier.root().unwrap_or_default()
    }

    /// Proof for a session in the tree of [`Self::tree_leaves`], or of the older manager; an error when it is not in it
    /// (`@biconomy/use-aa` answers with an empty proof, which fails on chain only).
    pub fn proof(&self, session_id: &str) -> Result<Vec<B256>, ProtocolError> {
        let not_found = || ProtocolError::SessionNotFound { wanted: session_id.to_owned() };
        if self.find(session_id).is_some_and(|leaf| leaf.manager() == SessionKeyManager::Older) {
            return self.part_of(SessionKeyManager::Older).proof(session_id);
        }
        let position =
            self.tree_leaves().iter().position(|leaf| leaf.session_id == session_id).ok_or_else(not_found)?;
        self.tree().proof(position).ok_or_else(not_found)
    }

    /// The session with this id.
    pub fn find(&self, session_id: &str) -> Option<&SessionLeaf> {
        self.leaf_nodes.iter().find(|leaf| leaf.session_id == session_id)
    }

    /// The session with this id, to change it.
    pub fn find_mut(&mut self, session_id: &str) -> Option<&mut SessionLeaf> {
        self.leaf_nodes.iter_mut().find(|leaf| leaf.session_id == session_id)
    }

    /// `@biconomy/use-aa`'s look-up; errors for an empty search and for no match.
    pub fn search(&self, search: &SessionSearch) -> Result<&SessionLeaf, ProtocolError> {
        let by_id = search.session_id.as_deref();
        let by_key = search.session_key_address.zip(search.session_validation_module);
        if by_id.is_none() && by_key.is_none() {
            let expected = "a session id, or a session key address with a validation module";
            return Err(ProtocolError::invalid("search", expected, "neither"));
        }
        let matches = |leaf: &&SessionLeaf| {
            let named = match (by_id, by_key) {
                (Some(id), _) => leaf.session_id == id,
                (None, Some((key, module))) => {
                    leaf.session_key_address == key && leaf.session_validation_module == module
                }
                (None, None) => false,
            };
            named && search.status.is_none_or(|status| status == leaf.status)
        };
        self.leaf_nodes.iter().find(matches).ok_or_else(|| {
            let wanted =
                by_id.map(str::to_owned).or(by_key.map(|(key, module)| format!("key {key} with module {module}")));
            ProtocolError::SessionNotFound { wanted: wanted.unwrap_or_default() }
        })
    }

    /// Writes the root of [`Self::tree_leaves`] into `merkle_root`, as `@biconomy/use-aa` stores it.
    pub fn store_root(&mut self) {
        let root = self.root();
        self.merkle_root = if root.is_zero() { String::new() } else { root.to_string() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(id: &str, status: SessionStatus) -> SessionLeaf {
        let session_key_data = id.as_bytes().to_vec().into();
        SessionLeaf { session_id: id.into(), status, session_key_data, ..SessionLeaf::default() }
    }

    #[test]
    fn pending_and_revoked_leaves_never_enter_a_root() {
        let book = SessionBook {
            leaf_nodes: vec![
                leaf("live", SessionStatus::Active),
                leaf("waiting", SessionStatus::Pending),
                leaf("gone", SessionStatus::Revoked),
                leaf("over", SessionStatus::Expired),
            ],
            ..SessionBook::default()
        };
        let ids: Vec<_> = book.tree_leaves().iter().map(|leaf| leaf.session_id.as_str()).collect();
        assert_eq!(ids, ["live", "over"]);
        assert_eq!(Some(book.root()), book.tree().root());
        let new = leaf("new", SessionStatus::Pending);
        let expected = MerkleTree::new([&book.leaf_nodes[0], &book.leaf_nodes[3], &new].map(SessionLeaf::hash).into());
        assert_eq!(Some(book.root_with(&[new])), expected.root());
        assert!(book.proof("waiting").is_err());
    }
}
