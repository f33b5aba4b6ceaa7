//! `/rpc/{chainId}/{key}`: ERC-7769 and ERC-7677 on one path, with the keys, rates and sponsor guards of the others, and
//! any entry point that the bundler serves. Clients from npm: `end2end/tests/standard-clients.spec.ts`.

use use_aa::{
    protocol::{addresses::ENTRY_POINT, user_operation::UserOperation},
    server::api_keys::{NewKey, Scope},
};

use super::*;

const SEVEN: &str = "0x0000000071727De22E5E9d8BAf0edAc6f37da032";
const TRANSACTION: B256 = B256::repeat_byte(0x77);
/// First topic of `UserOperationEvent`, alike in all versions.
const OPERATION_EVENT: &str = "0x49628fd1471006c1482da88028e9ce4dbb080b815c9b0344d39e5a8e6ec1419f";

/// The hash that the bundler gives to any operation of the later entry point.
fn hash_at_seven() -> B256 {
    B256::repeat_byte(0x70)
}

fn operation_at_seven() -> Value {
    json!({"sender": account(1), "nonce": "0x1", "factory": "0x7702", "callData": "0x12", "callGasLimit": "0x186a0",
        "verificationGasLimit": "0x186a0", "preVerificationGas": "0xc350", "maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x1",
        "paymaster": account(2), "paymasterVerificationGasLimit": "0x7", "paymasterPostOpGasLimit": "0x8",
        "paymasterData": "0x", "signature": "0x12"})
}

/// A node and a bundler that serves two entry points. Another contract logs an event of the same form.
async fn bundler() -> Upstream {
    let event = |address: &str, word: u64| {
        let words =
            [U256::from(3), U256::from(word), U256::from(5), U256::from(6)].map(|word| B256::from(word).to_string());
        let data = format!("0x{}", words.map(|word| word[2..].to_owned()).concat());
        let topics = json!([OPERATION_EVENT, hash_at_seven(), account(1).into_word(), account(2).into_word()]);
        json!({"address": address, "topics": topics, "data": data, "transactionHash": TRANSACTION, "blockNumber": "0x10"})
    };
    let logs = json!([event("0x00000000000000000000000000000000000000f0", 0), event(SEVEN, 1)]);
    Upstream::start(move |call| match call["method"].as_str().unwrap() {
        "eth_supportedEntryPoints" => Reply::Result(json!([ENTRY_POINT, SEVEN])),
        "eth_estimateUserOperationGas" => {
            Reply::Result(json!({"callGasLimit": "0x12da1", "verificationGasLimit": 86_895,
            "preVerificationGas": "0xbcb43", "paymasterVerificationGasLimit": "0x9", "paymasterPostOpGasLimit": null}))
        }
        "eth_sendUserOperation" if call["params"][1] == json!(SEVEN.parse::<Address>().unwrap()) => {
            Reply::Result(json!(hash_at_seven()))
        }
        "eth_sendUserOperation" => {
            let sent: UserOperation = serde_json::from_value(call["params"][0].clone()).unwrap();
            match sent.nonce {
                U256::ZERO => Reply::Result(json!(sent.hash(CHAIN))),
                _ => Reply::Error { code: -32507, message: "AA24 signature error".into(), data: Value::Null },
            }
        }
        "eth_getUserOperationByHash" => {
            Reply::Result(json!({"userOperation": operation_at_seven(), "entryPoint": SEVEN,
            "transactionHash": TRANSACTION, "blockHash": TRANSACTION, "blockNumber": "0x0010"}))
        }
        "pimlico_getUserOperationStatus" => {
            Reply::Result(json!({"status": "included", "transactionHash": TRANSACTION}))
        }
        "eth_getTransactionReceipt" => {
            Reply::Result(json!({"transactionHash": TRANSACTION, "blockNumber": "0x10", "logs": logs}))
        }
        "eth_getBlockByNumber" => {
            Reply::Result(json!({"number": "0x10", "timestamp": "0x10", "baseFeePerGas": format!("{BASE_FEE:#x}")}))
        }
        "eth_maxPriorityFeePerGas" => Reply::Result(json!("0x1")),
        "eth_blockNumber" => Reply::Result(json!("0x10")),
        "pimlico_getUserOperationGasPrice" => {
            Reply::Result(json!({"standard": {"maxFeePerGas": format!("{FEE:#x}"), "maxPriorityFeePerGas": "0x1"}}))
        }
        "eth_getLogs" => Reply::Result(json!([])),
        "eth_call" => Reply::Result(json!(B256::ZERO)),
        other => Reply::Error { code: -32601, message: format!("no {other}"), data: Value::Null },
    })
    .await
}

