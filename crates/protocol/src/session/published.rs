//! Sets of leaves that anybody may know: what the chain hashed, and nothing else.
//!
//! The chain keeps only a root, so a device that did not grant a session cannot build on it (docs/protocol.md 3.18, 10-C1, U13). A
//! published set is the list of the leaves' own bytes in tree order; whoever gets one checks it against the root on
//! chain, so nobody has to be trusted with it. Keys, names and ids stay where they are.
//!
//! The chain tells leaves from inner nodes by nothing but their bytes: a node is the hash of the 64 bytes of its children.
//! So a set with a node in place of the leaves below it makes the same root. Whatever has 64 bytes is a leaf only when
//! its module reads it; no module that is known here reads so few, and leaves of unknown ones that have exactly 64 bytes
//! cannot be published. Then two sets that make one root hold the same leaves: no set can hide any.

use std::collections::{HashMap, HashSet};

use alloy::primitives::{B256, Bytes, keccak256};
use serde::{Deserialize, Serialize};

use super::{SessionBook, SessionEvent, SessionKeyManager, SessionLeaf, SessionStatus};
use crate::{
    ProtocolError,
    addresses::{ABI_SESSION_VALIDATION_MODULE, ERC20_SESSION_VALIDATION_MODULE},
    merkle::MerkleFrontier,
    session_data::{AbiSessionData, Erc20SessionData},
    simulate::session_key_of,
    time_window::Window,
};

/// Fixed part of a leaf's bytes: two uint48 and the validation module.
const HEADER: usize = 32;
/// What an inner node of the tree is the hash of: its two children.
const INNER_NODE: usize = 64;
/// Most leaves in a set.
pub const MAX_PUBLISHED_LEAVES: usize = 10_000;
/// Most bytes of one leaf: far above any policy, below what would make a set a dump.
pub const MAX_LEAF_BYTES: usize = 4_096;

/// The leaves under one root, in tree order: each `uint48 validUntil ‖ uint48 validAfter ‖ address module ‖ data`, whose
/// Keccak-256 is the leaf.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublishedLeaves(Vec<Bytes>);

impl PublishedLeaves {
    /// Refuses what no tree of sessions looks like; says nothing about any root.
    pub fn check(&self) -> Result<(), ProtocolError> {
        let count = self.0.len();
        if count == 0 || count > MAX_PUBLISHED_LEAVES {
            let expected = format!("1 to {MAX_PUBLISHED_LEAVES} leaves");
            return Err(ProtocolError::invalid("leaves", expected, count));
        }
        for (index, leaf) in self.0.iter().enumerate() {
            let expected = match leaf.len() {
                INNER_NODE if !is_readable(leaf) => "a leaf, which an inner node of the tree is not".to_owned(),
                HEADER..=MAX_LEAF_BYTES => continue,
                _ => format!("{HEADER} to {MAX_LEAF_BYTES} bytes"),
            };
            let got = format!("{} bytes", leaf.len());
            return Err(ProtocolError::invalid(format!("leaves[{index}]"), expected, got));
        }
        Ok(())
    }

    /// The root that these leaves make; zero without leaves.
    pub fn root(&self) -> B256 {
        self.0.iter().map(keccak256).collect::<MerkleFrontier>().root().unwrap_or_default()
    }

    /// How many bytes, roughly, in memory.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|leaf| leaf.len() + size_of::<Bytes>()).sum()
    }

    /// The session at this place of the tree as anybody can know it: confirmed, named by its leaf's hash, its key somewhere
    /// else.
    pub fn session(&self, place: usize) -> Option<SessionLeaf> {
        let preimage = self.0.get(place)?;
        SessionLeaf::elsewhere(preimage, keccak256(preimage).to_string())
    }

    /// When the session at this place of the tree works; costs less than the session.
    pub fn window(&self, place: usize) -> Option<Window> {
        window_of(self.0.get(place)?)
    }

    /// How many leaves.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without leaves.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What [`SessionBook::adopt`] changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adoption {
    /// Ids of sessions that were granted elsewhere and are listed here from now on.
    pub added: Vec<String>,
    /// Ids of sessions that this browser had and that are no longer under the root: another device took them back, or
    /// granted at the same time without knowing them.
    pub ended: Vec<String>,
}

