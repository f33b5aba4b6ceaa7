//! Settling over a node that answers what a test says, and a database that other servers write, too.

use std::{sync::Arc, time::Duration};

use alloy::{
    primitives::{Address, B256, U256},
    sol_types::SolEvent,
};
use serde_json::{Value, json};

use super::{
    Inner, Settings, Sponsor, SponsorPolicy,
    ledger::Decision,
    limits::{BudgetOutcome, Limits},
};
use crate::{
    bundler::Bundler,
    database::{Database, Pool},
    node::ChainNode,
};
use use_aa_protocol::entry_point::{EntryPoint, v07::abi::IEntryPointV07};

const CHAIN: u64 = 31_337;
const NOW: u64 = 1_800_000_000;
const ACCOUNT: Address = Address::repeat_byte(0xac);
const PAYMASTER: Address = Address::repeat_byte(0xaa);

/// A node at block 100, which knows these logs, or refuses all; the chain's time is after all signatures.
async fn node(logs: Option<Vec<Value>>) -> (String, tokio::task::JoinHandle<()>) {
    let answer = move |call: &Value| match call["method"].as_str().unwrap() {
        "eth_chainId" => json!({"result": "0x7a69"}),
        "eth_blockNumber" => json!({"result": "0x64"}),
        "eth_getBlockByNumber" => json!({"result": {"number": "0x64", "timestamp": format!("{:#x}", NOW + 4_000)}}),
        "eth_getLogs" => match &logs {
            Some(logs) => json!({"result": logs}),
            None => json!({"error": {"code": -32000, "message": "no logs here"}}),
        },
        "eth_call" => json!({"result": B256::ZERO}),
        other => json!({"error": {"code": -32601, "message": other}}),
    };
    let answer = Arc::new(move |call: &Value| {
        let mut whole = answer(call);
        whole["jsonrpc"] = json!("2.0");
        whole["id"] = call["id"].clone();
        whole
    });
    let handler = axum::routing::post(move |axum::Json(body): axum::Json<Value>| {
        let answer = answer.clone();
        async move {
            axum::Json(match body {
                Value::Array(calls) => calls.iter().map(|call| answer(call)).collect(),
                call => answer(&call),
            })
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new().route("/", handler);
    (url, tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }))
}

fn sponsor(url: &str, database: &Database) -> Arc<Inner> {
    let (urls, timeout) = ([url.parse().unwrap()], Duration::from_secs(5));
    let policy = SponsorPolicy::parse("targets = []\n[budgets]\nglobal_per_day = \"unlimited\"", |_| None).unwrap();
    let settings = Settings {
        policy: Some(policy),
        lab: false,
        pays: true,
        chain_id: CHAIN,
        token_paymaster: None,
        token_paymaster_v07: None,
        ledger_days: 1_000_000,
    };
    let node = ChainNode::new(&urls, CHAIN, timeout).unwrap();
    let bundler = Bundler::new(&urls, CHAIN, timeout).unwrap();
    Sponsor::new(settings, database.clone(), node, bundler).unwrap().inner
}

fn decision(number: u8, entry_point: EntryPoint) -> Decision {
    Decision {
        chain_id: CHAIN,
        entry_point,
        decided_at: NOW,
        mode: "SPONSORED",
        account: ACCOUNT,
        nonce: U256::from(number),
        user_op_hash: B256::repeat_byte(number),
        max_cost: U256::from(40_000_000_000_u64),
        policy_version: "test".into(),
        api_key: None,
        webhooks: None,
        valid_until: NOW + 300,
        paymaster: Some(PAYMASTER),
        caller: None,
    }
}

async fn granted(database: &Database, decision: &Decision) {
    assert_eq!(database.grant(decision, Some(&Limits::default())).await, Ok(BudgetOutcome::Written));
}

async fn execute(database: &Database, query: &'static str) {
    let Pool::Sqlite(pool) = database.pool().await.unwrap() else { panic!("not SQLite") };
    sqlx::query(query).execute(pool).await.unwrap();
}

/// The state of each row, the oldest first.
async fn states(database: &Database) -> Vec<(String, Option<String>)> {
    let rows = database.sponsorships(CHAIN, 1_000).await.unwrap().into_iter().rev();
    rows.map(|row| (row.state, row.actual_cost)).collect()
}

/// A newer server wrote them, say: as many as are looked at together.
#[tokio::test]
async fn rows_that_cannot_be_read_are_in_nobodys_way() {
    let (url, task) = node(None).await;
    let database = Database::at("sqlite::memory:").unwrap();
    for number in 1..=50 {
        granted(&database, &decision(number, EntryPoint::V07)).await;
    }
    execute(&database, "UPDATE sponsorships SET entry_point = '9.9'").await;
    execute(&database, "UPDATE sponsorships SET entry_point = '0.7', nonce = 'much' WHERE id = 7").await;
    granted(&database, &decision(51, EntryPoint::V07)).await;
    assert!(sponsor(&url, &database).settle().await.is_err(), "there are no logs");
    let states = states(&database).await;
    assert_eq!(states[50].0, "released", "the one that can be asked about");
    assert!(states[..50].iter().all(|(state, cost)| state == "settled" && cost.is_none()), "what they cost is held");
    task.abort();
}

/// While servers are replaced one by one, the older ones settle what they know of: entry point v0.6.
#[tokio::test]
async fn an_older_server_beside_this_one_hides_nothing() {
    let used = decision(7, EntryPoint::V07);
    let event = IEntryPointV07::UserOperationEvent {
        userOpHash: used.user_op_hash,
        sender: ACCOUNT,
        paymaster: PAYMASTER,
        nonce: used.nonce,
        success: true,
        actualGasCost: U256::from(9_000_000_000_u64),
        actualGasUsed: U256::from(9),
    };
    let log = event.encode_log_data();
    let log = json!({"address": EntryPoint::V07.address(), "topics": log.topics(), "data": log.data.clone(),
        "transactionHash": B256::repeat_byte(5), "blockNumber": "0x32", "blockHash": B256::repeat_byte(6)});
    let (url, task) = node(Some(vec![log])).await;
    let database = Database::at("sqlite::memory:").unwrap();
    granted(&database, &used).await;
    // Each entry point has a contract of its own.
    let other = Decision { paymaster: Some(Address::repeat_byte(0xa6)), ..decision(8, EntryPoint::V06) };
    granted(&database, &other).await;
    // What an older server does: it has read all blocks, and gives back what ran out.
    execute(&database, "INSERT INTO sponsor_cursors (chain_id, block) VALUES (31337, 100)").await;
    assert_eq!(database.settled_block(CHAIN).await, Ok(None), "its cursor is not ours");
    assert_eq!(database.release_one(CHAIN, 1).await, Ok(1));
    sponsor(&url, &database).settle().await.unwrap();
    let cost = Some("9000000000".to_owned());
    assert_eq!(states(&database).await, [("settled".into(), cost), ("released".into(), None)]);
    assert_eq!(database.sponsored_on(CHAIN, NOW, None).await, Ok(9));
    assert_eq!(database.settled_block(CHAIN).await, Ok(Some(100)));
    task.abort();
}
