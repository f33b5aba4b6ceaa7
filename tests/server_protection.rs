//! What keeps the server standing and silent: rates, host names, depth, keys, and no secret in any answer or log.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod server_support;

use std::{
    io::Read,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use alloy::primitives::B256;
use serde_json::{Value, json};
use server_support::{Reply, Server, Upstream, config, node_fees, operation, sponsor_context};
use use_aa::{
    protocol::{addresses::ENTRY_POINT, user_operation::UserOperation},
    server::{
        api_keys::{NewKey, Scope},
        config::{Config, PaymasterConfig, PaymasterDialect, Rate, Secret},
        state::ServerState,
    },
};

const CHAIN: u64 = 31337;

/// Answers as a chain and a bundler do that have nothing to say.
async fn upstream() -> Upstream {
    Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_chainId" => Reply::Result(json!("0x7a69")),
        "eth_supportedEntryPoints" => Reply::Result(json!(["0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789"])),
        "pimlico_getUserOperationGasPrice" => {
            Reply::Result(json!({"standard": {"maxFeePerGas": "0x826299e00", "maxPriorityFeePerGas": "0x6fc23ac00"}}))
        }
        "eth_estimateUserOperationGas" => Reply::Result(
            json!({"callGasLimit": "0x12da1", "verificationGasLimit": "0x1536f", "preVerificationGas": "0xbcb43"}),
        ),
        "eth_sendUserOperation" => {
            let sent: UserOperation = serde_json::from_value(call["params"][0].clone()).unwrap();
            Reply::Result(json!(sent.hash(CHAIN)))
        }
        "pimlico_getUserOperationStatus" => Reply::Result(json!({"status": "not_found", "transactionHash": null})),
        _ => node_fees(call).unwrap_or(Reply::Result(Value::Null)),
    })
    .await
}

fn with(upstream: &Upstream, change: impl FnOnce(&mut Config)) -> (Config, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&upstream.url(), &upstream.url());
    config.data_dir = folder.path().to_owned();
    config.database_url = None;
    change(&mut config);
    (config, folder)
}

async fn key(state: &ServerState, scopes: &[Scope], requests_per_minute: Option<u32>) -> String {
    let new = NewKey {
        chain_id: CHAIN,
        label: "test".into(),
        scopes: scopes.to_vec(),
        requests_per_minute,
        budget_per_day: None,
        expires_at: None,
    };
    state.database().issue_key(new).await.unwrap().0.expose().to_owned()
}