impl SessionLeaf {
    /// Can the validation module read it, as far as it is known here?
    pub fn is_readable(&self) -> bool {
        let data = &self.session_key_data;
        match self.session_validation_module {
            ABI_SESSION_VALIDATION_MODULE => AbiSessionData::decode(data).is_ok(),
            ERC20_SESSION_VALIDATION_MODULE => Erc20SessionData::decode(data).is_ok(),
            _ => false,
        }
    }

    /// A confirmed session from its bytes; its key is somewhere else.
    fn elsewhere(preimage: &[u8], session_id: String) -> Option<Self> {
        let (header, data) = preimage.split_first_chunk::<HEADER>()?;
        let Window { valid_until, valid_after } = window_of(header)?;
        let mut leaf = Self {
            valid_until,
            valid_after,
            session_validation_module: alloy::primitives::Address::from_slice(header.get(12..)?),
            session_key_data: Bytes::copy_from_slice(data),
            session_id,
            status: SessionStatus::Active,
            ..Self::default()
        };
        leaf.session_key_address = session_key_of(&leaf).unwrap_or_default();
        leaf.key_is_elsewhere();
        Some(leaf)
    }
}

fn window_of(preimage: &[u8]) -> Option<Window> {
    let time = |bytes: &[u8]| bytes.iter().fold(0, |time, byte| time << 8 | u64::from(*byte));
    Some(Window { valid_until: time(preimage.get(..6)?), valid_after: time(preimage.get(6..12)?) })
}

fn is_readable(preimage: &[u8]) -> bool {
    SessionLeaf::elsewhere(preimage, String::new()).is_some_and(|leaf| leaf.is_readable())
}

impl SessionBook {
    /// The set to publish: the leaves under the root on chain. `None` when there are none, or more than a set may have.
    pub fn published(&self) -> Option<PublishedLeaves> {
        let leaves = PublishedLeaves(self.tree_leaves().into_iter().map(SessionLeaf::preimage).collect());
        leaves.check().is_ok().then_some(leaves)
    }

    /// Takes over the set behind the root on chain: known leaves keep what is stored of them, unknown ones are added as
    /// those of another device, and confirmed ones that are not in it are revoked. Afterwards the book's tree has the
    /// set's root. Added sessions are named by their leaf's hash, the same on every device.
    ///
    /// # Errors
    /// Those of [`PublishedLeaves::check`]; the book is then as before.
    pub fn adopt(&mut self, set: &PublishedLeaves) -> Result<Adoption, ProtocolError> {
        self.within(SessionKeyManager::Current, |part| part.take_over(set))
    }

