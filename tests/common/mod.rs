//! What the integration tests share: one lab per test binary, started by the first test that asks for it.
//!
//! The lab's own thread keeps it across the tests' runtimes; the kernel ends its processes with the test binary.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::sync::{LazyLock, OnceLock};

use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};
use use_aa::lab::{Lab, LabOptions};

pub mod bundlers;
pub mod manners;
pub mod nexus;

static LAB: OnceCell<Lab> = OnceCell::const_new();

/// The program whose nodes the lab starts, when a test wants them.
static NODES: OnceLock<&'static str> = OnceLock::new();

/// The lab of this test binary shall have the five nodes of the distributed keys. To be said before the first [`lab`].
pub fn with_nodes(program: &'static str) {
    NODES.get_or_init(|| program);
}

/// The lab of this test binary: ready, with contracts and a funded paymaster.
pub async fn lab() -> &'static Lab {
    LAB.get_or_init(|| async {
        let options = LabOptions { dan_program: NODES.get().map(Into::into), ..LabOptions::default() };
        Lab::start(options).await.expect("the lab starts")
    })
    .await
}

/// One JSON-RPC call; an error of the other side is a failed test.
pub async fn rpc(url: &str, method: &str, params: Value) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    // The chain chooses the nonce: of two at once from one sender it may give both the same.
    static SENDING: Mutex<()> = Mutex::const_new(());
    let _turn = match method {
        "eth_sendTransaction" => Some(SENDING.lock().await),
        _ => None,
    };
    // No connection is kept: each test has a runtime of its own, and a connection dies with the one that opened it.
    static CLIENT: LazyLock<reqwest::Client> =
        LazyLock::new(|| reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap());
    let answer: Value = CLIENT.post(url).json(&body).send().await.unwrap().json().await.unwrap();
    answer.get("result").unwrap_or_else(|| panic!("{method}: {answer}")).clone()
}

/// Places a contract of `contracts/` at an address, without its constructor's storage.
pub async fn place(url: &str, name: &str, at: alloy::primitives::Address) {
    let root = env!("CARGO_MANIFEST_DIR");
    let artifacts = std::fs::read(format!("{root}/contracts/out/artifacts.json")).expect("make contracts");
    let artifacts: Value = serde_json::from_slice(&artifacts).unwrap();
    let created = &artifacts[name]["bytecode"];
    let code = rpc(url, "eth_call", json!([{"data": created}, "latest"])).await;
    rpc(url, "anvil_setCode", json!([at, code])).await;
}