async fn rpc(server: &Server, path: &str, body: Value) -> (u16, Value) {
    let answer = server.client.post(format!("{}{path}", server.url)).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

fn call(method: &str, params: Value) -> Value {
    json!({"method": method, "params": params, "id": 1_723_000_000, "jsonrpc": "2.0"})
}

#[tokio::test]
async fn one_address_may_ask_only_so_often() {
    let upstream = upstream().await;
    let (config, _folder) =
        with(&upstream, |config| config.protection.rate_limit = Some(Rate { per_second: 1, burst: 3 }));
    let server = Server::start(config).await;
    for _ in 0..3 {
        assert_eq!(server.call("chain_info", &json!({})).await.0, 200);
    }
    let refused = server.post("chain_info").body("{}").send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(refused.headers()["x-content-type-options"], "nosniff");
    assert_eq!(
        refused.json::<Value>().await.unwrap(),
        json!({"error": "RateLimited", "scope": "address", "seconds": 1})
    );
    // Pages and JSON-RPC count to the same address; files and health do not.
    assert_eq!(server.client.get(&server.url).send().await.unwrap().status(), 429);
    let (status, answer) = rpc(&server, "/api/v2/31337/x", call("eth_chainId", json!([]))).await;
    assert_eq!((status, &answer["error"]["code"]), (429, &json!(-32005)));
    assert_eq!(server.client.get(format!("{}/healthz", server.url)).send().await.unwrap().status(), 200);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(server.call("chain_info", &json!({})).await.0, 200);
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_caller_is_counted() {
    let upstream = upstream().await;
    let (config, _folder) = with(&upstream, |config| {
        config.protection.rate_limit = Some(Rate { per_second: 1, burst: 1 });
        config.protection.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    });
    let server = Server::start(config).await;
    let from = async |address: &str| {
        let request = server.post("chain_info").header("x-forwarded-for", address).body("{}");
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(from("203.0.113.1").await, 200);
    assert_eq!(from("203.0.113.1").await, 429);
    assert_eq!(from("203.0.113.2").await, 200);
    assert_eq!(from("203.0.113.9, 203.0.113.2").await, 429, "what the caller wrote in front does not help");
}

/// Each offer of a distributed key takes one out of the pool, beside what else the address asks.
#[tokio::test]
async fn one_address_is_offered_only_so_many_distributed_keys() {
    let upstream = upstream().await;
    let (config, _folder) = with(&upstream, |config| {
        config.protection.rate_limit = Some(Rate { per_second: 50, burst: 200 });
        config.protection.key_offers = Some(2);
        config.protection.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    });
    let server = Server::start(config).await;
    let ask = async |function: &str, address: &str| {
        server.post(function).header("x-forwarded-for", address).body("{}").send().await.unwrap()
    };
    for _ in 0..2 {
        let answer = ask("offer_distributed_key", "203.0.113.1").await.json::<Value>().await.unwrap();
        assert_eq!(answer["error"], "NoDistributedKeys", "counted, whatever comes of it");
    }
    let refused = ask("offer_distributed_key", "203.0.113.1").await;
    assert_eq!(refused.status(), 429);
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((440..=450).contains(&seconds), "one more each 450 s: {seconds}");
    assert_eq!(
        refused.json::<Value>().await.unwrap(),
        json!({"error": "RateLimited", "scope": "address", "seconds": seconds})
    );
    assert_eq!(ask("chain_info", "203.0.113.1").await.status(), 200);
    assert_eq!(ask("key_network", "203.0.113.1").await.json::<Value>().await.unwrap()["error"], "NoDistributedKeys");
    let other = ask("offer_distributed_key", "203.0.113.2").await.json::<Value>().await.unwrap();
    assert_eq!(other["error"], "NoDistributedKeys", "another address has offers of its own");
}

#[tokio::test]
async fn names_of_other_sites_are_not_answered() {
    let upstream = upstream().await;
    let (config, _folder) = with(&upstream, |_| {});
    let server = Server::start(config).await;
    for path in ["/", "/healthz", "/api/fn/chain_info", "/api/v2/31337/x", "/no-such-page"] {
        let request = server.client.get(format!("{}{path}", server.url)).header("host", "rebound.example");
        assert_eq!(request.send().await.unwrap().status(), 421, "{path}");
    }
    let same_site =
        server.post("chain_info").header("host", "rebound.example").header("origin", "http://rebound.example");
    assert_eq!(same_site.body("{}").send().await.unwrap().status(), 421);
}

#[tokio::test]
async fn deep_json_is_refused() {
    let upstream = upstream().await;
    let (config, _folder) = with(&upstream, |_| {});
    let server = Server::start(config).await;
    let deep = format!("{}1{}", "[".repeat(60), "]".repeat(60));
    let body = format!(r#"{{"method":"eth_blockNumber","params":{deep}}}"#);
    let answer = server.post("read_chain").body(body).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.json::<Value>().await.unwrap()["expected"], "JSON of modest depth and size");
    assert!(upstream.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn only_issued_keys_are_answered_until_they_are_revoked() {
    let upstream = upstream().await;
    let (config, _folder) = with(&upstream, |_| {});
    let state = ServerState::new(config).unwrap();
    let bundler_key = key(&state, &[Scope::Bundler], None).await;
    let database = state.database().clone();
    let server = Server::start_with(state).await;
    let path = format!("/api/v2/{CHAIN}/{bundler_key}");
    let chain_id = || call("eth_chainId", json!([]));
    assert_eq!(
        rpc(&server, &path, chain_id()).await,
        (200, json!({"jsonrpc": "2.0", "id": 1_723_000_000, "result": "0x7a69"}))
    );
    let unauthorised = |answer: (u16, Value)| {
        assert_eq!((answer.0, &answer.1["error"]["code"]), (401, &json!(-32001)), "{answer:?}");
    };
    unauthorised(rpc(&server, &format!("/api/v1/{CHAIN}/{bundler_key}"), chain_id()).await);
    unauthorised(rpc(&server, &format!("/api/v2/{CHAIN}/nobody"), chain_id()).await);
    // The lab's key is for the lab.
    let lab = "1ab1ab1ab1ab.1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1";
    unauthorised(rpc(&server, &format!("/api/v2/{CHAIN}/{lab}"), chain_id()).await);
    let (status, answer) = rpc(&server, &format!("/api/v2/1/{bundler_key}"), chain_id()).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32003)));
    let get = server.client.get(format!("{}{path}", server.url)).send().await.unwrap();
    assert_eq!(get.status(), 405);
    assert!(database.revoke_key(bundler_key.split('.').next().unwrap()).await.unwrap());
    tokio::time::sleep(Duration::from_millis(2100)).await;
    unauthorised(rpc(&server, &path, chain_id()).await);
}

#[tokio::test]
async fn a_key_with_an_allowance_is_stopped_at_its_end() {
    let upstream = upstream().await;
    let (config, _folder) = with(&upstream, |_| {});
    let state = ServerState::new(config).unwrap();
    let path = format!("/api/v2/{CHAIN}/{}", key(&state, &Scope::ALL, Some(2)).await);
    let server = Server::start_with(state).await;
    assert_eq!(rpc(&server, &path, call("eth_chainId", json!([]))).await.0, 200);
    assert_eq!(rpc(&server, &path, call("eth_chainId", json!([]))).await.0, 200);
    let refused = server.client.post(format!("{}{path}", server.url)).json(&call("eth_chainId", json!([])));
    let refused = refused.send().await.unwrap();
    assert_eq!(refused.status(), 429);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((25..=30).contains(&wait), "{wait}");
}

/// Which calls of a batch were answered, by their ids, and with which codes the others failed.
fn answered(answers: &Value) -> (Vec<u64>, Vec<i64>) {
    let (good, bad): (Vec<_>, Vec<_>) = answers.as_array().unwrap().iter().partition(|one| one["error"].is_null());
    (
        good.iter().map(|one| one["id"].as_u64().unwrap()).collect(),
        bad.iter().map(|one| one["error"]["code"].as_i64().unwrap()).collect(),
    )
}

fn batch(size: u64) -> Value {
    (0..size).map(|id| json!({"method": "eth_chainId", "id": id, "jsonrpc": "2.0"})).collect()
}

/// Fifty calls in one request are fifty calls, by each of the three limits.
#[tokio::test]
async fn every_call_of_a_batch_is_counted() {
    let upstream = upstream().await;
    let (config, _folder) = with(&upstream, |_| {});
    let state = ServerState::new(config).unwrap();
    let path = format!("/api/v2/{CHAIN}/{}", key(&state, &Scope::ALL, Some(5)).await);
    let other = format!("/api/v2/{CHAIN}/{}", key(&state, &Scope::ALL, Some(50)).await);
    let server = Server::start_with(state).await;
    let (status, answers) = rpc(&server, &path, batch(50)).await;
    assert_eq!((status, answered(&answers)), (200, ((0..5).collect(), vec![-32005; 45])));
    assert_eq!(rpc(&server, &path, call("eth_chainId", json!([]))).await.0, 429);
    assert_eq!(answered(&rpc(&server, &other, batch(50)).await.1), ((0..50).collect(), vec![]), "what it may, it may");
    // A batch that nobody answers is counted, too.
    let quiet: Value = (0..3).map(|_| json!({"method": "eth_chainId", "jsonrpc": "2.0"})).collect();
    assert_eq!(rpc(&server, &other, quiet).await.0, 429);

    let rate = Some(Rate { per_second: 1, burst: 8 });
    for (by_key, scope) in [(true, "key"), (false, "address")] {
        let (config, _folder) = with(&upstream, |config| match by_key {
            true => config.protection.key_rate_limit = rate,
            false => config.protection.rate_limit = rate,
        });
        let state = ServerState::new(config).unwrap();
        let keys = [key(&state, &Scope::ALL, None).await, key(&state, &Scope::ALL, None).await];
        let [path, other] = keys.map(|key| format!("/api/v2/{CHAIN}/{key}"));
        let server = Server::start_with(state).await;
        let (_, answers) = rpc(&server, &path, batch(30)).await;
        assert_eq!(answered(&answers), ((0..8).collect(), vec![-32005; 22]), "{scope}");
        let message = answers[29]["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!("too many requests from one {scope}; again in ")), "{message}");
        assert_eq!(rpc(&server, &other, batch(4)).await.0, if by_key { 200 } else { 429 }, "{scope}");
        assert_eq!(server.call("chain_info", &json!({})).await.0, if by_key { 200 } else { 429 }, "{scope}");
    }
}

/// A key that is spelled with `%` gets no allowance beside the one it has.
#[tokio::test]
async fn a_key_has_one_spelling() {
    let (config, _folder) =
        with(&upstream().await, |config| config.protection.key_rate_limit = Some(Rate { per_second: 1, burst: 1 }));
    let state = ServerState::new(config).unwrap();
    let key = key(&state, &Scope::ALL, None).await;
    let server = Server::start_with(state).await;
    let chain_id = || call("eth_chainId", json!([]));
    assert_eq!(rpc(&server, &format!("/api/v2/{CHAIN}/{key}"), chain_id()).await.0, 200);
    for at in 0..3 {
        let spelled = format!("{}%{:02x}{}", &key[..at], key.as_bytes()[at], &key[at + 1..]);
        assert_eq!(rpc(&server, &format!("/api/v2/{CHAIN}/{spelled}"), chain_id()).await.0, 404, "{spelled}");
    }
}

/// One caller that asks for many accounts has two of them counted at a time; others do not wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_caller_has_only_so_many_uses_counted_at_once() {
    let node = Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_blockNumber" => Reply::Result(json!("0x10")),
        "eth_getLogs" => Reply::Late(Duration::from_millis(400), Box::new(Reply::Result(json!([])))),
        _ => node_fees(call).unwrap_or(Reply::Result(Value::Null)),
    })
    .await;
    let (config, _folder) =
        with(&node, |config| config.protection.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]);
    let server = Server::start(config).await;
    let ask = async |account: u64, address: &str| {
        let account = alloy::primitives::Address::left_padding_from(&account.to_be_bytes());
        let request = server.post("session_uses").header("x-forwarded-for", address);
        request.json(&json!({"account": account})).send().await.unwrap().status().as_u16()
    };
    let greedy = futures::future::join_all((1..=30).map(|account| ask(account, "203.0.113.1")));
    let (greedy, other) = tokio::join!(greedy, ask(99, "203.0.113.2"));
    let number = |status: u16| greedy.iter().filter(|one| **one == status).count();
    assert_eq!(other, 200);
    assert!(number(200) >= 2 && number(429) >= 20 && number(200) + number(429) == 30, "{greedy:?}");
    assert_eq!(ask(77, "203.0.113.1").await, 200, "what is over is given back");
}

