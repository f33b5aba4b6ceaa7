//! The status stream against upstreams that tell a story: each state, each dialect, late and many waiters.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "server_status/rendered.rs"]
mod rendered;
mod server_support;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::StreamExt;
use serde_json::{Value, json};
use server_support::{Reply, Server, Upstream, config, operation, states};
use use_aa::server::config::Config;

const EVENT: &str = "0x49628fd1471006c1482da88028e9ce4dbb080b815c9b0344d39e5a8e6ec1419f";
const REVERTED: &str = "0x1c4fada7374c0a9ee8841fc38afe82932dc0f8e69012e927f061a8bae611a201";
const ENTRY_POINT: &str = "0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789";
const SENDER: &str = "0x0000000000000000000000000788816536defa6a14779711c0b08b7f0edfe68b";
const PATIENCE: Duration = Duration::from_secs(20);

fn hash(byte: u8) -> String {
    format!("0x{}", format!("{byte:02x}").repeat(32))
}

/// Hash of [`operation`] on the lab's chain.
fn op_hash() -> String {
    let operation: use_aa::protocol::user_operation::UserOperation = serde_json::from_value(operation()).unwrap();
    operation.hash(31_337).to_string()
}

fn word(value: u64) -> String {
    format!("{value:064x}")
}

/// `UserOperationEvent` of `operation` in transaction 0x77….
fn event(success: bool) -> Value {
    json!({"address": ENTRY_POINT, "topics": [EVENT, op_hash(), SENDER, format!("0x{}", word(0))],
        "data": format!("0x{}{}{}{}", word(0), word(success.into()), word(1_000), word(50)),
        "transactionHash": hash(0x77), "blockNumber": "0x64", "logIndex": "0x0"})
}

/// `Error("Nope")`.
fn revert_reason() -> Value {
    let error = format!("08c379a0{}{}4e6f7065{}", word(32), word(4), "0".repeat(56));
    let data = format!("0x{}{}{}{error}{}", word(0), word(64), word(error.len() as u64 / 2), "0".repeat(56));
    json!({"address": ENTRY_POINT, "topics": [REVERTED, op_hash(), SENDER], "data": data,
        "transactionHash": hash(0x77), "blockNumber": "0x64", "logIndex": "0x1"})
}

/// Milliseconds since the story began.
#[derive(Clone)]
struct Story(Instant);

impl Story {
    fn after(&self, ms: u64) -> bool {
        self.0.elapsed() >= Duration::from_millis(ms)
    }
}

/// A node on which the operation is mined `at` ms after the beginning, with these logs.
async fn node(story: Story, at: u64, logs: Vec<Value>) -> Upstream {
    Upstream::start(move |call| match call["method"].as_str().unwrap() {
        "eth_blockNumber" if story.after(at) => Reply::Result(json!("0x66")),
        "eth_blockNumber" => Reply::Result(json!("0x63")),
        "eth_getLogs" if story.after(at) => Reply::Result(json!(logs)),
        "eth_getLogs" => Reply::Result(json!([])),
        "eth_getTransactionReceipt" if story.after(at) => Reply::Result(json!({"blockNumber": "0x64", "logs": logs})),
        "eth_getTransactionReceipt" => Reply::Result(json!(null)),
        "eth_getBlockByNumber" => Reply::Result(json!({"timestamp": "0x10", "baseFeePerGas": "0x7fffffffff"})),
        "eth_maxPriorityFeePerGas" => Reply::Result(json!("0x1")),
        _ => Reply::Result(json!(null)),
    })
    .await
}

fn unknown_method() -> Reply {
    Reply::Error { code: -32601, message: "method not found".into(), data: Value::Null }
}

/// alto: accepted at once, in a transaction after 200 ms.
async fn alto(story: Story) -> Upstream {
    Upstream::start(move |call| match call["method"].as_str().unwrap() {
        "eth_sendUserOperation" => Reply::Result(json!(op_hash())),
        "pimlico_getUserOperationStatus" if story.after(200) => {
            Reply::Result(json!({"status": "submitted", "transactionHash": hash(0x77)}))
        }
        "pimlico_getUserOperationStatus" => Reply::Result(json!({"status": "not_submitted", "transactionHash": null})),
        "eth_getUserOperationReceipt" => Reply::Result(json!(null)),
        _ => unknown_method(),
    })
    .await
}

