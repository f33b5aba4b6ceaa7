//! What the page and the server compute per session: hashes, trees, proofs.
use std::hint::black_box;

use alloy::primitives::{B256, U256, keccak256};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use use_aa::protocol::{merkle::MerkleTree, user_operation::UserOperation};

fn leaves(count: u64) -> Vec<B256> {
    (0..count).map(|i| keccak256(U256::from(i).to_be_bytes::<32>())).collect()
}

fn protocol(c: &mut Criterion) {
    for count in [1_000, 10_000] {
        let leaves = leaves(count);
        c.bench_function(&format!("merkle root of {count} leaves"), |b| {
            b.iter_batched(|| leaves.clone(), |leaves| MerkleTree::new(leaves).root(), BatchSize::SmallInput);
        });
    }
    let tree = MerkleTree::new(leaves(10_000));
    c.bench_function("merkle proof among 10000 leaves", |b| b.iter(|| tree.proof(black_box(4_711))));
    let operation = UserOperation::default();
    c.bench_function("user operation hash", |b| {
        b.iter(|| black_box(&operation).hash(use_aa::protocol::addresses::ENTRY_POINT, 31_337));
    });
}

criterion_group!(benches, protocol);
criterion_main!(benches);
