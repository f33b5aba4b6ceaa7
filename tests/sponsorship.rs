//! Sponsorship over real databases: budgets under concurrency and across servers, the ledger, webhooks, settling.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "sponsorship/advance.rs"]
mod advance;
#[path = "sponsorship/budgets.rs"]
mod budgets;
mod common;
#[path = "sponsorship/context.rs"]
mod context;
#[path = "sponsorship/erc7677.rs"]
mod erc7677;
#[path = "sponsorship/guard.rs"]
mod guard;
#[path = "sponsorship/keys.rs"]
mod keys;
#[path = "sponsorship/nexus.rs"]
mod nexus;
mod postgres_support;
#[path = "sponsorship/retention.rs"]
mod retention;
#[path = "sponsorship/robbery.rs"]
mod robbery;
#[path = "sponsorship/robbery_nexus.rs"]
mod robbery_nexus;
#[path = "sponsorship/rollups.rs"]
mod rollups;
mod server_support;
#[path = "sponsorship/settling.rs"]
mod settling;
#[path = "sponsorship/standard.rs"]
mod standard;
#[path = "sponsorship/tokens.rs"]
mod tokens;
#[path = "sponsorship/webhooks.rs"]
mod webhooks;

use std::sync::Arc;

use alloy::primitives::{Address, B256, U256};
use serde_json::{Value, json};
use server_support::{Reply, Server, Upstream};
use use_aa::{
    protocol::{
        addresses::DEMO_NFT,
        smart_account::{Call, encode_calls},
    },
    server::{
        config::{Config, PaymasterConfig, SignerKey},
        database::Database,
        sponsor::{LedgerEntry, SponsorPolicy},
        state::ServerState,
    },
};

/// Wei per gas in these tests.
const FEE: u64 = 1_000_000_000;
/// Most that [`asking`]'s operation can cost: (100,000 + 3 · 100,000 + 50,000) gas, gwei.
const COST_GWEI: u64 = 450_000;
const CHAIN: u64 = 31_337;
/// Such that [`FEE`] is what the node would advise.
const BASE_FEE: u64 = FEE / 2;

/// A node and bundler that knows the chain and its fees.
async fn upstream() -> Upstream {
    Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_chainId" => Reply::Result(json!("0x7a69")),
        "eth_blockNumber" => Reply::Result(json!("0x10")),
        "eth_getBlockByNumber" => {
            Reply::Result(json!({"number": "0x10", "timestamp": "0x10", "baseFeePerGas": format!("{BASE_FEE:#x}")}))
        }
        "eth_getLogs" => Reply::Result(json!([])),
        "eth_maxPriorityFeePerGas" => Reply::Result(json!("0x1")),
        // Nothing of the kind was mined.
        "eth_call" => Reply::Result(json!(B256::ZERO)),
        "pimlico_getUserOperationGasPrice" | "biconomy_getGasFeeValues" => {
            let fees = json!({"maxFeePerGas": format!("{FEE:#x}"), "maxPriorityFeePerGas": "0x1"});
            Reply::Result(
                json!({"standard": fees, "maxFeePerGas": fees["maxFeePerGas"], "maxPriorityFeePerGas": "0x1"}),
            )
        }
        other => Reply::Error { code: -32601, message: format!("no {other}"), data: Value::Null },
    })
    .await
}

fn policy(text: &str) -> Arc<SponsorPolicy> {
    Arc::new(SponsorPolicy::parse(text, |_| Some("Bearer of-the-hook".into())).unwrap())
}

/// A server with the built-in paymaster in front of `upstream`, and its database.
async fn server(upstream: &Upstream, policy: Arc<SponsorPolicy>, database_url: &str) -> Server {
    Server::start_with(ServerState::new(config(upstream, policy, database_url)).unwrap()).await
}

fn config(upstream: &Upstream, policy: Arc<SponsorPolicy>, database_url: &str) -> Config {
    let args = use_aa::server::config::ServeArgs {
        rpc_url: Some(upstream.url().parse().unwrap()),
        bundler_url: Some(upstream.url().parse().unwrap()),
        database_url: Some(database_url.parse().unwrap()),
        page_sponsorship: Some("on".into()),
        ..Default::default()
    };
    let mut config = Config::from_args(&args).unwrap();
    config.paymaster = Some(PaymasterConfig::BuiltIn {
        signer_key: SignerKey::from_bytes(&B256::repeat_byte(7)).unwrap(),
        address: Address::repeat_byte(0xaa),
        paymaster_id: Address::repeat_byte(0xbb),
        address_v07: Some(Address::repeat_byte(0xa7)),
    });
    config.sponsor_policy = Some(policy);
    config
}

/// A call of the demo NFT by an account, with this nonce, whose limits are given.
fn asking(account: Address, nonce: u64) -> Value {
    let call = Call { to: DEMO_NFT, value: U256::ZERO, data: vec![0x40, 0xd0, 0x97, 0xc3].into() };
    json!({
        "user_operation": {
            "sender": account, "nonce": format!("{nonce:#x}"), "initCode": "0x",
            "callData": encode_calls(&[call], false).unwrap(),
            "callGasLimit": "100000", "verificationGasLimit": "100000", "preVerificationGas": "50000",
            "maxFeePerGas": FEE, "maxPriorityFeePerGas": 1, "paymasterAndData": "0x", "signature": "0x12"
        },
        "context": {"mode": "SPONSORED", "calculateGasLimits": false}
    })
}

fn account(number: u64) -> Address {
    Address::from_word(B256::from(U256::from(number + 1_000_000)))
}

async fn ledger(database_url: &str) -> Vec<LedgerEntry> {
    Database::at(database_url).unwrap().sponsorships(CHAIN, 1_000).await.unwrap()
}

async fn used_gwei(database_url: &str) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    Database::at(database_url).unwrap().sponsored_on(CHAIN, now, None).await.unwrap()
}

/// A SQLite file of its own.
fn sqlite() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/ledger.sqlite", folder.path().display());
    (folder, url)
}
