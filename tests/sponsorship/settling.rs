//! On the real lab: reservations become what was paid, or are given back.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use alloy::{
    primitives::{Bytes, FixedBytes},
    signers::{SignerSync, local::PrivateKeySigner},
};
use use_aa::{
    lab::{Lab, LabOptions},
    protocol::{
        addresses::ECDSA_MODULE,
        signature::{DUMMY_ECDSA, wrap},
        smart_account::{counterfactual_address, init_code},
        user_operation::UserOperation,
    },
};

use super::*;

/// Our server on the shared lab with the lab's own policy, and a ledger of its own.
pub async fn lab_server() -> (tempfile::TempDir, String, Server) {
    server_on(common::lab().await).await
}

async fn server_on(lab: &Lab) -> (tempfile::TempDir, String, Server) {
    server_with(lab, |_| ()).await
}

async fn server_with(lab: &Lab, change: impl FnOnce(&mut Config)) -> (tempfile::TempDir, String, Server) {
    let (folder, url, state) = state_on(lab, change);
    (folder, url, Server::start_with(state).await)
}

/// What [`lab_server`] serves from, with another configuration.
pub async fn lab_state(change: impl FnOnce(&mut Config)) -> (tempfile::TempDir, String, ServerState) {
    state_on(common::lab().await, change)
}

fn state_on(lab: &Lab, change: impl FnOnce(&mut Config)) -> (tempfile::TempDir, String, ServerState) {
    let (folder, url) = sqlite();
    let args = use_aa::server::config::ServeArgs { database_url: Some(url.parse().unwrap()), ..Default::default() };
    let mut config = Config::from_args(&args).unwrap();
    lab.fill(&mut config);
    change(&mut config);
    (folder, url, ServerState::new(config).unwrap())
}

/// A mint of a new account without gas limits, paymaster or signature, and its owner's key.
pub async fn unsponsored_mint(server: &Server) -> (PrivateKeySigner, UserOperation) {
    let key = PrivateKeySigner::random();
    let account = counterfactual_address(key.address(), U256::ZERO);
    let (_, fees) = server.call("gas_fees", &json!({})).await;
    let mut data = vec![0x40, 0xd0, 0x97, 0xc3];
    data.extend(FixedBytes::<32>::left_padding_from(account.as_slice()));
    let call = Call { to: DEMO_NFT, value: U256::ZERO, data: data.into() };
    let operation = UserOperation {
        sender: account,
        init_code: init_code(key.address(), U256::ZERO),
        call_data: encode_calls(&[call], false).unwrap(),
        max_fee_per_gas: serde_json::from_value(fees["maxFeePerGas"].clone()).unwrap(),
        max_priority_fee_per_gas: serde_json::from_value(fees["maxPriorityFeePerGas"].clone()).unwrap(),
        signature: wrap(ECDSA_MODULE, &DUMMY_ECDSA),
        ..Default::default()
    };
    (key, operation)
}

/// A sponsored mint of a new account, signed by its owner.
async fn sponsored_mint(server: &Server, expiry: u64) -> (UserOperation, Value) {
    let (key, mut operation) = unsponsored_mint(server).await;
    let context = json!({"mode": "SPONSORED", "calculateGasLimits": true, "expiryDuration": expiry});
    let arguments = json!({"user_operation": operation, "context": context});
    let (status, answer) = server.call("sponsor_user_operation", &arguments).await;
    assert_eq!(status, 200, "{answer}");
    let gas = |name: &str| serde_json::from_value(answer[name].clone()).unwrap();
    operation.call_gas_limit = gas("callGasLimit");
    operation.verification_gas_limit = gas("verificationGasLimit");
    operation.pre_verification_gas = gas("preVerificationGas");
    operation.paymaster_and_data = serde_json::from_value::<Bytes>(answer["paymasterAndData"].clone()).unwrap();
    let hash = operation.hash(CHAIN);
    operation.signature = wrap(ECDSA_MODULE, &key.sign_message_sync(hash.as_slice()).unwrap().as_bytes());
    (operation, json!(hash))
}