fn lab(node: &Upstream, bundler: &Upstream) -> use_aa::server::config::Config {
    let mut config = config(&node.url(), &bundler.url());
    config.lab = true;
    config
}

#[tokio::test]
async fn an_operation_is_told_from_submitted_to_confirmed() {
    let story = Story(Instant::now());
    let (node, bundler) = (node(story.clone(), 500, vec![event(true)]).await, alto(story.clone()).await);
    let server = Server::start(lab(&node, &bundler)).await;
    let (status, sent) = server.call("send_user_operation", &json!({"user_operation": operation()})).await;
    assert_eq!((status, &sent), (200, &json!(op_hash())));
    let lines = server.follow(&sent, PATIENCE).await;
    assert_eq!(states(&lines), ["submitted", "bundled", "included", "confirmed"]);
    assert_eq!(lines[1].1["transactionHash"], hash(0x77));
    assert_eq!(lines[2].1["blockNumber"], 100);
    let receipt = &lines[3].1["receipt"];
    assert_eq!((&receipt["success"], &receipt["actualGasCost"]), (&json!(true), &json!("0x3e8")));
    // Told soon after it happened (a few ms on an idle machine; the limit is for a busy one).
    let late = |index: usize, at: u64| (lines[index].0 - story.0).saturating_sub(Duration::from_millis(at));
    println!("told of the bundle after {:?}, of the block after {:?}", late(1, 200), late(3, 500));
    assert!(late(1, 200) < Duration::from_secs(1), "bundled {:?} late", late(1, 200));
    assert!(late(3, 500) < Duration::from_secs(1), "confirmed {:?} late", late(3, 500));
    // Who comes later hears the latest state only.
    assert_eq!(states(&server.follow(&sent, PATIENCE).await), ["confirmed"]);
}

#[tokio::test]
async fn several_operations_are_told_over_one_stream() {
    let story = Story(Instant::now());
    let (node, bundler) = (node(story.clone(), 500, vec![event(true)]).await, alto(story.clone()).await);
    let mut config = lab(&node, &bundler);
    config.protection.rate_limit = Some(use_aa::server::config::Rate { per_second: 1, burst: 3 });
    let server = Server::start(config).await;
    let sent = server.call("send_user_operation", &json!({"user_operation": operation()})).await.1;
    // Sent from here, so it is followed; of the strangers the first is paid by the request, the second by the third call
    // of the allowance, and the rest are too many.
    let hashes: Vec<Value> = [json!(hash(1)), json!(hash(2)), json!(hash(3)), sent.clone(), sent.clone()].into();
    let request = server.post("user_operation_statuses").json(&json!({"user_op_hashes": hashes}));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let mut text = String::new();
    let mut stream = response.bytes_stream();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while let Ok(Some(Ok(piece))) = tokio::time::timeout_at(deadline, stream.next()).await {
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    let mut ours = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let line: Value = serde_json::from_str(line).unwrap();
        match line["userOpHash"] == sent {
            true => ours.push(line["line"]["status"].as_str().unwrap().to_owned()),
            false if line["line"]["error"] == "RateLimited" => assert_eq!(line["userOpHash"], hash(3), "{line}"),
            // This bundler says of everything that it has it, and then that it bundled it.
            false => assert!(line["line"]["status"].is_string() && line["userOpHash"] != hash(3), "{line}"),
        }
    }
    assert_eq!(ours, ["submitted", "bundled", "included", "confirmed"]);
    assert_eq!(text.matches("RateLimited").count(), 1);
    // Together they have the heartbeats of one.
    let heartbeats = text.lines().filter(|line| line.is_empty()).count();
    assert!((1..=2).contains(&heartbeats), "{heartbeats} in five seconds");
}

