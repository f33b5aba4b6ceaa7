//! 03: leaves and trees.

use alloy::primitives::{B256, keccak256};
use use_aa_protocol::{
    merkle::{MerkleFrontier, MerkleTree, verify},
    session::{SessionBook, SessionLeaf, SessionStatus, set_merkle_root},
};

use crate::support::*;

pub fn leaves() -> Vec<SessionLeaf> {
    let file = parse(include_str!("../../../../tests/vectors/03_session_leaves_and_trees.json"));
    let leaf = |leaf: &serde_json::Value| SessionLeaf {
        valid_until: number(leaf, "validUntil"),
        valid_after: number(leaf, "validAfter"),
        session_validation_module: address(leaf, "sessionValidationModule"),
        session_key_address: address(leaf, "sessionPublicKey"),
        session_key_data: bytes(leaf, "sessionKeyData"),
        session_id: text(leaf, "sessionID").into(),
        status: SessionStatus::Active,
        ..SessionLeaf::default()
    };
    list(&file, "leaves").iter().map(leaf).collect()
}

#[test]
fn every_leaf_has_the_js_sdks_hash() {
    let file = parse(include_str!("../../../../tests/vectors/03_session_leaves_and_trees.json"));
    for (leaf, case) in leaves().iter().zip(list(&file, "leaves")) {
        assert_eq!(leaf.hash(), word(case, "leaf"));
        assert_eq!(keccak256(bytes(case, "packed")), leaf.hash(), "what is packed");
    }
    assert_eq!(leaves().len(), 40);
}

#[test]
fn every_tree_has_the_js_sdks_layers_root_and_proofs() {
    let file = parse(include_str!("../../../../tests/vectors/03_session_leaves_and_trees.json"));
    let all = leaves();
    for case in list(&file, "trees") {
        let count = number(case, "leafCount") as usize;
        let hashes: Vec<B256> = all.iter().take(count).map(SessionLeaf::hash).collect();
        let tree = MerkleTree::new(hashes.clone());
        let layers: Vec<Vec<B256>> = list(case, "layers").iter().map(words).collect();
        assert_eq!(tree.layers(), layers, "{count}");
        let root = word(case, "root");
        assert_eq!(tree.root(), Some(root));
        assert_eq!(hashes.iter().copied().collect::<MerkleFrontier>().root(), Some(root), "one by one");
        assert_eq!(set_merkle_root(root).data, bytes(case, "setMerkleRootCallData"));
        let book = SessionBook { leaf_nodes: all.iter().take(count).cloned().collect(), ..Default::default() };
        assert_eq!(book.root(), root);
        for (index, proof) in list(case, "proofs").iter().enumerate() {
            let proof = words(proof);
            assert_eq!(tree.proof(index).unwrap(), proof, "{count}/{index}");
            assert_eq!(book.proof(&all[index].session_id).unwrap(), proof);
            assert!(verify(root, hashes[index], &proof));
        }
        assert_eq!(tree.proof(count), None);
    }
}

#[test]
fn a_leaf_that_is_there_twice_resolves_to_its_last_position() {
    let file = parse(include_str!("../../../../tests/vectors/03_session_leaves_and_trees.json"));
    let case = &file["special"]["duplicateLeaves"];
    let tree = MerkleTree::new(words(&case["leaves"]));
    assert_eq!(tree.root(), Some(word(case, "root")));
    let leaf = words(&case["leaves"])[0];
    let proof = tree.proof(tree.position(leaf).unwrap()).unwrap();
    assert_eq!(proof, words(&case["proofOfLeaf0"]));
    assert!(verify(word(case, "root"), leaf, &proof));
    assert!(verify(word(case, "root"), leaf, &tree.proof(0).unwrap()), "any position verifies");
}

#[test]
fn an_empty_tree_is_the_zero_root_where_the_js_sdk_fails() {
    assert_eq!(MerkleTree::new(Vec::new()).root(), None);
    assert_eq!(SessionBook::default().root(), B256::ZERO);
    assert_eq!(set_merkle_root(B256::ZERO).data.len(), 36, "`@biconomy/use-aa` cannot encode its empty root 0x");
}

#[test]
fn an_absent_leaf_has_no_proof_where_the_js_sdk_gives_an_empty_one() {
    let file = parse(include_str!("../../../../tests/vectors/03_session_leaves_and_trees.json"));
    let case = &file["special"]["absentLeaf"];
    let tree = MerkleTree::new(words(&case["tree"]));
    assert_eq!(words(&case["proof"]), Vec::<B256>::new());
    assert_eq!(tree.position(word(case, "leaf")), None);
    assert!(!verify(tree.root().unwrap(), word(case, "leaf"), &[]));
    assert!(SessionBook::default().proof("unknown").is_err());
}