/// Whoever takes a key back does so in another process. What signs for money does not go by what was known before, nor
/// does the rest of a batch that is under way.
#[tokio::test]
async fn a_revoked_key_signs_nothing_more() {
    const QUOTES: &str = "pm_getFeeQuoteOrData";
    let slow = Reply::Error { code: -32_000, message: "no quotes today".into(), data: Value::Null };
    let paymaster = Upstream::always(Reply::Late(Duration::from_millis(800), Box::new(slow))).await;
    let (config, _folder) = with(&upstream().await, |config| {
        config.paymaster = Some(PaymasterConfig::Remote {
            urls: vec![paymaster.url().parse().unwrap()],
            dialect: PaymasterDialect::Biconomy,
            api_key: Some(Secret::new("key")),
        });
    });
    let operator = ServerState::new(config.clone()).unwrap();
    let key = key(&operator, &Scope::ALL, None).await;
    let path = format!("/api/v1/{CHAIN}/{key}");
    let server = Server::start_with(ServerState::new(config).unwrap()).await;
    let ask = |id: u64| {
        let params = json!([operation(), {"mode": "ERC20", "tokenInfo": {"tokenList": []}}]);
        json!({"method": QUOTES, "params": params, "id": id, "jsonrpc": "2.0"})
    };
    let under_way = rpc(&server, &path, (0..16).map(ask).collect());
    let revoked = async {
        let deadline = Instant::now() + Duration::from_secs(20);
        while paymaster.count(QUOTES) < 8 {
            assert!(Instant::now() < deadline, "nobody asks");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        operator.database().revoke_key(key.split('.').next().unwrap()).await.unwrap();
        rpc(&server, &path, ask(99)).await
    };
    let ((_, answers), (status, refused)) = tokio::join!(under_way, revoked);
    assert_eq!((status, &refused["error"]["code"]), (401, &json!(-32001)), "at once, though it was just believed");
    let codes = answered(&answers).1;
    assert_eq!(codes.iter().filter(|code| **code == -32_000).count(), 8, "those that had begun: {codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == -32_001).count(), 8, "and those that had not: {codes:?}");
    assert_eq!(paymaster.count(QUOTES), 8);
}

/// The shapes of docs/protocol.md 4.2 and 4.4, as in vectors 14.
#[tokio::test]
async fn the_bundlers_methods_answer_as_biconomys_do() {
    let upstream = upstream().await;
    let (config, _folder) = with(&upstream, |_| {});
    let state = ServerState::new(config).unwrap();
    let path = format!("/api/v2/{CHAIN}/{}", key(&state, &[Scope::Bundler], None).await);
    let server = Server::start_with(state).await;
    let entry_point = "0x5ff137d4b0fdcd49dca30c7cf57e578a026d2789";
    let fees = json!({"maxPriorityFeePerGas": "30000000000", "maxFeePerGas": "35000000000"});
    let ask = async |method: &str, params: Value| rpc(&server, &path, call(method, params)).await;
    assert_eq!(ask("biconomy_getGasFeeValues", json!([])).await.1["result"], fees);
    let estimate = json!({"callGasLimit": 77217, "verificationGasLimit": 86895, "preVerificationGas": 772931,
        "validUntil": "0xffffffffffff", "validAfter": "0x00", "maxPriorityFeePerGas": "30000000000", "maxFeePerGas": "35000000000"});
    let sdk = json!({"sender": operation()["sender"], "nonce": "0x0", "initCode": "0x", "callData": "0x1234",
        "signature": "0x12", "paymasterAndData": "0x"});
    let answer = ask("eth_estimateUserOperationGas", json!([sdk, entry_point])).await;
    assert_eq!(answer, (200, json!({"jsonrpc": "2.0", "id": 1_723_000_000, "result": estimate})));
    let simulation = json!({"simulation_type": "validation"});
    let sent: UserOperation = serde_json::from_value(operation()).unwrap();
    let hash = json!(sent.hash(CHAIN));
    assert_eq!(ask("eth_sendUserOperation", json!([operation(), entry_point, simulation])).await.1["result"], hash);
    assert_eq!(upstream.params("eth_sendUserOperation").as_array().unwrap().len(), 2, "other bundlers refuse a third");
    assert_eq!(
        ask("eth_getUserOperationReceipt", json!([hash])).await,
        (200, json!({"jsonrpc": "2.0", "id": 1_723_000_000, "result": null}))
    );
    let (status, answer) = ask("biconomy_getUserOperationStatus", json!([hash])).await;
    assert_eq!((status, &answer["error"]["code"]), (200, &json!(-32004)));
    let (status, answer) = ask("eth_sendUserOperation", json!([sdk, entry_point])).await;
    assert_eq!((status, &answer["error"]["code"]), (200, &json!(-32602)));
    assert_eq!(answer["error"]["message"], "callGasLimit is required and should be a string");
    let (status, answer) = ask("eth_accounts", json!([])).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32601)));
    let batch = json!([call("eth_chainId", json!([])), {"method": "eth_chainId"}, {"method": "nothing", "id": "b"}]);
    let (status, answer) = rpc(&server, &path, batch).await;
    assert_eq!((status, answer.as_array().unwrap().len()), (200, 2));
    assert_eq!(
        (&answer[0]["result"], &answer[1]["id"], &answer[1]["error"]["code"]),
        (&json!("0x7a69"), &json!("b"), &json!(-32601))
    );
}

