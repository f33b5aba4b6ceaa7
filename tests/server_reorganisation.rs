//! The watcher on the real lab: logs pushed by anvil, blocks that anvil takes back, an operation whose nonce another
//! one uses up, and one that the bundler cannot mine for long.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
mod server_support;

use std::time::{Duration, Instant};

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol,
    sol_types::SolCall,
};
use serde_json::{Value, json};
use server_support::{Server, states};
use use_aa::{
    lab::{Lab, LabOptions},
    protocol::{
        addresses::{DEMO_NFT, ECDSA_MODULE, ENTRY_POINT},
        signature::{DUMMY_ECDSA, wrap},
        smart_account::{Call, counterfactual_address, encode_calls, init_code},
        user_operation::UserOperation,
    },
    server::{config::Config, state::ServerState},
};

sol! {
    struct Packed {
        address sender; uint256 nonce; bytes initCode; bytes callData; uint256 callGasLimit;
        uint256 verificationGasLimit; uint256 preVerificationGas; uint256 maxFeePerGas; uint256 maxPriorityFeePerGas;
        bytes paymasterAndData; bytes signature;
    }
    function handleOps(Packed[] ops, address beneficiary) external;
    function safeMint(address to) external;
}

const PATIENCE: Duration = Duration::from_secs(30);

/// A lab of its own (its blocks are taken back), and our server on its web socket.
async fn start(confirmations: u64) -> (Lab, Server, ServerState, String) {
    let lab = Lab::start(LabOptions::default()).await.unwrap();
    let mut config = Config::from_args(&Default::default()).unwrap();
    lab.fill(&mut config);
    let rpc = lab.info().rpc_url.expose().to_string();
    config.rpc_urls = vec![rpc.replace("http://", "ws://").parse().unwrap()];
    config.confirmations = confirmations;
    let state = ServerState::new(config).unwrap();
    (lab, Server::start_with(state.clone()).await, state, rpc)
}

/// A signed, sponsored operation of a new account that mints.
async fn operation(server: &Server, key: &PrivateKeySigner) -> (UserOperation, Value) {
    let account = counterfactual_address(key.address(), U256::ZERO);
    let (_, fees) = server.call("gas_fees", &json!({})).await;
    let number = |value: &Value| serde_json::from_value::<U256>(value.clone()).unwrap();
    let mint = Call { to: DEMO_NFT, value: U256::ZERO, data: safeMintCall { to: account }.abi_encode().into() };
    let mut operation = UserOperation {
        sender: account,
        init_code: init_code(key.address(), U256::ZERO),
        call_data: encode_calls(&[mint], false).unwrap(),
        max_fee_per_gas: number(&fees["maxFeePerGas"]),
        max_priority_fee_per_gas: number(&fees["maxPriorityFeePerGas"]),
        signature: wrap(ECDSA_MODULE, &DUMMY_ECDSA),
        ..Default::default()
    };
    let arguments = json!({"user_operation": operation, "context": server_support::sponsor_context()});
    let (status, sponsorship) = server.call("sponsor_user_operation", &arguments).await;
    assert_eq!(status, 200, "{sponsorship}");
    operation.call_gas_limit = number(&sponsorship["callGasLimit"]);
    operation.verification_gas_limit = number(&sponsorship["verificationGasLimit"]);
    operation.pre_verification_gas = number(&sponsorship["preVerificationGas"]);
    operation.paymaster_and_data = serde_json::from_value(sponsorship["paymasterAndData"].clone()).unwrap();
    let hash = sign(&mut operation, key);
    (operation, json!(hash))
}

fn sign(operation: &mut UserOperation, key: &PrivateKeySigner) -> B256 {
    let hash = operation.hash(31337);
    operation.signature = wrap(ECDSA_MODULE, &key.sign_message_sync(hash.as_slice()).unwrap().as_bytes());
    hash
}