#[tokio::test]
async fn a_stream_follows_so_many_operations_and_no_more() {
    let (node, bundler) = (node(Story(Instant::now()), 60_000, vec![]).await, alto(Story(Instant::now())).await);
    let server = Server::start(lab(&node, &bundler)).await;
    let hashes = |number: u8| json!({"user_op_hashes": (1..=number).map(hash).collect::<Vec<_>>()});
    for arguments in [hashes(0), hashes(65), json!({"user_op_hashes": [hash(0)]})] {
        let (status, answer) = server.call("user_operation_statuses", &arguments).await;
        assert_eq!((status, &answer["field"]), (400, &json!("user_op_hashes")), "{answer}");
    }
    let most = server.post("user_operation_statuses").json(&hashes(64)).send().await.unwrap();
    assert_eq!(most.status(), 200);
}

#[tokio::test]
async fn a_reverted_call_is_told_with_its_reason() {
    let story = Story(Instant::now());
    let logs = vec![revert_reason(), event(false)];
    let (node, bundler) = (node(story.clone(), 300, logs).await, alto(story).await);
    let server = Server::start(lab(&node, &bundler)).await;
    let lines = server.follow(&json!(op_hash()), PATIENCE).await;
    assert_eq!(states(&lines).last().unwrap(), "reverted");
    let reason = lines.last().unwrap().1["receipt"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("Nope"), "{reason}");
}

#[tokio::test]
async fn a_dropped_operation_is_told() {
    let bundler = Upstream::start(|call| match call["method"].as_str().unwrap() {
        "biconomy_getUserOperationStatus" => {
            Reply::Result(json!({"state": "DROPPED_FROM_BUNDLER_MEMPOOL", "message": "fee too low"}))
        }
        "eth_getUserOperationReceipt" => Reply::Result(json!(null)),
        _ => unknown_method(),
    })
    .await;
    let node = node(Story(Instant::now()), 60_000, vec![]).await;
    let server = Server::start(lab(&node, &bundler)).await;
    let lines = server.follow(&json!(op_hash()), PATIENCE).await;
    assert_eq!(lines.last().unwrap().1, json!({"status": "dropped", "reason": "fee too low"}));
}

#[tokio::test]
async fn the_chain_has_the_last_word_on_a_failed_bundle() {
    let bundler = Upstream::start(|call| match call["method"].as_str().unwrap() {
        "pimlico_getUserOperationStatus" => Reply::Result(json!({"status": "failed", "transactionHash": hash(0x77)})),
        "eth_getUserOperationReceipt" => Reply::Result(json!(null)),
        _ => unknown_method(),
    })
    .await;
    let node = node(Story(Instant::now()), 0, vec![event(true)]).await;
    let server = Server::start(lab(&node, &bundler)).await;
    assert_eq!(states(&server.follow(&json!(op_hash()), PATIENCE).await).last().unwrap(), "confirmed");
}

#[tokio::test]
async fn biconomys_dialect_is_followed_on_a_public_chain() {
    let story = Story(Instant::now());
    let bundler = Upstream::start({
        let story = story.clone();
        move |call| match call["method"].as_str().unwrap() {
            "biconomy_getUserOperationStatus" if story.after(1_000) => Reply::Result(json!({
                "state": "CONFIRMED", "transactionHash": hash(0x77), "message": "",
                "userOperationReceipt": {"userOpHash": op_hash(), "sender": "0x0788816536DEFa6A14779711c0B08b7f0edFe68b",
                    "nonce": 0, "success": "true", "actualGasCost": 9_007_199_254_740_993u64, "actualGasUsed": 50,
                    "logs": [], "receipt": {"transactionHash": hash(0x77), "blockNumber": 100, "logs": [event(true)]}}
            })),
            "biconomy_getUserOperationStatus" if story.after(100) => {
                Reply::Result(json!({"state": "SUBMITTED", "transactionHash": hash(0x77)}))
            }
            "biconomy_getUserOperationStatus" => {
                Reply::Error { code: -32094, message: "hash not found".into(), data: Value::Null }
            }
            "eth_getUserOperationReceipt" => Reply::Result(json!(null)),
            _ => unknown_method(),
        }
    })
    .await;
    let node = node(story, 1_000, vec![event(true)]).await;
    let server = Server::start(config(&node.url(), &bundler.url())).await;
    let lines = server.follow(&json!(op_hash()), PATIENCE).await;
    assert_eq!(states(&lines), ["submitted", "bundled", "included", "confirmed"]);
}