#[tokio::test]
async fn dapps_of_any_site_may_call_with_a_key() {
    let upstream = upstream().await;
    let (config, _folder) = with(&upstream, |_| {});
    let server = Server::start(config).await;
    let url = format!("{}/api/v2/{CHAIN}/x", server.url);
    let preflight = server.client.request(reqwest::Method::OPTIONS, &url).header("origin", "https://dapp.example");
    let preflight = preflight.send().await.unwrap();
    assert!(preflight.status().is_success());
    assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    assert!(preflight.headers()["access-control-allow-headers"].to_str().unwrap().contains("content-type"));
    let refused =
        server.client.post(&url).header("origin", "https://dapp.example").json(&call("eth_chainId", json!([])));
    let refused = refused.send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["access-control-allow-origin"]),
        (401, &"*".parse().unwrap())
    );
    // Server functions stay closed to them.
    let function = server.post("chain_info").header("origin", "https://dapp.example").body("{}").send().await.unwrap();
    assert_eq!((function.status().as_u16(), function.headers().get("access-control-allow-origin")), (403, None));
}

#[tokio::test]
async fn request_ids_reach_the_upstream() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let length = stream.read(&mut head).await.unwrap();
        stream.write_all(b"HTTP/1.1 500 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
        String::from_utf8_lossy(&head[..length]).into_owned()
    });
    let (config, _folder) = with(&upstream().await, |config| config.rpc_urls = vec![url.parse().unwrap()]);
    let server = Server::start(config).await;
    let request = server.post("read_chain").header("x-request-id", "from-the-page-1");
    let answer = request.json(&json!({"method": "eth_blockNumber", "params": []})).send().await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "from-the-page-1");
    let head = seen.await.unwrap();
    assert!(head.contains("x-request-id: from-the-page-1"), "{head}");
}

