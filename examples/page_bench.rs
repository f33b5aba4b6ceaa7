//! Timings of what the page computes, as wasm in a real browser; `tools/bench.sh` builds it like the page and calls it.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use alloy::primitives::{Address, B256, U256};
use use_aa::{
    actions::session_tree::SessionTree,
    protocol::{
        addresses::ABI_SESSION_VALIDATION_MODULE,
        session::{SessionBook, SessionLeaf, SessionStatus},
    },
};
use wasm_bindgen::prelude::wasm_bindgen;

fn book(count: u64) -> SessionBook {
    let leaf = |number: u64| SessionLeaf {
        valid_until: 4_000_000_000,
        session_validation_module: ABI_SESSION_VALIDATION_MODULE,
        session_key_address: Address::from_word(B256::from(U256::from(number + 1))),
        // as long as that of a session with one rule
        session_key_data: [&number.to_be_bytes()[..], &[7; 89]].concat().into(),
        session_id: number.to_string(),
        status: SessionStatus::Active,
        ..SessionLeaf::default()
    };
    SessionBook { leaf_nodes: (0..count).map(leaf).collect(), ..SessionBook::default() }
}

fn timed(runs: u32, mut before: impl FnMut(), mut work: impl FnMut()) -> Vec<f64> {
    let performance = web_sys::window().unwrap().performance().unwrap();
    let mut time = || {
        before();
        let begun = performance.now();
        work();
        performance.now() - begun
    };
    (0..runs).map(|_| time()).collect()
}

/// Milliseconds for comparing a book of `count` sessions with the chain: every leaf hashed, and the root.
#[wasm_bindgen]
pub fn merkle_root(count: u32, runs: u32) -> Vec<f64> {
    let mut book = book(count.into());
    let root = book.root();
    // What was hashed is kept: another book of the same size takes its place.
    let mut other = self::book(count.into());
    other.leaf_nodes[0].valid_until += 1;
    timed(
        runs,
        move || drop(other.root()),
        move || assert_eq!(SessionTree::in_sync(&mut book, root).unwrap().root(), root),
    )
}
