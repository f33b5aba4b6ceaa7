//! What the integration tests share: one lab per test binary, started by the first test that asks for it.
//!
//! The lab's own thread keeps it across the tests' runtimes; the kernel ends its processes with the test binary.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::sync::LazyLock;

use serde_json::{Value, json};
use tokio::sync::OnceCell;
use use_aa::lab::{Lab, LabOptions};

static LAB: OnceCell<Lab> = OnceCell::const_new();

/// The lab of this test binary: ready, with contracts and a funded paymaster.
pub async fn lab() -> &'static Lab {
    LAB.get_or_init(|| async { Lab::start(LabOptions::default()).await.expect("the lab starts") }).await
}

/// One JSON-RPC call; an error of the other side is a failed test.
pub async fn rpc(url: &str, method: &str, params: Value) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    // No connection is kept: each test has a runtime of its own, and a connection dies with the one that opened it.
    static CLIENT: LazyLock<reqwest::Client> =
        LazyLock::new(|| reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap());
    let answer: Value = CLIENT.post(url).json(&body).send().await.unwrap().json().await.unwrap();
    answer.get("result").unwrap_or_else(|| panic!("{method}: {answer}")).clone()
}