#[tokio::test]
async fn metrics_are_for_this_machine_or_for_the_token() {
    let upstream = upstream().await;
    let (open, _folder) = with(&upstream, |_| {});
    let server = Server::start(open).await;
    server.call("chain_info", &json!({})).await;
    server.call("gas_fees", &json!({})).await;
    let url = format!("{}/metrics", server.url);
    let text = server.client.get(&url).send().await.unwrap().text().await.unwrap();
    for part in [
        "use_aa_http_requests_total{route=\"/api/fn/chain_info\",status=\"2xx\"}",
        "use_aa_upstream_requests_total{upstream=\"bundler\",entry=\"0\",outcome=\"answered\"}",
        "use_aa_upstream_circuit{upstream=\"bundler\",entry=\"0\"} 0",
        "use_aa_http_request_duration_seconds_bucket",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("no-such-function"));
    server.call("no-such-function", &json!({})).await;
    let text = server.client.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(!text.contains("no-such-function"), "a caller's words are no label");
    let proxied = server.client.get(&url).header("x-forwarded-for", "203.0.113.1").send().await.unwrap();
    assert_eq!(proxied.status(), 404);
    let (closed, _folder) = with(&upstream, |config| config.protection.metrics_token = Some("t0ken".parse().unwrap()));
    let server = Server::start(closed).await;
    let url = format!("{}/metrics", server.url);
    assert_eq!(server.client.get(&url).send().await.unwrap().status(), 404);
    assert_eq!(server.client.get(&url).bearer_auth("wrong").send().await.unwrap().status(), 404);
    assert_eq!(server.client.get(&url).bearer_auth("t0ken").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn readiness_names_who_is_missing_and_asks_once_for_many() {
    let upstream = upstream().await;
    let (config, _folder) = with(&upstream, |_| {});
    let server = Server::start(config).await;
    let url = format!("{}/readyz", server.url);
    let many = futures::future::join_all((0..20).map(|_| server.client.get(&url).send())).await;
    assert!(many.into_iter().all(|answer| answer.unwrap().status() == 200));
    assert!(upstream.count("eth_supportedEntryPoints") <= 2, "{}", upstream.count("eth_supportedEntryPoints"));
    let report: Value = server.client.get(&url).send().await.unwrap().json().await.unwrap();
    let names: Vec<_> = report["upstreams"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, [json!("node"), json!("bundler"), json!("database")]);
}

/// The program itself, and what it logs.
struct Program {
    base: String,
    client: reqwest::Client,
    folder: tempfile::TempDir,
    child: std::process::Child,
    log: Option<std::thread::JoinHandle<String>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

impl Program {
    /// Serves in a folder of its own, with these variables and no others.
    async fn start(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(env!("CARGO_BIN_EXE_use-aa"))
            .arg("serve")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("USE_AA_ADDR", format!("127.0.0.1:{port}"))
            .env("USE_AA_DATA_DIR", folder.path())
            .envs(variables.iter().copied())
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut log = Vec::new();
            errors.read_to_end(&mut log).unwrap();
            String::from_utf8_lossy(&log).into_owned()
        });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let base = format!("http://127.0.0.1:{port}");
        let deadline = Instant::now() + Duration::from_secs(30);
        while client.get(format!("{base}/healthz")).send().await.is_err() {
            assert!(Instant::now() < deadline, "the server does not come up");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self { base, client, folder, child, log: Some(log) }
    }

    /// Ends it as an operator would; what it logged.
    async fn stop(mut self) -> String {
        let process = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).unwrap();
        // It says nothing more when it is gone.
        let log = self.log.take().unwrap();
        let log = tokio::task::spawn_blocking(move || log.join().unwrap()).await.unwrap();
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "{ended}");
        log
    }
}