#[tokio::test]
async fn a_reorganisation_takes_an_operation_back() {
    // Mined at 200 ms; gone, with a second block, two seconds after its log was first read; mined again two seconds later.
    let story = Story(Instant::now());
    let read_first = Arc::new(OnceLock::<Instant>::new());
    let height = Arc::new(AtomicU64::new(100));
    let node = Upstream::start({
        let (story, height) = (story.clone(), height.clone());
        move |call| {
            let since_read = read_first.get().map_or(0, |read| read.elapsed().as_millis());
            let mined = since_read > 4_000 || (story.after(200) && since_read < 2_000);
            match call["method"].as_str().unwrap() {
                "eth_blockNumber" => {
                    Reply::Result(json!(height.load(Ordering::Relaxed) + u64::from(since_read >= 2_000)))
                }
                "eth_getLogs" if mined && since_read == 0 => {
                    read_first.get_or_init(Instant::now);
                    Reply::Result(json!([event(true)]))
                }
                "eth_getLogs" if mined => Reply::Result(json!([event(true)])),
                "eth_getLogs" => Reply::Result(json!([])),
                "eth_getTransactionReceipt" if mined => Reply::Result(json!({"logs": [event(true)]})),
                _ => Reply::Result(json!(null)),
            }
        }
    })
    .await;
    let bundler = alto(story).await;
    let server = Server::start(Config { confirmations: 2, ..config(&node.url(), &bundler.url()) }).await;
    let (_, sent) = server.call("send_user_operation", &json!({"user_operation": operation()})).await;
    let states = states(&server.follow(&sent, PATIENCE).await);
    assert_eq!(states.iter().filter(|state| *state == "included").count(), 2, "{states:?}");
    assert_eq!(states.last().unwrap(), "confirmed");
}

#[tokio::test]
async fn a_bundlers_word_is_no_confirmation() {
    let story = Story(Instant::now());
    let receipt = json!({"userOpHash": op_hash(), "success": true, "receipt":
        {"transactionHash": hash(0x77), "blockNumber": 100, "logs": [event(true)]}});
    let bundler = Upstream::start(move |call| match call["method"].as_str().unwrap() {
        "eth_getUserOperationReceipt" => Reply::Result(receipt.clone()),
        _ => unknown_method(),
    })
    .await;
    // The chain has it later, and as a failure.
    let node = node(story, 500, vec![event(false)]).await;
    let server = Server::start(lab(&node, &bundler)).await;
    let lines = server.follow(&json!(op_hash()), PATIENCE).await;
    // A busy machine may ask for the first time when the bundler has bundled already.
    let told = states(&lines);
    assert!(told.ends_with(&["bundled", "included", "reverted"].map(String::from)), "{told:?}");
}

#[tokio::test]
async fn many_waiters_are_one_poller() {
    let story = Story(Instant::now());
    let (node, bundler) = (node(story.clone(), 1_000, vec![event(true)]).await, alto(story).await);
    let server = Server::start(lab(&node, &bundler)).await;
    let hash = json!(op_hash());
    let waiters = (0..100).map(|_| server.follow(&hash, PATIENCE));
    for lines in futures::future::join_all(waiters).await {
        assert_eq!(states(&lines).last().unwrap(), "confirmed");
    }
    // One poller every 12 ms for the first 200 ms, then once a second: far below one question per waiter.
    let asked = bundler.count("pimlico_getUserOperationStatus");
    assert!(asked <= 40, "the bundler was asked {asked} times for 100 waiters");
    assert!(bundler.most_at_once() <= 2, "{} questions at the same time", bundler.most_at_once());
    assert!(node.count("eth_getLogs") <= 200, "{}", node.count("eth_getLogs"));
}