/// The ledger's row of an operation, once it is in this state.
pub async fn row(url: &str, user_op_hash: &Value, state: &str) -> LedgerEntry {
    let begun = Instant::now();
    loop {
        let found = ledger(url).await.into_iter().find(|entry| user_op_hash == &json!(entry.user_op_hash)).unwrap();
        if found.state == state {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "still {found:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mined_operation_is_settled_at_its_cost() {
    let (_folder, url, server) = lab_server().await;
    let (operation, hash) = sponsored_mint(&server, 600).await;
    let reserved = row(&url, &hash, "reserved").await;
    assert_eq!(reserved.max_cost, operation.required_prefund().to_string());
    let most = used_gwei(&url).await;
    assert_eq!(U256::from(most), operation.required_prefund().div_ceil(U256::from(1_000_000_000)));
    let (status, sent) = server.call("send_user_operation", &json!({"user_operation": operation})).await;
    assert_eq!((status, &sent), (200, &hash), "{sent}");
    let lines = server.follow(&hash, Duration::from_secs(20)).await;
    let cost: U256 = serde_json::from_value(lines.last().unwrap().1["receipt"]["actualGasCost"].clone()).unwrap();
    let settled = row(&url, &hash, "settled").await;
    assert_eq!(settled.actual_cost, Some(cost.to_string()));
    let used = used_gwei(&url).await;
    assert_eq!(U256::from(used), cost.div_ceil(U256::from(1_000_000_000)));
    println!("reserved {most} gwei, paid {used} gwei");
    assert!(used < most);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_runs_out_unused_is_given_back() {
    // A lab of its own: its clock is moved, and bundlers go by theirs.
    let lab = Lab::start(LabOptions::default()).await.unwrap();
    let (_folder, url, server) = server_on(&lab).await;
    let (_, hash) = sponsored_mint(&server, 30).await;
    row(&url, &hash, "reserved").await;
    assert!(used_gwei(&url).await > 0);
    let rpc = lab.info().rpc_url.expose().to_string();
    common::rpc(&rpc, "evm_increaseTime", json!([200])).await;
    // No block comes: on a chain where nobody sends, who holds too many offers could never send again.
    row(&url, &hash, "released").await;
    assert_eq!(used_gwei(&url).await, 0);
    drop(server);
    without_logs(&lab).await;
    lab.stop().await;
}

/// A node that refuses logs, or, after the first time, all but short ranges of them; everything else is passed on.
async fn refusing(lab: &Lab, logs: Arc<AtomicU64>) -> Upstream {
    let rpc = lab.info().rpc_url.expose().to_string();
    Upstream::start(move |call| {
        let (method, params) = (call["method"].as_str().unwrap().to_owned(), call["params"].clone());
        if method == "eth_getLogs" {
            let block = |name: &str| u64::from_str_radix(&params[0][name].as_str().unwrap()[2..], 16);
            let blocks = block("toBlock").and_then(|to| Ok(to - block("fromBlock")?)).map_or(0, |blocks| blocks + 1);
            if blocks > logs.load(Ordering::SeqCst) {
                return Reply::Error {
                    code: -32005,
                    message: "query exceeds max block range".into(),
                    data: Value::Null,
                };
            }
        }
        let rpc = rpc.clone();
        Reply::Result(tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async move { common::rpc(&rpc, &method, params).await })
        }))
    })
    .await
}

/// One provider's refusal of a range stopped sponsoring for everybody, because nothing was released any more.
async fn without_logs(lab: &Lab) {
    let logs = Arc::new(AtomicU64::new(0));
    let node = refusing(lab, logs.clone()).await;
    let (_folder, url, server) = server_with(lab, |config| {
        config.rpc_urls = vec![node.url().parse().unwrap()];
        let text = "targets = [{address = \"*\"}]\n[budgets]\nglobal_per_day = \"10 ether\"\n[open]\nper_caller = 2";
        config.sponsor_policy = Some(policy(text));
    })
    .await;
    // One is mined, one runs out; two may be open.
    let (operation, mined) = sponsored_mint(&server, 60).await;
    let (status, answer) = server.call("send_user_operation", &json!({"user_operation": operation})).await;
    assert_eq!(status, 200, "{answer}");
    let bundler = lab.info().bundler_url.expose().to_string();
    let begun = Instant::now();
    while common::rpc(&bundler, "eth_getUserOperationReceipt", json!([mined])).await.is_null() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (_, unused) = sponsored_mint(&server, 60).await;
    let rpc = lab.info().rpc_url.expose().to_string();
    common::rpc(&rpc, "evm_increaseTime", json!([200])).await;
    row(&url, &unused, "released").await;
    let presumed = row(&url, &mined, "settled").await;
    assert_eq!(presumed.actual_cost, None, "it holds what it may have cost");
    let most = U256::from(used_gwei(&url).await);
    assert_eq!(most, operation.required_prefund().div_ceil(U256::from(1_000_000_000)));
    for _ in 0..2 {
        sponsored_mint(&server, 60).await;
    }
    // Ranges of up to seven blocks are answered: the true cost.
    logs.store(7, Ordering::SeqCst);
    let begun = Instant::now();
    let cost = loop {
        if let Some(cost) = row(&url, &mined, "settled").await.actual_cost {
            break cost;
        }
        assert!(begun.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(cost.parse::<U256>().unwrap() < operation.required_prefund());
}
