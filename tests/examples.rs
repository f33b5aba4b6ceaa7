//! The examples, run against the real server and the real lab.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use alloy::{
    primitives::{Address, Bytes, U256},
    signers::local::PrivateKeySigner,
    sol,
    sol_types::SolCall,
};
use serde_json::json;
use use_aa::{
    error::AppError,
    protocol::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        smart_account::counterfactual_address,
    },
};

mod actions_support;
use actions_support::{common, server_url};

#[allow(dead_code)]
#[path = "../examples/create_batch_session.rs"]
mod create_batch_session;

#[allow(dead_code)]
#[path = "../crates/actions/examples/bot.rs"]
mod bot;

#[allow(dead_code)]
#[path = "../crates/actions/examples/nexus.rs"]
mod nexus;

#[path = "examples/first_use.rs"]
mod first_use;
#[path = "examples/pairs.rs"]
mod pairs;

#[path = "examples/devices.rs"]
mod devices;
#[path = "examples/many.rs"]
mod many;
#[path = "examples/returning.rs"]
mod returning;

sol! {
    function balanceOf(address owner) returns (uint256);
}

async fn balance(of: Address, at: Address) -> U256 {
    let url = common::lab().await.info().rpc_url.expose().as_str();
    let data = Bytes::from(balanceOfCall { owner: of }.abi_encode());
    let answer = common::rpc(url, "eth_call", json!([{"to": at, "data": data}, "latest"])).await;
    serde_json::from_value(answer).unwrap()
}

#[tokio::test]
async fn the_tutorial_create_a_batch_session_does_what_it_says() {
    let paid_before = balance(create_batch_session::PAID, DEMO_TOKEN).await;
    let folder = tempfile::tempdir().unwrap();
    let outcome = create_batch_session::tutorial(&server_url().await, folder.path()).await.unwrap();
    assert_eq!(balance(outcome.account, DEMO_NFT).await, U256::from(1));
    let price = U256::from(create_batch_session::PRICE);
    assert_eq!(balance(outcome.account, DEMO_TOKEN).await, U256::from(1_000_000) - price);
    assert_eq!(balance(create_batch_session::PAID, DEMO_TOKEN).await, paid_before + price);

    let url = common::lab().await.info().rpc_url.expose().as_str();
    let receipt = common::rpc(url, "eth_getTransactionReceipt", json!([outcome.transaction_hash])).await;
    assert_eq!(receipt["status"], "0x1", "{receipt}");
}

/// Also with an owner whose account is on the chain already, and sessions that are there from before.
#[tokio::test]
async fn the_bot_grants_and_uses_a_session() {
    let (owner, folder, secret) = (PrivateKeySigner::random(), tempfile::tempdir().unwrap(), [7; 32]);
    let account = counterfactual_address(owner.address(), U256::ZERO);
    for minted in 1..=2 {
        let transaction_hash = bot::run(&server_url().await, owner.clone(), folder.path(), secret).await.unwrap();
        let url = common::lab().await.info().rpc_url.expose().as_str();
        let receipt = common::rpc(url, "eth_getTransactionReceipt", json!([transaction_hash])).await;
        assert_eq!(receipt["status"], "0x1", "{receipt}");
        assert_eq!(balance(account, DEMO_NFT).await, U256::from(minted));
    }
    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()));
    let files = files.map(Result::unwrap).collect::<String>();
    assert_eq!(files.matches("pvKey").count(), 2, "a key for each grant: {files}");
}

/// The account pays for itself; owner and session key sign, nobody else.
#[tokio::test]
async fn the_nexus_account_grants_uses_and_ends_a_session() {
    let (owner, folder) = (PrivateKeySigner::random(), tempfile::tempdir().unwrap());
    let server = server_url().await;
    let outcome = nexus::run(&server, owner, folder.path(), [7; 32], async |_, account| {
        let url = common::lab().await.info().rpc_url.expose().as_str();
        common::rpc(url, "anvil_setBalance", json!([account, "0xde0b6b3a7640000"])).await;
        Ok(())
    });
    let outcome = outcome.await.unwrap();
    assert_eq!(balance(outcome.account, DEMO_NFT).await, U256::from(2));
    let refused = |error: &AppError, expected: &str| {
        assert!(matches!(error, AppError::PolicyViolation { rule, .. } if rule == expected), "{error:?}");
    };
    refused(&outcome.not_granted, "SessionPolicyViolationError");
    refused(&outcome.used_up, "SessionPolicyViolationError");
    assert!(matches!(outcome.revoked, AppError::SessionNotFound { .. }), "{}", outcome.revoked);
}