#[tokio::test]
async fn a_bundler_that_is_down_does_not_end_the_wait() {
    let story = Story(Instant::now());
    let bundler = Upstream::start({
        let story = story.clone();
        move |call| match call["method"].as_str().unwrap() {
            "eth_chainId" => Reply::Result(json!("0x7a69")),
            "eth_sendUserOperation" => Reply::Result(json!(op_hash())),
            _ if story.after(30_000) => unknown_method(),
            _ => Reply::Close,
        }
    })
    .await;
    let node = node(story, 600, vec![event(true)]).await;
    let server = Server::start(lab(&node, &bundler)).await;
    let (_, sent) = server.call("send_user_operation", &json!({"user_operation": operation()})).await;
    let lines = server.follow(&sent, PATIENCE).await;
    assert_eq!(states(&lines), ["submitted", "bundled", "included", "confirmed"]);
}

#[tokio::test]
async fn heartbeats_show_that_the_connection_lives() {
    let story = Story(Instant::now());
    let (node, bundler) = (node(story.clone(), 60_000, vec![]).await, alto(story).await);
    let server = Server::start(lab(&node, &bundler)).await;
    let request = server.post("user_operation_status").json(&json!({"user_op_hash": hash(0xbb)}));
    let mut response = request.send().await.unwrap();
    let mut text = String::new();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(6);
    while let Ok(Ok(Some(chunk))) = tokio::time::timeout_at(deadline, response.chunk()).await {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(text.lines().any(str::is_empty), "{text:?}");
}

#[tokio::test]
async fn an_operation_that_waits_for_long_is_called_stuck_then_replaced() {
    let story = Story(Instant::now());
    // The bundler holds it; after 7 s it takes another one with the same nonce in its place.
    let bundler = Upstream::start({
        let story = story.clone();
        move |call| match call["method"].as_str().unwrap() {
            "eth_chainId" => Reply::Result(json!("0x7a69")),
            "eth_sendUserOperation" => {
                let sent: use_aa::protocol::user_operation::UserOperation =
                    serde_json::from_value(call["params"][0].clone()).unwrap();
                Reply::Result(json!(sent.hash(31_337)))
            }
            "pimlico_getUserOperationGasPrice" => {
                Reply::Result(json!({"standard": {"maxFeePerGas": "0xffffffffff", "maxPriorityFeePerGas": "0x1"}}))
            }
            "pimlico_getUserOperationStatus" if story.after(7_000) && call["params"][0] == json!(op_hash()) => {
                Reply::Result(json!({"status": "rejected", "transactionHash": null}))
            }
            "pimlico_getUserOperationStatus" => Reply::Result(json!({"status": "not_submitted"})),
            _ => Reply::Result(json!(null)),
        }
    })
    .await;
    let node = node(story.clone(), 60_000, vec![]).await;
    let server = Server::start(lab(&node, &bundler)).await;
    let (status, sent) = server.call("send_user_operation", &json!({"user_operation": operation()})).await;
    assert_eq!((status, &sent), (200, &json!(op_hash())));
    let mut faster = operation();
    faster["maxFeePerGas"] = json!("0x10000000000");
    let replace = async {
        tokio::time::sleep(Duration::from_millis(6_000)).await;
        server.call("send_user_operation", &json!({"user_operation": faster})).await.1
    };
    let (by, lines) = tokio::join!(replace, server.follow(&sent, PATIENCE));
    assert_eq!(states(&lines), ["submitted", "stuck", "replaced"]);
    // Today's fee, and a tenth more than its own tip of 1.
    assert_eq!(lines[1].1["fees"], json!({"maxFeePerGas": "0xffffffffff", "maxPriorityFeePerGas": "0x2"}));
    assert!(lines[1].1["seconds"].as_u64().unwrap() >= 5);
    assert_eq!(lines[2].1, json!({"status": "replaced", "by": by}));
}
