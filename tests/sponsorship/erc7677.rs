//! ERC-7677 at `/api/v1/{chainId}/{key}`: stub, estimate, data, bundler; on the real lab.

use std::time::Duration;

use alloy::{primitives::Bytes, signers::SignerSync};
use use_aa::protocol::{
    addresses::{ECDSA_MODULE, ENTRY_POINT},
    signature::wrap,
    user_operation::UserOperation,
};

use super::*;

/// The lab's own key (docs/operations.md).
const LAB_KEY: &str = "1ab1ab1ab1ab.1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1";

async fn rpc(server: &Server, version: &str, method: &str, params: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let url = format!("{}/api/{version}/{CHAIN}/{LAB_KEY}", server.url);
    server.client.post(url).json(&body).send().await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_that_speaks_erc_7677_is_sponsored() {
    let (_folder, url, server) = settling::lab_server().await;
    let (key, mut operation) = settling::unsponsored_mint(&server).await;
    let asked = |operation: &UserOperation| json!([operation, ENTRY_POINT, format!("{CHAIN:#x}"), {}]);
    let stub = rpc(&server, "v1", "pm_getPaymasterStubData", asked(&operation)).await;
    assert_eq!(stub["result"]["isFinal"], json!(false), "{stub}");
    operation.paymaster_and_data = serde_json::from_value::<Bytes>(stub["result"]["paymasterAndData"].clone()).unwrap();
    assert!(ledger(&url).await.is_empty(), "a stub is no decision");
    let gas = rpc(&server, "v2", "eth_estimateUserOperationGas", json!([operation, ENTRY_POINT])).await;
    let limit = |name: &str| {
        let value = &gas["result"][name];
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.parse::<U256>().unwrap_or_else(|_| panic!("{name}: {gas}"))
    };
    operation.call_gas_limit = limit("callGasLimit");
    operation.verification_gas_limit = limit("verificationGasLimit") * U256::from(2);
    operation.pre_verification_gas = limit("preVerificationGas") + U256::from(2_000);
    let signed = rpc(&server, "v1", "pm_getPaymasterData", asked(&operation)).await;
    let signed = serde_json::from_value::<Bytes>(signed["result"]["paymasterAndData"].clone()).unwrap();
    assert_eq!(signed.len(), operation.paymaster_and_data.len());
    operation.paymaster_and_data = signed;
    let hash = operation.hash(CHAIN);
    operation.signature = wrap(ECDSA_MODULE, &key.sign_message_sync(hash.as_slice()).unwrap().as_bytes());
    let sent = rpc(&server, "v2", "eth_sendUserOperation", json!([operation, ENTRY_POINT])).await;
    assert_eq!(sent["result"], json!(hash), "{sent}");
    let lines = server.follow(&json!(hash), Duration::from_secs(20)).await;
    assert_eq!(server_support::states(&lines).last().unwrap(), "confirmed", "{lines:?}");
    settling::row(&url, &json!(hash), "settled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_entry_points_and_what_the_policy_refuses() {
    let (_folder, url, server) = settling::lab_server().await;
    let operation = asking(account(1), 0)["user_operation"].clone();
    let seven = "0x0000000071727De22E5E9d8BAf0edAc6f37da032";
    let wrong = rpc(&server, "v1", "pm_getPaymasterStubData", json!([operation, seven, "0x7a69", {}])).await;
    assert_eq!(wrong["error"]["code"], json!(-32602), "{wrong}");
    let mut nothing = operation.clone();
    nothing["callData"] = json!("0x");
    for method in ["pm_getPaymasterStubData", "pm_getPaymasterData"] {
        let refused = rpc(&server, "v1", method, json!([nothing, ENTRY_POINT, "0x7a69", {}])).await;
        assert_eq!(refused["error"]["code"], json!(-32501), "{method}: {refused}");
    }
    assert_eq!(ledger(&url).await.len(), 1, "only what was decided is written");
}