/// The whole program with secrets everywhere one can be put, at its most talkative: none of them comes out.
#[tokio::test]
async fn no_secret_is_in_any_answer_or_log() {
    const MARK: &str = "5ecre7";
    // Repeat what they were asked, key and all, as services do in their errors.
    let parrot = |words: &'static str| {
        Upstream::start(move |call| match call["method"].as_str().unwrap() {
            "eth_chainId" => Reply::Result(json!("0x7a69")),
            method => {
                Reply::Error { code: -32000, message: format!("{method} refused at {words}"), data: json!(words) }
            }
        })
    };
    let node = parrot("/v2/5ecre7path0123456789/rpc?apikey=5ecre7query0123456789").await;
    let paymaster = parrot("/api/5ecre7path0123456789 for 5ecre7apikey0123456789 by 5ecre7context0123456789").await;
    let host = node.addr;
    let upstream =
        format!("http://user:5ecre7password@{host}/v2/5ecre7path0123456789/rpc?apikey=5ecre7query0123456789");
    let signer = format!("{}5ecr{}", "0".repeat(8), "7".repeat(52));
    let program = Program::start(&[
        ("RUST_LOG", "trace"),
        ("USE_AA_RPC_URL", &upstream),
        ("USE_AA_BUNDLER_URL", &upstream),
        ("USE_AA_PAYMASTER_URL", &format!("http://{}/api/5ecre7path0123456789/{{key}}", paymaster.addr)),
        ("USE_AA_PAYMASTER_DIALECT", "erc7677"),
        ("USE_AA_PAYMASTER_API_KEY", "5ecre7apikey0123456789"),
        ("USE_AA_PAYMASTER_CONTEXT", r#"{"policyId":"5ecre7context0123456789"}"#),
        ("USE_AA_PAGE_SPONSORSHIP", "on"),
        ("USE_AA_METRICS_TOKEN", "5ecre7metrics0123456789"),
    ])
    .await;
    let Program { client, base, folder, .. } = &program;
    let mut answers = String::new();
    let mut keep = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.unwrap();
        answers += &format!("{} {:?}\n", answer.status(), answer.headers());
        answers += &answer.text().await.unwrap();
    };
    for path in
        ["/", "/no-such-page", "/readyz", "/metrics", "/healthz", "/hooks", "/pkg/none", "/api/v2/31337/5ecre7guess"]
    {
        keep(client.get(format!("{base}{path}"))).await;
    }
    let with_operation = json!({"user_operation": operation(), "context": sponsor_context(), "state_override": null});
    let functions = [
        ("chain_info", json!({})),
        ("gas_fees", json!({})),
        ("account_state", json!({"account": operation()["sender"], "nonce_key": "0x0"})),
        ("read_chain", json!({"method": "eth_blockNumber", "params": []})),
        ("estimate_user_operation_gas", with_operation.clone()),
        ("send_user_operation", with_operation.clone()),
        ("sponsor_user_operation", with_operation),
        ("nobody", json!({})),
    ];
    for (function, arguments) in functions {
        keep(client.post(format!("{base}/api/fn/{function}")).json(&arguments)).await;
    }
    // A key in the path is a secret, too: it must not be logged, right or wrong.
    for service in ["v1", "v2"] {
        let url = format!("{base}/api/{service}/31337/5ecre7guess00.5ecre7guess");
        keep(client.post(url).json(&call("eth_chainId", json!([])))).await;
    }
    keep(client.get(format!("{base}/metrics")).bearer_auth("5ecre7metrics0123456789")).await;
    let wrong = Command::new(env!("CARGO_BIN_EXE_use-aa"))
        .arg("serve")
        .env("USE_AA_PAYMASTER_SIGNER_KEY", format!("{signer}x"))
        .env("USE_AA_PAYMASTER_ADDRESS", "0x00000f79B7FaF42EEBAdbA19aCc07cD08Af44789")
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(!wrong.status.success());
    assert!(!String::from_utf8_lossy(&wrong.stderr).contains("5ecr"), "{wrong:?}");
    let log = program.stop().await;
    assert!(log.contains("answered") && answers.contains("UpstreamRejected"), "something was said at all");
    for (what, text) in [("an answer", &answers), ("the log", &log)] {
        let line = text.lines().find(|line| line.contains(MARK));
        assert_eq!(line, None, "a secret is in {what}");
    }
}