/// Until the node pushes its logs.
async fn pushing(state: &ServerState) {
    let deadline = Instant::now() + PATIENCE;
    while state.health()[0].pushing != Some(true) {
        assert!(Instant::now() < deadline, "{:?}", state.health());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_are_taken_back_take_the_operation_back() {
    let (lab, server, state, rpc) = start(4).await;
    let (operation, hash) = operation(&server, &PrivateKeySigner::random()).await;
    let (status, sent) = server.call("send_user_operation", &json!({"user_operation": operation})).await;
    assert_eq!((status, &sent), (200, &hash), "{sent}");
    let story = async {
        pushing(&state).await;
        let deadline = Instant::now() + PATIENCE;
        let mined = || async { common::rpc(&rpc, "eth_blockNumber", json!([])).await };
        let before = mined().await;
        // Until its block is there; then two blocks are replaced by empty ones, and more are mined.
        loop {
            let params =
                json!([{"fromBlock": "0x0", "toBlock": "latest", "address": ENTRY_POINT, "topics": [null, hash]}]);
            if common::rpc(&rpc, "eth_getLogs", params).await.as_array().is_some_and(|logs| !logs.is_empty()) {
                break;
            }
            assert!(Instant::now() < deadline, "not mined since {before}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        common::rpc(&rpc, "anvil_reorg", json!([2, []])).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        common::rpc(&rpc, "anvil_mine", json!(["0x6"])).await;
    };
    // The bundler thinks that it is done; the operation is sent again by whoever wants it.
    let follow = server.follow(&hash, Duration::from_secs(6));
    let ((), lines) = tokio::join!(story, follow);
    let states = states(&lines);
    println!("{states:?}");
    let included = states.iter().position(|state| state == "included").expect("included");
    assert!(states[included..].contains(&"submitted".to_owned()), "taken back: {states:?}");
    assert_ne!(states.last().unwrap(), "confirmed", "it is on no block any more");
    drop(server);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operation_whose_nonce_another_one_used_is_replaced() {
    let (lab, server, state, rpc) = start(1).await;
    let key = PrivateKeySigner::random();
    let (first, first_hash) = operation(&server, &key).await;
    let (mut second, _) = operation(&server, &key).await;
    // The same nonce, other fees: another operation.
    second.max_fee_per_gas = first.max_fee_per_gas + first.max_fee_per_gas / U256::from(5);
    second.paymaster_and_data = Bytes::new();
    let second_hash = sign(&mut second, &key);
    common::rpc(&rpc, "anvil_setBalance", json!([second.sender, "0xde0b6b3a7640000"])).await;
    // Nothing is mined: the first one waits in the bundler's transaction.
    common::rpc(&rpc, "evm_setAutomine", json!([false])).await;
    let (status, sent) = server.call("send_user_operation", &json!({"user_operation": first})).await;
    assert_eq!((status, &sent), (200, &first_hash), "{sent}");
    let story = async {
        pushing(&state).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        // Somebody else's bundle, with a tip that comes first.
        let packed = Packed {
            sender: second.sender,
            nonce: second.nonce,
            initCode: second.init_code.clone(),
            callData: second.call_data.clone(),
            callGasLimit: second.call_gas_limit,
            verificationGasLimit: second.verification_gas_limit + U256::from(500_000),
            preVerificationGas: second.pre_verification_gas,
            maxFeePerGas: second.max_fee_per_gas,
            maxPriorityFeePerGas: second.max_priority_fee_per_gas,
            paymasterAndData: second.paymaster_and_data.clone(),
            signature: Bytes::new(),
        };
        let mut signed = second.clone();
        signed.verification_gas_limit = packed.verificationGasLimit;
        let hash = sign(&mut signed, &key);
        let packed = Packed { signature: signed.signature.clone(), ..packed };
        let bundler = Address::repeat_byte(0xb0);
        common::rpc(&rpc, "anvil_impersonateAccount", json!([bundler])).await;
        common::rpc(&rpc, "anvil_setBalance", json!([bundler, "0x56bc75e2d63100000"])).await;
        let data = Bytes::from(handleOpsCall { ops: vec![packed], beneficiary: bundler }.abi_encode());
        let transaction = json!({"from": bundler, "to": ENTRY_POINT, "input": data, "gas": "0x4c4b40",
            "maxFeePerGas": "0x174876e800", "maxPriorityFeePerGas": "0x174876e800"});
        common::rpc(&rpc, "eth_sendTransaction", json!([transaction])).await;
        common::rpc(&rpc, "anvil_mine", json!(["0x1"])).await;
        hash
    };
    let (by, lines) = tokio::join!(story, server.follow(&first_hash, PATIENCE));
    assert_ne!(by, second_hash);
    println!("{:?}", states(&lines));
    let last = &lines.last().unwrap().1;
    assert_eq!((&last["status"], &last["by"]), (&json!("replaced"), &json!(by)), "{last}");
    assert!(last["transactionHash"].is_string(), "{last}");
    common::rpc(&rpc, "evm_setAutomine", json!([true])).await;
    drop(server);
    lab.stop().await;
}
