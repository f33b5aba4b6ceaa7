//! 07 and 08: signatures of the session key manager and of the batched router, with the contracts' answers.

use std::collections::HashSet;

use alloy::{
    primitives::{B256, Bytes},
    signers::local::PrivateKeySigner,
};
use serde_json::Value;
use use_aa_protocol::{
    addresses::{BATCHED_SESSION_ROUTER, SESSION_KEY_MANAGER},
    merkle::{MerkleTree, verify},
    session::SessionLeaf,
    signature::{self, DUMMY_SESSION},
    simulate::{
        Window, simulate_batch, simulate_single,
        user_operation::{AccountView, SessionKeyManagerVersion, Verdict, simulate},
    },
    user_operation::UserOperation,
};

use crate::{support::*, trees::leaves};

fn window(on_chain: &Value) -> Window {
    assert_eq!(text(on_chain, "agg"), "0x0");
    Window { valid_until: number(on_chain, "validUntil"), valid_after: number(on_chain, "validAfter") }
}

fn assert_accepted(op: UserOperation, signed: Bytes, hash: B256, merkle_root: B256, expected: Window) {
    let op = UserOperation { signature: signed, ..op };
    let modules = HashSet::from([SESSION_KEY_MANAGER, BATCHED_SESSION_ROUTER]);
    for version in [SessionKeyManagerVersion::V1_0_0, SessionKeyManagerVersion::V1_1_0] {
        let view = AccountView { merkle_root, modules: &modules, version };
        assert_eq!(simulate(&op, hash, &view), Verdict::Accepted(expected));
    }
}

#[test]
fn every_single_session_signature_is_the_js_sdks_and_accepted_on_chain() {
    let file = parse(include_str!("../../../../tests/vectors/07_skm_signatures.json"));
    let all = leaves();
    assert_eq!(address(&file, "module"), SESSION_KEY_MANAGER);
    for case in list(&file, "cases") {
        let (name, output) = (text(case, "name"), &case["output"]);
        let tree: Vec<&SessionLeaf> =
            list(case, "treeLeafIndexes").iter().map(|i| &all[i.as_u64().unwrap() as usize]).collect();
        let hashes: Vec<B256> = tree.iter().map(|leaf| leaf.hash()).collect();
        let tree = MerkleTree::new(hashes);
        let index = number(case, "leafIndex") as usize;
        let leaf = &all[index];
        assert_eq!(tree.root(), Some(word(case, "merkleRoot")), "{name}");
        let proof = tree.proof(tree.position(leaf.hash()).unwrap()).unwrap();
        assert_eq!(proof, words(&output["proof"]), "{name}");
        assert!(verify(tree.root().unwrap(), leaf.hash(), &proof));

        let op = user_operation(&case["userOp"]);
        let hash = op.hash(number(case, "chainId"));
        assert_eq!(hash, word(output, "userOpHash"), "{name}");
        let key: PrivateKeySigner = text(case, "sessionKeyPrivate").parse().unwrap();
        assert_eq!(key.address(), address(case, "sessionKeyAddress"));
        let session_signature = personal_sign(&key, hash);
        assert_eq!(session_signature, bytes(output, "sessionSignature"), "{name}");

        // what `@biconomy/use-aa` appends behind the encoding is ignored on chain; ours can carry it, too
        let extra = case["additionalSessionData"].as_str().map(|digits| hex::decode(digits).unwrap());
        let append = |module_signature: Bytes| match &extra {
            Some(extra) => Bytes::from([&module_signature[..], extra].concat()),
            None => module_signature,
        };
        let module_signature = append(signature::session_key_manager(leaf, &proof, &session_signature));
        assert_eq!(module_signature, bytes(output, "moduleSignature"), "{name}");
        let signed = signature::wrap(SESSION_KEY_MANAGER, &module_signature);
        assert_eq!(signed, bytes(output, "signature"), "{name}");
        let dummy = append(signature::session_key_manager(leaf, &proof, &DUMMY_SESSION));
        assert_eq!(signature::wrap(SESSION_KEY_MANAGER, &dummy), bytes(output, "dummySignature"), "{name}");

        let expected = window(&case["onChain"]);
        assert_eq!(simulate_single(leaf, &op.call_data), Ok(expected), "{name}");
        assert_accepted(op, signed, hash, tree.root().unwrap(), expected);
    }
}

#[test]
fn every_batch_signature_is_the_js_sdks_and_accepted_on_chain() {
    let file = parse(include_str!("../../../../tests/vectors/08_batched_router_signatures.json"));
    let all = leaves();
    assert_eq!(address(&file, "module"), BATCHED_SESSION_ROUTER);
    for case in list(&file, "cases") {
        let (name, output) = (text(case, "name"), &case["output"]);
        let count = number(case, "treeLeafCount") as usize;
        let tree = MerkleTree::new(all.iter().take(count).map(SessionLeaf::hash).collect());
        assert_eq!(tree.root(), Some(word(case, "merkleRoot")), "{name}");
        let sessions: Vec<(&SessionLeaf, Vec<B256>)> = list(case, "leafIndexes")
            .iter()
            .map(|index| index.as_u64().unwrap() as usize)
            .map(|index| (&all[index], tree.proof(index).unwrap()))
            .collect();
        for ((_, proof), expected) in sessions.iter().zip(list(output, "proofs")) {
            assert_eq!(*proof, words(expected), "{name}");
        }
        let op = user_operation(&case["userOp"]);
        let hash = op.hash(number(case, "chainId"));
        assert_eq!(hash, word(output, "userOpHash"), "{name}");
        let key: PrivateKeySigner = text(case, "sessionKeyPrivate").parse().unwrap();
        assert_eq!(key.address(), address(case, "sessionKeyAddress"));
        let session_signature = personal_sign(&key, hash);
        assert_eq!(session_signature, bytes(output, "sessionSignature"), "{name}");

        let call_specific: Vec<Bytes> = case["callSpecificData"]
            .as_array()
            .map(|list| list.iter().map(|data| data.as_str().unwrap().parse().unwrap()).collect())
            .unwrap_or_default();
        let manager = address(output, "sessionKeyManager");
        let encode = |signed: &[u8]| match call_specific.is_empty() {
            true => signature::batched_router(manager, &sessions, signed),
            false => signature::batched_router_with(manager, &sessions, &call_specific, signed),
        };
        let module_signature = encode(&session_signature);
        assert_eq!(module_signature, bytes(output, "moduleSignature"), "{name}");
        let signed = signature::wrap(BATCHED_SESSION_ROUTER, &module_signature);
        assert_eq!(signed, bytes(output, "signature"), "{name}");
        let dummy = signature::wrap(BATCHED_SESSION_ROUTER, &encode(&DUMMY_SESSION));
        assert_eq!(dummy, bytes(output, "dummySignature"), "{name}");

        let expected = window(&case["onChain"]);
        let references: Vec<&SessionLeaf> = sessions.iter().map(|(leaf, _)| *leaf).collect();
        assert_eq!(simulate_batch(&references, &op.call_data), Ok(expected), "{name}");
        assert_accepted(op, signed, hash, tree.root().unwrap(), expected);
    }
}