/// Databases that fail, each in words that callers have no business with. Those get the id by which the operator finds
/// them in the log.
#[tokio::test]
async fn what_a_database_says_is_for_the_log() {
    let upstream = upstream().await;
    let url = upstream.url();
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("in-the-way");
    std::fs::write(&in_the_way, "a file where a folder should be").unwrap();
    let garbage = folder.path().join("5ecre7.sqlite");
    std::fs::write(&garbage, "no database ".repeat(1_000)).unwrap();
    let data_dir = in_the_way.join("5ecre7folder").display().to_string();
    let kinds = [
        ("USE_AA_DATA_DIR", data_dir, "5ecre7folder"),
        ("USE_AA_DATABASE_URL", format!("sqlite://{}", garbage.display()), "not a database"),
        ("USE_AA_DATABASE_URL", "postgres://5ecre7user:hidden5ecre7@127.0.0.1:1/5ecre7base".into(), "5ecre7base"),
    ];
    for (variable, value, inner) in kinds {
        let program = Program::start(&[
            ("USE_AA_RPC_URL", &url),
            ("USE_AA_BUNDLER_URL", &url),
            ("USE_AA_PAYMASTER_SIGNER_KEY", &format!("{:064x}", 7)),
            ("USE_AA_PAYMASTER_ADDRESS", "0x00000f79B7FaF42EEBAdbA19aCc07cD08Af44789"),
            ("USE_AA_PAGE_SPONSORSHIP", "on"),
            (variable, &value),
        ])
        .await;
        let (client, base) = (&program.client, &program.base);
        let json_rpc = call("eth_chainId", json!([]));
        let key = format!("{}.{}", "0".repeat(12), "1".repeat(64));
        let sponsor =
            json!({"user_operation": operation(), "context": {"mode": "SPONSORED", "calculateGasLimits": false}});
        let published = json!({"account": operation()["sender"], "root": B256::repeat_byte(1)});
        let asked = [
            ("/api/v1", client.post(format!("{base}/api/v1/{CHAIN}/{key}")).json(&json_rpc)),
            ("/api/v2", client.post(format!("{base}/api/v2/{CHAIN}/{key}")).json(&json_rpc)),
            ("published", client.post(format!("{base}/api/fn/published_sessions")).json(&published)),
            ("sponsor", client.post(format!("{base}/api/fn/sponsor_user_operation")).json(&sponsor)),
            ("readyz", client.get(format!("{base}/readyz"))),
            ("page", client.get(base)),
            ("sessions", client.get(format!("{base}/sessions?account=0x0788816536DEFa6A14779711c0B08b7f0edFe68b"))),
        ];
        let mut references = Vec::new();
        for (index, (what, request)) in asked.into_iter().enumerate() {
            let id = format!("ref-{index}");
            let answer = request.header("x-request-id", &id).send().await.unwrap();
            let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
            for words in ["5ecre7", "os error", "not a database", "in-the-way", "sqlite"] {
                assert!(!text.contains(words), "{variable}, {what}: {text}");
            }
            if !["page", "sessions", "sponsor"].contains(&what) {
                assert!((500..600).contains(&status), "{what}: {status} {text}");
                assert!(text.contains(&format!("the server's log says why (request {id})")), "{what}: {text}");
                references.push(id);
            }
        }
        let log = program.stop().await;
        assert!(!log.contains("hidden5ecre7"), "a password is for nobody");
        assert!(log.contains(inner), "{log}");
        for id in references {
            let found = log.lines().any(|line| line.contains(&format!("id=\"{id}\"")) && line.contains("the database"));
            assert!(found, "{variable}: {id} is not in the log: {log}");
        }
    }
}

/// The program with a limit of 1,024 open files, as many systems have it, and more silent sockets than that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_sockets_keep_nobody_out() {
    let upstream = upstream().await;
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -n 1024; exec {} serve", env!("CARGO_BIN_EXE_use-aa"))])
        .env("RUST_LOG", "warn")
        .env("USE_AA_ADDR", format!("127.0.0.1:{port}"))
        .env("USE_AA_RPC_URL", upstream.url())
        .env("USE_AA_BUNDLER_URL", upstream.url())
        .env("USE_AA_DATA_DIR", folder.path())
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let client = || reqwest::Client::builder().no_proxy().build().unwrap();
    let base = format!("http://127.0.0.1:{port}");
    let deadline = Instant::now() + Duration::from_secs(30);
    while client().get(format!("{base}/healthz")).send().await.is_err() {
        assert!(Instant::now() < deadline, "the server does not come up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let honest = async |path: &str| {
        let begun = Instant::now();
        assert_eq!(client().get(format!("{base}{path}")).send().await.unwrap().status(), 200, "{path}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{path}: {:?}", begun.elapsed());
    };
    let mut silent = Vec::new();
    for _ in 0..1_100 {
        silent.push(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    honest("/healthz").await;
    // Upstreams and database are reached, too.
    honest("/readyz").await;
    let files = std::fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap().count();
    assert!(files < 900, "{files} open files");
    drop(silent);
    child.kill().unwrap();
    let said = child.wait_with_output().unwrap();
    let log = String::from_utf8_lossy(&said.stderr);
    assert!(log.contains("few files may be open"), "{log}");
}

/// Who says nothing, or never the whole of it, is let go in time; who waits for something is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_silent_are_let_go_and_those_who_wait_are_not() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let upstream = upstream().await;
    let (config, _folder) = with(&upstream, |_| {});
    let head = Duration::from_millis(800);
    let room = use_aa::server::http::Room { head, idle: head, ..Default::default() };
    let state = ServerState::with_upstream_timeout(config, Duration::from_millis(700)).unwrap();
    let server = Server::start_within("127.0.0.1:0".parse().unwrap(), state, room).await;
    let addr = server.url.trim_start_matches("http://").to_owned();
    let connect = async |said: String| {
        let mut stream = tokio::net::TcpStream::connect(&addr).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        stream
    };
    let silent = connect(String::new()).await;
    let half = connect("GET /healthz HTTP/1.1\r\nhost: x\r\n".into()).await;
    let kept = connect("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".into()).await;
    let body = json!({"user_op_hash": format!("0x{:064x}", 1)}).to_string();
    let ask = format!(
        "POST /api/fn/user_operation_status HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut wait = connect(ask).await;
    let begun = Instant::now();
    for mut stream in [silent, half, kept] {
        let mut said = Vec::new();
        let ended = tokio::time::timeout(head * 5, stream.read_to_end(&mut said)).await;
        assert!(ended.is_ok(), "it is closed");
    }
    assert!(begun.elapsed() >= head / 2, "{:?}", begun.elapsed());
    // Its heartbeat comes every three seconds.
    let mut said = [0; 4_096];
    let mut heard = 0;
    while begun.elapsed() < Duration::from_secs(4) {
        match tokio::time::timeout(Duration::from_secs(4), wait.read(&mut said)).await {
            Ok(Ok(0)) | Ok(Err(_)) => panic!("the wait was cut"),
            Ok(Ok(_)) => heard += 1,
            Err(_) => break,
        }
    }
    assert!(heard >= 2, "{heard}");
}

/// A caller may choose a question whose answer is too long: that is no reason to leave the node alone.
#[tokio::test]
async fn an_answer_that_is_too_long_breaks_nothing() {
    let upstream = Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_getLogs" => Reply::Result(json!("x".repeat(5 * 1024 * 1024))),
        "eth_blockNumber" => Reply::Result(json!("0x10")),
        _ => Reply::Result(json!("0x7a69")),
    })
    .await;
    let second = self::upstream().await;
    let (config, _folder) =
        with(&upstream, |config| config.rpc_urls = [&upstream, &second].map(|node| node.url().parse().unwrap()).into());
    let server = Server::start(config).await;
    let logs =
        json!({"method": "eth_getLogs", "params": [{"address": ENTRY_POINT, "fromBlock": "0x1", "toBlock": "0x2"}]});
    for _ in 0..6 {
        server.call("read_chain", &logs).await;
    }
    for _ in 0..3 {
        let height = server.call("read_chain", &json!({"method": "eth_blockNumber", "params": []})).await;
        assert_eq!(height, (200, json!("0x10")), "the first node is asked");
    }
}