    /// [`Self::adopt`] for leaves of one manager only.
    pub(in crate::session) fn take_over(&mut self, set: &PublishedLeaves) -> Result<Adoption, ProtocolError> {
        set.check()?;
        let before = self.root();
        let wanted = set.0.iter().map(keccak256).collect::<Vec<_>>();
        let mut known = HashMap::<B256, SessionLeaf>::new();
        let mut rest = Vec::new();
        let in_set = wanted.iter().copied().collect::<HashSet<_>>();
        for leaf in std::mem::take(&mut self.leaf_nodes) {
            let hash = leaf.hash();
            // Of several entries of one leaf the first is kept.
            if in_set.contains(&hash) && !known.contains_key(&hash) {
                known.insert(hash, leaf);
            } else {
                rest.push(leaf);
            }
        }
        let mut adoption = Adoption::default();
        for leaf in &mut rest {
            if leaf.record(&SessionEvent::LeftTree { last_root: before, elsewhere: true }).is_ok() {
                adoption.ended.push(leaf.session_id.clone());
            }
        }
        let tree = wanted.iter().zip(&set.0).filter_map(|(hash, preimage)| match known.remove(hash) {
            Some(mut leaf) => {
                // Never refused: a leaf in any state may enter.
                let _ = leaf.record(&SessionEvent::EnteredTree);
                Some(leaf)
            }
            None => {
                let leaf = SessionLeaf::elsewhere(preimage, hash.to_string())?;
                adoption.added.push(leaf.session_id.clone());
                Some(leaf)
            }
        });
        self.leaf_nodes = tree.collect();
        self.leaf_nodes.extend(rest);
        self.store_root();
        Ok(adoption)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::{addresses::DEMO_NFT, merkle::MerkleTree, policy::Policy};
    use SessionStatus::{Active, Pending, Revoked};

    fn leaf(id: u8, status: SessionStatus) -> SessionLeaf {
        let policy = Policy::new(DEMO_NFT, "safeMint(address)").with_valid_until(1_000 + u64::from(id));
        let key = alloy::primitives::Address::repeat_byte(id);
        SessionLeaf { status, ..SessionLeaf::from_policy(&policy, key, id.to_string()).unwrap() }
    }

    fn book(leaves: &[(u8, SessionStatus)]) -> SessionBook {
        SessionBook { leaf_nodes: leaves.iter().map(|(id, status)| leaf(*id, *status)).collect(), ..Default::default() }
    }

    #[test]
    fn the_published_bytes_make_the_root_and_hold_nothing_else() {
        let mut sessions = book(&[(1, Active), (2, Pending), (3, Active)]);
        sessions.leaf_nodes[0].label = Some("secret plans".into());
        let set = sessions.published().unwrap();
        assert_eq!((set.root(), set.len()), (sessions.root(), 2));
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<PublishedLeaves>(&text).unwrap(), set);
        assert!(!text.contains("secret"));
        assert_eq!(book(&[(2, Pending)]).published(), None);
    }

    #[test]
    fn another_devices_sessions_are_added_and_ours_keep_their_names() {
        let elsewhere = book(&[(1, Active), (7, Active), (3, Active)]);
        let mut here = book(&[(1, Active), (2, Active), (4, Pending), (3, Revoked)]);
        here.leaf_nodes[0].label = Some("mine".into());
        let adoption = here.adopt(&elsewhere.published().unwrap()).unwrap();
        let new = elsewhere.leaf_nodes[1].hash().to_string();
        assert_eq!(adoption, Adoption { added: vec![new.clone()], ended: vec!["2".into()] });
        assert_eq!(here.root(), elsewhere.root());
        let seen = here.leaf_nodes.iter().map(|leaf| (leaf.session_id.as_str(), leaf.status)).collect::<Vec<_>>();
        assert_eq!(seen, [("1", Active), (new.as_str(), Active), ("3", Active), ("2", Revoked), ("4", Pending)]);
        assert_eq!(here.leaf_nodes[0].label.as_deref(), Some("mine"));
        let added = &here.leaf_nodes[1];
        assert!(added.is_on_other_device() && added.session_key_address == alloy::primitives::Address::repeat_byte(7));
        assert!(here.leaf_nodes[3].state().ending().unwrap().elsewhere);
    }

    #[test]
    fn what_no_tree_looks_like_is_refused_and_changes_nothing() {
        let mut here = book(&[(1, Active)]);
        let before = here.clone();
        let lengths = [31, INNER_NODE, MAX_LEAF_BYTES + 1];
        for bad in lengths.map(|length| vec![Bytes::from(vec![0; length])]).into_iter().chain([vec![]]) {
            assert!(here.adopt(&PublishedLeaves(bad)).is_err());
        }
        assert_eq!(here, before);
    }

    /// The preimages of the nodes of a layer, in place of all leaves below them.
    fn with_nodes(leaves: &[SessionLeaf], layer: usize, nodes: impl Fn(usize) -> bool) -> PublishedLeaves {
        let tree = MerkleTree::new(leaves.iter().map(SessionLeaf::hash).collect());
        let width = 1 << layer;
        // A node without partner is the one below it.
        let node = |place: usize| {
            let lower = (0..layer).rev().map(|lower| (lower, place << (layer - lower)));
            let pairs = lower.map(|(lower, first)| tree.layers()[lower].get(first..first + 2));
            pairs.flatten().next().map(|pair| Bytes::from([pair[0].min(pair[1]).0, pair[0].max(pair[1]).0].concat()))
        };
        let preimage = |place: usize| match node(place).filter(|_| nodes(place)) {
            Some(node) => vec![node],
            None => leaves.iter().skip(place * width).take(width).map(SessionLeaf::preimage).collect(),
        };
        PublishedLeaves((0..leaves.len().div_ceil(width)).flat_map(preimage).collect())
    }

