//! What the page and the server compute per session: hashes, trees, proofs, checks, signatures.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::hint::black_box;

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    signers::{SignerSync, local::PrivateKeySigner},
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use use_aa::protocol::{
    addresses::{DEMO_NFT, SESSION_KEY_MANAGER},
    merkle::MerkleTree,
    policy::{Condition, FunctionSelector, Policy, ReferenceValue, Rule, SessionEpoch},
    session::{SessionBook, SessionLeaf, SessionStatus, set_merkle_root},
    signature::{DUMMY_SESSION, session_key_manager, wrap},
    simulate::{simulate_batch, simulate_single},
    smart_account::{Call, encode_calls},
    user_operation::UserOperation,
};

const ACCOUNT: Address = Address::repeat_byte(0xaa);
const CHAIN: u64 = 31_337;

fn leaves(count: u64) -> Vec<B256> {
    (0..count).map(|i| keccak256(U256::from(i).to_be_bytes::<32>())).collect()
}

/// The demo's policy: mint to the own account only.
fn policy() -> Policy {
    Policy {
        session_key_address: None,
        contract_address: DEMO_NFT,
        function_selector: FunctionSelector::Signature("safeMint(address)".into()),
        rules: vec![Rule { offset: 0, condition: Condition::Equal, reference_value: ReferenceValue::Address(ACCOUNT) }],
        interval: SessionEpoch { valid_until: 4_000_000_000, valid_after: 0 },
        value_limit: U256::ZERO,
    }
}

fn session(key: Address, id: String) -> SessionLeaf {
    SessionLeaf { status: SessionStatus::Active, ..SessionLeaf::from_policy(&policy(), key, id).unwrap() }
}

fn mint() -> Vec<Call> {
    let data = [&[0x40, 0xd0, 0x97, 0xc3][..], ACCOUNT.into_word().as_slice()].concat();
    vec![Call { to: DEMO_NFT, value: U256::ZERO, data: data.into() }]
}

fn trees(c: &mut Criterion) {
    for count in [1_000, 10_000] {
        let leaves = leaves(count);
        c.bench_function(&format!("merkle root of {count} hashes"), |b| {
            b.iter_batched(|| leaves.clone(), |leaves| MerkleTree::new(leaves).root(), BatchSize::SmallInput);
        });
    }
    let tree = MerkleTree::new(leaves(10_000));
    c.bench_function("merkle proof among 10000 leaves", |b| b.iter(|| tree.proof(black_box(4_711))));
    let leaf_nodes = (0..10_000_u64).map(|i| session(Address::from_word(B256::from(U256::from(i + 1))), i.to_string()));
    let book = SessionBook { leaf_nodes: leaf_nodes.collect(), ..SessionBook::default() };
    c.bench_function("root of a book of 10000 sessions", |b| b.iter(|| black_box(&book).root()));
    let mut changed = book.clone();
    c.bench_function("root of a book of 10000 sessions, the first one changed", |b| {
        b.iter(|| {
            changed.leaf_nodes[0].valid_until += 1;
            changed.root()
        });
    });
    c.bench_function("a copy of a book of 10000 sessions", |b| b.iter(|| black_box(&book).clone()));
    let text = serde_json::to_string(&book).unwrap();
    c.bench_function("parsing a book of 10000 sessions", |b| {
        b.iter(|| serde_json::from_str::<SessionBook>(black_box(&text)).unwrap());
    });
}

fn grants_and_uses(c: &mut Criterion) {
    let key = PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap();
    let operation = UserOperation { sender: ACCOUNT, call_data: vec![1; 228].into(), ..Default::default() };
    c.bench_function("user operation hash", |b| b.iter(|| black_box(&operation).hash(CHAIN)));

    let tree = MerkleTree::new(leaves(1_000));
    c.bench_function("grant: policy to leaf, call data and hash", |b| {
        b.iter(|| {
            let leaf = SessionLeaf::from_policy(black_box(&policy()), key.address(), "id").unwrap();
            let root = use_aa::protocol::merkle::parent(tree.root().unwrap(), leaf.hash());
            let call_data = encode_calls(&[set_merkle_root(root)], false).unwrap();
            UserOperation { sender: ACCOUNT, call_data, ..Default::default() }.hash(CHAIN)
        });
    });
    let leaf = session(key.address(), "id".into());
    let call_data = encode_calls(&mint(), false).unwrap();
    c.bench_function("use: simulate the call against the session", |b| {
        b.iter(|| simulate_single(black_box(&leaf), black_box(&call_data)).unwrap());
    });
    let batch = encode_calls(&vec![mint().remove(0); 20], true).unwrap();
    c.bench_function("use: preflight of a batch of 20 calls", |b| {
        b.iter(|| simulate_batch(black_box(&[&leaf; 20]), black_box(&batch)).unwrap());
    });
    let proof = tree.proof(500).unwrap();
    c.bench_function("use: prepare (call data, dummy signature, hash)", |b| {
        b.iter(|| {
            let call_data = encode_calls(black_box(&mint()), false).unwrap();
            let signature = wrap(SESSION_KEY_MANAGER, &session_key_manager(&leaf, &proof, &DUMMY_SESSION));
            UserOperation { sender: ACCOUNT, call_data, signature, ..Default::default() }.hash(CHAIN)
        });
    });
    c.bench_function("use: sign and wrap", |b| {
        b.iter(|| {
            let signature = key.sign_message_sync(black_box(B256::repeat_byte(3)).as_slice()).unwrap();
            wrap(SESSION_KEY_MANAGER, &session_key_manager(&leaf, &proof, &signature.as_bytes()))
        });
    });
}

criterion_group!(benches, trees, grants_and_uses);
criterion_main!(benches);