/// Equal questions that are asked at once go to the node once; later ones are asked anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_questions_at_once_are_asked_once() {
    let upstream = Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_getBalance" => Reply::Late(Duration::from_millis(200), Box::new(Reply::Result(json!("0x5")))),
        "pimlico_getUserOperationGasPrice" => {
            Reply::Result(json!({"standard": {"maxFeePerGas": "0x826299e00", "maxPriorityFeePerGas": "0x6fc23ac00"}}))
        }
        _ => node_fees(call).unwrap_or_else(|| Reply::Result(json!("0x7a69"))),
    })
    .await;
    let (config, _folder) = with(&upstream, |_| {});
    let server = Server::start(config).await;
    let (read, nothing) = (json!({"method": "eth_getBalance", "params": [ENTRY_POINT, "latest"]}), json!({}));
    for round in 1..=2 {
        let answers = futures::future::join_all((0..40).map(|_| server.call("read_chain", &read))).await;
        assert!(answers.iter().all(|answer| *answer == (200, json!("0x5"))));
        assert_eq!(upstream.count("eth_getBalance"), round);
        let fees = futures::future::join_all((0..40).map(|_| server.call("gas_fees", &nothing))).await;
        assert!(fees.iter().all(|answer| answer.0 == 200));
    }
    assert!(upstream.count("pimlico_getUserOperationGasPrice") <= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_names_every_entry_that_is_wrong() {
    let good = upstream().await;
    let other = Upstream::always(Reply::Result(json!("0x1000"))).await;
    let folder = tempfile::tempdir().unwrap();
    let check = |rpc: String, bundler: String| {
        Command::new(env!("CARGO_BIN_EXE_use-aa"))
            .args(["serve", "--check"])
            .env("USE_AA_RPC_URL", rpc)
            .env("USE_AA_BUNDLER_URL", bundler)
            .env("USE_AA_DATA_DIR", folder.path())
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    let (good_url, other_url) = (good.url(), other.url());
    let fine = {
        let good_url = good_url.clone();
        tokio::task::block_in_place(|| check(good_url.clone(), good_url))
    };
    let text = String::from_utf8_lossy(&fine.stdout).into_owned();
    assert!(fine.status.success(), "{fine:?}");
    assert!(text.contains("ok    chain node 1 of 1") && text.contains("ok    database"), "{text}");
    assert!(!text.contains("page sponsorship"), "nobody is paid for anyway: {text}");
    let wrong = tokio::task::block_in_place(|| check(format!("{good_url},{other_url}"), good_url.clone()));
    let text = String::from_utf8_lossy(&wrong.stdout).into_owned();
    assert!(!wrong.status.success(), "{wrong:?}");
    assert!(text.contains("ok    chain node 1 of 2") && text.contains("WRONG chain node 2 of 2"), "{text}");
    assert!(text.contains("it is on chain 4096, USE_AA_CHAIN_ID is 31337"), "{text}");
    assert!(!text.contains("SECRET"), "{text}");
}