    #[test]
    fn a_leaf_of_an_unknown_module_is_kept_and_said_to_be_unreadable() {
        let foreign = SessionLeaf { session_key_data: vec![7; 100].into(), ..leaf(1, Active) };
        let module = alloy::primitives::Address::repeat_byte(0x99);
        let foreign = SessionLeaf { session_validation_module: module, ..foreign };
        let set = SessionBook { leaf_nodes: vec![leaf(1, Active), foreign], ..Default::default() };
        let mut here = SessionBook::default();
        here.adopt(&set.published().unwrap()).unwrap();
        assert_eq!((here.root(), here.leaf_nodes.len()), (set.root(), 2), "it counts in the tree");
        assert_eq!([0, 1].map(|index| here.leaf_nodes[index].is_readable()), [true, false]);
        let said = crate::describe::PolicyDescription::of_leaf(&here.leaf_nodes[1]).line(&Default::default());
        assert!(said.contains("cannot be read"), "{said}");
    }

    proptest! {
        /// A set with inner nodes in place of leaves may make the same root, and is refused.
        #[test]
        fn an_inner_node_is_no_leaf(count in 2_usize..40, layer in 1_usize..6, picked in any::<u64>(), first in 0_usize..40) {
            let leaves = (0..count).map(|id| leaf(u8::try_from(id).unwrap(), Active)).collect::<Vec<_>>();
            let honest = PublishedLeaves(leaves.iter().map(SessionLeaf::preimage).collect());
            prop_assert!(honest.check().is_ok());
            let layers = MerkleTree::new(leaves.iter().map(SessionLeaf::hash).collect()).layers().len();
            let layer = layer.min(layers - 1);
            let whole = with_nodes(&leaves, layer, |_| true);
            prop_assert_eq!(whole.root(), honest.root(), "the attack");
            for poisoned in [whole, with_nodes(&leaves, layer, |place| picked >> (place % 64) & 1 == 1 || place == first % (count >> layer).max(1))] {
                prop_assert!(poisoned.len() < honest.len());
                prop_assert!(poisoned.check().is_err());
                let mut here = SessionBook::default();
                prop_assert!(here.adopt(&poisoned).is_err() && here.leaf_nodes.is_empty());
            }
        }

        #[test]
        fn a_leaf_comes_back_from_its_bytes(bytes in prop::collection::vec(any::<u8>(), 32..300)) {
            let leaf = SessionLeaf::elsewhere(&bytes, "id".into()).unwrap();
            prop_assert_eq!(leaf.preimage().to_vec(), bytes.clone());
            prop_assert_eq!(leaf.hash(), keccak256(bytes));
        }

        /// Whatever both devices hold, the tree is the set's afterwards, and no leaf is lost.
        #[test]
        fn adopting_gives_the_sets_root(
            ours in prop::collection::vec((0_u8..12, 0_usize..3), 0..10),
            theirs in prop::collection::hash_set(0_u8..12, 1..10),
        ) {
            let theirs = book(&theirs.into_iter().map(|id| (id, Active)).collect::<Vec<_>>());
            let mut here = book(&ours.into_iter().map(|(id, status)| (id, [Active, Pending, Revoked][status])).collect::<Vec<_>>());
            let before = here.leaf_nodes.iter().map(SessionLeaf::hash).collect::<HashSet<_>>();
            here.adopt(&theirs.published().unwrap()).unwrap();
            prop_assert_eq!(here.root(), theirs.root());
            let after = here.leaf_nodes.iter().map(SessionLeaf::hash).collect::<HashSet<_>>();
            prop_assert!(before.is_subset(&after));
        }
    }
}