/// Our server, and a key for each scope and one for all, of so many calls in a minute.
async fn served(upstream: &Upstream) -> (tempfile::TempDir, String, Server, [String; 4]) {
    let (folder, url) = sqlite();
    let lab = include_str!("../../crates/server/src/sponsor/policy.lab.toml");
    let state = ServerState::new(config(upstream, policy(lab), &url)).unwrap();
    let mut keys = Vec::new();
    let kinds: [(&[Scope], _); 4] =
        [(&[Scope::Bundler], None), (&[Scope::Paymaster], None), (&Scope::ALL, None), (&Scope::ALL, Some(2))];
    for (scopes, requests_per_minute) in kinds {
        let (label, scopes) = ("test".into(), scopes.to_vec());
        let new =
            NewKey { chain_id: CHAIN, label, scopes, requests_per_minute, budget_per_day: None, expires_at: None };
        keys.push(state.database().issue_key(new).await.unwrap().0.expose().to_owned());
    }
    (folder, url, Server::start_with(state).await, keys.try_into().unwrap())
}

async fn rpc(server: &Server, key: &str, method: &str, params: Value) -> (u16, Value) {
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let answer = server.client.post(format!("{}/rpc/{CHAIN}/{key}", server.url)).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standard_path_admits_counts_and_sponsors_as_the_others_do() {
    let upstream = bundler().await;
    let (_folder, url, server, [bundler, paymaster, all, two]) = served(&upstream).await;
    let refused = |(status, answer): (u16, Value)| (status, answer["error"]["code"].as_i64());
    let operation = asking(account(1), 0)["user_operation"].clone();
    let sponsor = json!([operation, ENTRY_POINT, "0x7a69", null]);
    for (key, method) in
        [("nobody", "eth_chainId"), (&bundler, "pm_getPaymasterData"), (&paymaster, "eth_sendUserOperation")]
    {
        assert_eq!(refused(rpc(&server, key, method, sponsor.clone()).await), (401, Some(-32001)), "{method}");
    }
    for key in [&bundler, &paymaster, &all] {
        assert_eq!(rpc(&server, key, "eth_chainId", json!([])).await.1["result"], "0x7a69");
    }
    let elsewhere =
        server.client.post(format!("{}/rpc/1/{all}", server.url)).json(&json!({"method": "eth_chainId", "id": 1}));
    assert_eq!(elsewhere.send().await.unwrap().json::<Value>().await.unwrap()["error"]["code"], -32602);
    assert_eq!(rpc(&server, &two, "eth_chainId", json!([])).await.0, 200);
    assert_eq!(rpc(&server, &two, "eth_chainId", json!([])).await.0, 200);
    assert_eq!(refused(rpc(&server, &two, "eth_chainId", json!([])).await), (429, Some(-32005)));

    let signed = rpc(&server, &paymaster, "pm_getPaymasterData", sponsor).await.1;
    assert!(signed["result"]["paymasterAndData"].as_str().unwrap().len() > 40, "{signed}");
    let row = ledger(&url).await.remove(0);
    assert_eq!(row.api_key.as_deref(), paymaster.split('.').next(), "the key's budget is used: {row:?}");
    let mut nothing = operation.clone();
    nothing["callData"] = json!("0x");
    let unpaid = json!([nothing, ENTRY_POINT, "0x7a69", {}]);
    assert_eq!(refused(rpc(&server, &all, "pm_getPaymasterData", unpaid).await), (200, Some(-32501)));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_hex_quantities_and_errors_the_standards_codes() {
    let upstream = bundler().await;
    let (_folder, _url, server, [_, _, all, _]) = served(&upstream).await;
    let ask = async |method: &str, params: Value| rpc(&server, &all, method, params).await;
    let operation = asking(account(1), 0)["user_operation"].clone();
    assert_eq!(ask("eth_supportedEntryPoints", json!([])).await.1["result"], json!([ENTRY_POINT.to_string(), SEVEN]));
    let gas = json!({"callGasLimit": "0x12da1", "verificationGasLimit": "0x1536f", "preVerificationGas": "0xbcb43"});
    assert_eq!(ask("eth_estimateUserOperationGas", json!([operation, ENTRY_POINT, {}])).await.1["result"], gas);
    let sent: UserOperation = serde_json::from_value(operation.clone()).unwrap();
    let hash = json!(sent.hash(CHAIN));
    assert_eq!(ask("eth_sendUserOperation", json!([operation, ENTRY_POINT])).await.1["result"], hash);
    let fees = json!({"maxFeePerGas": format!("{FEE:#x}"), "maxPriorityFeePerGas": "0x1"});
    let advice = json!({"slow": fees, "standard": fees, "fast": fees});
    assert_eq!(ask("pimlico_getUserOperationGasPrice", json!([])).await.1["result"], advice);
    assert_eq!(ask("rundler_maxPriorityFeePerGas", json!([])).await.1["result"], "0x1");
    // Only what was asked for, in the transaction's receipt and by the operation's hash.
    assert_eq!(
        ask("eth_getUserOperationReceipt", json!([hash])).await,
        (200, json!({"jsonrpc": "2.0", "id": 1, "result": null}))
    );

    let unsigned = asking(account(1), 1)["user_operation"].clone();
    let cases = [
        ("eth_sendUserOperation", json!([unsigned, ENTRY_POINT]), -32507),
        ("eth_sendUserOperation", json!([operation, ENTRY_POINT, {}]), -32602),
        ("eth_sendUserOperation", json!([operation, "me"]), -32602),
        ("eth_sendUserOperation", json!([{"sender": account(1)}, ENTRY_POINT]), -32602),
        ("eth_sendUserOperation", json!([{"sender": account(1), "color": "0x1"}, SEVEN]), -32602),
        ("eth_estimateUserOperationGas", json!([operation]), -32602),
        ("eth_getUserOperationReceipt", json!(["0x12"]), -32602),
        ("pm_getPaymasterData", json!([operation, SEVEN, "0x7a69", {}]), -32602),
        ("pm_getPaymasterStubData", json!([operation, ENTRY_POINT, "0x1", {}]), -32602),
        ("biconomy_getGasFeeValues", json!([]), -32601),
        ("pm_sponsorUserOperation", json!([operation, {}]), -32601),
    ];
    for (method, params, code) in cases {
        let (status, answer) = ask(method, params.clone()).await;
        assert_eq!((status, &answer["error"]["code"]), (200, &json!(code)), "{method} {params}: {answer}");
        assert!(!answer["error"]["message"].as_str().unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_entry_point_that_the_bundler_serves_passes_through() {
    let upstream = bundler().await;
    let (_folder, _url, server, [_, _, all, _]) = served(&upstream).await;
    let ask = async |method: &str, params: Value| rpc(&server, &all, method, params).await.1["result"].clone();
    let operation = operation_at_seven();
    let rich = account(3).to_string();
    let gas = json!({"callGasLimit": "0x12da1", "verificationGasLimit": "0x1536f", "preVerificationGas": "0xbcb43",
        "paymasterVerificationGasLimit": "0x9"});
    assert_eq!(ask("eth_estimateUserOperationGas", json!([operation, SEVEN, {&rich: {"balance": "1"}}])).await, gas);
    let passed = upstream.params("eth_estimateUserOperationGas");
    assert_eq!((&passed[0], &passed[2][&rich]["balance"]), (&operation, &json!("0x1")));
    assert_eq!(ask("eth_sendUserOperation", json!([operation, SEVEN])).await, json!(hash_at_seven()));
    assert_eq!(upstream.params("eth_sendUserOperation")[0], operation, "field by field");
    // Clients of the other path know nothing of that entry point.
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_getUserOperationByHash", "params": [hash_at_seven()]});
    let v2 = server.client.post(format!("{}/api/v2/{CHAIN}/{all}", server.url)).json(&body).send().await.unwrap();
    let v2 = v2.json::<Value>().await.unwrap();
    assert_eq!((v2.get("result"), v2.get("error")), (Some(&Value::Null), None), "{v2}");
    let known = ask("eth_getUserOperationByHash", json!([hash_at_seven()])).await;
    let expected = json!({"userOperation": operation, "entryPoint": SEVEN, "transactionHash": TRANSACTION,
        "blockHash": TRANSACTION, "blockNumber": "0x10"});
    assert_eq!(known, expected);
    let receipt = ask("eth_getUserOperationReceipt", json!([hash_at_seven()])).await;
    assert_eq!(
        (&receipt["entryPoint"], &receipt["success"]),
        (&json!(SEVEN), &json!(true)),
        "not the other contract's event"
    );
    assert_eq!(
        (&receipt["nonce"], &receipt["actualGasCost"], &receipt["actualGasUsed"]),
        (&json!("0x3"), &json!("0x5"), &json!("0x6"))
    );
    assert_eq!(receipt["logs"].as_array().unwrap().len(), 2);
}
