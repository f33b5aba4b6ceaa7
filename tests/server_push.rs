//! Pushed logs: a node with a web socket tells of operations; cuts, gaps, reorganisations and rubbish on it.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod server_support;

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use server_support::{Push, Reply, Server, Upstream, config, states};
use tokio::sync::Notify;
use use_aa::server::{config::Config, state::ServerState};

const EVENT: &str = "0x49628fd1471006c1482da88028e9ce4dbb080b815c9b0344d39e5a8e6ec1419f";
const REVERTED: &str = "0x1c4fada7374c0a9ee8841fc38afe82932dc0f8e69012e927f061a8bae611a201";
const ENTRY_POINT: &str = "0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789";
const SENDER: &str = "0x0000000000000000000000000788816536defa6a14779711c0b08b7f0edfe68b";
const PATIENCE: Duration = Duration::from_secs(20);

fn hash(number: u64) -> String {
    format!("0x{number:064x}")
}

/// The event of operation `number`, nonce `number`, in a transaction of the same number plus 1000.
fn event(number: u64, success: bool) -> Value {
    let word = |value: u64| format!("{value:064x}");
    json!({"address": ENTRY_POINT, "topics": [EVENT, hash(number), SENDER, hash(0)],
        "data": format!("0x{}{}{}{}", word(number), word(success.into()), word(1_000), word(50)),
        "transactionHash": hash(number + 1_000), "blockNumber": "0x64", "logIndex": "0x0"})
}

/// `Error("Nope")` of operation `number`.
fn reason(number: u64) -> Value {
    let word = |value: u64| format!("{value:064x}");
    let error = format!("08c379a0{}{}4e6f7065{}", word(32), word(4), "0".repeat(56));
    let data = format!("0x{}{}{}{error}{}", word(number), word(64), word(error.len() as u64 / 2), "0".repeat(56));
    json!({"address": ENTRY_POINT, "topics": [REVERTED, hash(number), SENDER], "data": data,
        "transactionHash": hash(number + 1_000), "blockNumber": "0x64", "logIndex": "0x0"})
}

/// A node whose logs and height the test changes.
#[derive(Clone, Default)]
struct Chain {
    logs: Arc<Mutex<Vec<Value>>>,
    height: Arc<AtomicU64>,
}

impl Chain {
    async fn node(&self) -> Upstream {
        let chain = self.clone();
        chain.height.store(100, Ordering::SeqCst);
        Upstream::start(move |call| match call["method"].as_str().unwrap() {
            "eth_blockNumber" => Reply::Result(json!(chain.height.load(Ordering::SeqCst))),
            "eth_getLogs" => Reply::Result(json!(*chain.logs.lock().unwrap())),
            "eth_getTransactionReceipt" => {
                let logs = chain.logs.lock().unwrap();
                let logs: Vec<_> = logs.iter().filter(|log| log["transactionHash"] == call["params"][0]).collect();
                Reply::Result(if logs.is_empty() { json!(null) } else { json!({"logs": logs}) })
            }
            _ => Reply::Result(json!(null)),
        })
        .await
    }
}

/// Has everything, and tells nothing new.
async fn bundler() -> Upstream {
    Upstream::start(|call| match call["method"].as_str().unwrap() {
        "pimlico_getUserOperationStatus" => Reply::Result(json!({"status": "not_submitted"})),
        _ => Reply::Result(json!(null)),
    })
    .await
}

async fn server(node: &Upstream, bundler: &Upstream, confirmations: u64) -> Server {
    let mut config = Config { confirmations, ..config(&node.ws_url(), &bundler.url()) };
    // All waits of these tests come from one address.
    config.protection.rate_limit = None;
    Server::start(config).await
}

#[tokio::test]
async fn pushed_logs_are_told_at_once_and_the_node_is_left_alone() {
    let (chain, bundler) = (Chain::default(), bundler().await);
    let node = chain.node().await;
    let server = server(&node, &bundler, 1).await;
    let tell = async {
        node.subscribed(1).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        let asked = node.count("eth_getLogs");
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(node.count("eth_getLogs"), asked, "who is told does not ask");
        node.push(Push::Log(reason(2)));
        node.push(Push::Log(event(2, false)));
        node.push(Push::Log(event(1, true)));
        Instant::now()
    };
    let (one, two) = (json!(hash(1)), json!(hash(2)));
    let (told, one, two) = tokio::join!(tell, server.follow(&one, PATIENCE), server.follow(&two, PATIENCE));
    assert_eq!(states(&one), ["submitted", "bundled", "included", "confirmed"]);
    let late = one.last().unwrap().0 - told;
    println!("told after {late:?}");
    assert!(late < Duration::from_millis(100), "{late:?}");
    assert_eq!(states(&two).last().unwrap(), "reverted");
    let words = two.last().unwrap().1["receipt"]["reason"].as_str().unwrap().to_owned();
    assert!(words.contains("Nope"), "{words}");
}

#[tokio::test]
async fn a_cut_socket_is_opened_again_and_the_gap_is_read() {
    let (chain, bundler) = (Chain::default(), bundler().await);
    let node = chain.node().await;
    let config = config(&node.ws_url(), &bundler.url());
    let state = ServerState::with_upstream_timeout(config, Duration::from_millis(700)).unwrap();
    let server = Server::start_with(state.clone()).await;
    let story = async {
        node.subscribed(1).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(state.health()[0].pushing, Some(true));
        // Mined while nobody listens: only the chain has it.
        chain.logs.lock().unwrap().push(event(1, true));
        node.push(Push::Cut);
        node.subscribed(2).await;
        // And what is no log at all, in three ways: each costs a connection, none an operation.
        for (number, rubbish) in
            [Push::Text("{\"jsonrpc\":".into()), Push::Bytes, Push::Text("[]".into())].iter().enumerate()
        {
            node.push(rubbish.clone());
            node.subscribed(3 + number).await;
        }
        // A log that is none is passed over.
        node.push(Push::Log(json!({"topics": 5})));
        node.push(Push::Log(event(2, true)));
    };
    let (one, two) = (json!(hash(1)), json!(hash(2)));
    let ((), one, two) = tokio::join!(story, server.follow(&one, PATIENCE), server.follow(&two, PATIENCE));
    assert_eq!(states(&one).last().unwrap(), "confirmed");
    assert_eq!(states(&two).last().unwrap(), "confirmed");
}

#[tokio::test]
async fn a_removed_log_takes_the_operation_back() {
    let (chain, bundler) = (Chain::default(), bundler().await);
    let node = chain.node().await;
    let server = server(&node, &bundler, 3).await;
    let story = async {
        node.subscribed(1).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        node.push(Push::Log(event(1, true)));
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut gone = event(1, true);
        gone["removed"] = json!(true);
        node.push(Push::Log(gone));
        tokio::time::sleep(Duration::from_millis(300)).await;
        // In another block, and deep enough.
        let mut again = event(1, true);
        again["blockNumber"] = json!("0x66");
        chain.logs.lock().unwrap().push(again.clone());
        node.push(Push::Log(again));
        tokio::time::sleep(Duration::from_millis(700)).await;
        chain.height.store(104, Ordering::SeqCst);
    };
    let one = json!(hash(1));
    let ((), lines) = tokio::join!(story, server.follow(&one, PATIENCE));
    assert_eq!(
        states(&lines),
        ["submitted", "bundled", "included", "submitted", "bundled", "included", "confirmed"],
        "{lines:?}"
    );
    assert_eq!(lines.last().unwrap().1["receipt"]["blockNumber"], 102);
}

#[tokio::test]
async fn a_node_that_refuses_web_sockets_is_asked_instead() {
    let (chain, bundler) = (Chain::default(), bundler().await);
    let node = chain.node().await;
    // The web socket leads nowhere, the second URL answers.
    let nowhere = server_support::nobody().await.replace("http://", "ws://");
    let server = Server::start(config(&format!("{nowhere},{}", node.url()), &bundler.url())).await;
    let one = json!(hash(1));
    let tell = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        chain.logs.lock().unwrap().push(event(1, true));
    };
    let ((), lines) = tokio::join!(tell, server.follow(&one, PATIENCE));
    assert_eq!(states(&lines).last().unwrap(), "confirmed");
}

#[tokio::test]
async fn many_waits_are_one_watcher() {
    // All from one address.
    const WAITS: u64 = 2_000;
    let (chain, bundler) = (Chain::default(), bundler().await);
    let node = chain.node().await;
    let server = server(&node, &bundler, 1).await;
    let begun = Instant::now();
    let (open, all_open) = (Cell::new(0), Notify::new());
    let waits = (1..=WAITS).map(|number| {
        let (server, open, all_open) = (&server, &open, &all_open);
        let begun = move || {
            open.set(open.get() + 1);
            if open.get() == WAITS {
                all_open.notify_one();
            }
        };
        async move { server.follow_with(&json!(hash(number)), Duration::from_secs(60), begun).await }
    });
    let story = async {
        node.subscribed(1).await;
        tokio::time::timeout(PATIENCE, all_open.notified()).await.expect("all waits are open");
        // Who comes to it late reads it.
        chain.logs.lock().unwrap().extend((1..=WAITS).map(|number| event(number, true)));
        for number in 1..=WAITS {
            node.push(Push::Log(event(number, true)));
        }
        Instant::now()
    };
    let (told, waits) = tokio::join!(story, futures::future::join_all(waits));
    for lines in &waits {
        assert_eq!(states(lines).last().unwrap(), "confirmed");
    }
    let latest = waits.iter().map(|lines| lines.last().unwrap().0 - told).max().unwrap();
    println!("{WAITS} waits told within {latest:?} of the last event");
    let seconds = begun.elapsed().as_secs_f64();
    let asked = bundler.seen.lock().unwrap().len() as f64 / seconds;
    assert!(asked < 1_600.0, "{asked} questions a second to the bundler");
    assert!(node.count("eth_getLogs") < 200, "{} reads of the chain", node.count("eth_getLogs"));
}

#[tokio::test]
async fn a_wait_survives_a_restart_of_the_server() {
    use futures::StreamExt;
    use use_aa::{actions::ports::Relay, client::relay_native::HttpRelay, protocol::rpc::UserOpUpdate};

    let (chain, bundler) = (Chain::default(), bundler().await);
    let node = chain.node().await;
    let make = || {
        let config = config(&node.ws_url(), &bundler.url());
        ServerState::with_upstream_timeout(config, Duration::from_millis(700)).unwrap()
    };
    let first = Server::start_with(make()).await;
    let addr = first.url.trim_start_matches("http://").parse().unwrap();
    let mut updates = HttpRelay::new(&first.url).unwrap().watch(hash(1).parse().unwrap());
    assert_eq!(updates.next().await, Some(Ok(UserOpUpdate::Submitted)));
    // The server goes; the operation is mined meanwhile; the server comes back at the same place.
    drop(first);
    let restart = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        chain.logs.lock().unwrap().push(event(1, true));
        let deadline = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect(addr).await.is_ok() {
            assert!(Instant::now() < deadline, "the first server does not stop");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Server::start_at(addr, make()).await
    };
    let rest = async { updates.by_ref().map(|update| update.unwrap()).collect::<Vec<_>>().await };
    let (_second, rest) = tokio::join!(restart, tokio::time::timeout(PATIENCE, rest));
    assert!(matches!(rest.unwrap().last(), Some(UserOpUpdate::Confirmed { .. })));
}

/// Every order of three answers about an operation that was seen, then the right one: it is told straight through, and
/// taken back only when another block was there twice.
#[tokio::test(flavor = "multi_thread")]
async fn no_order_of_answers_makes_an_operation_flap_or_hang() {
    const ANSWERS: u64 = 4;
    const ORDERS: u64 = ANSWERS.pow(3);
    let answer_of = |order: u64, turn: u32| if turn < 3 { order / ANSWERS.pow(turn) % ANSWERS } else { 0 };
    let in_block = |number: u64| {
        let mut event = event(number, true);
        event["blockHash"] = json!(hash(0xaa));
        event
    };
    let turns: Arc<Mutex<std::collections::HashMap<u64, u32>>> = Arc::default();
    let node = Upstream::start({
        let turns = turns.clone();
        move |call| {
            let number = |value: &Value| u64::from_str_radix(&value.as_str().unwrap()[2..], 16).unwrap();
            let error = || Reply::Error { code: -32603, message: "internal error".into(), data: json!(null) };
            match call["method"].as_str().unwrap() {
                "eth_blockNumber" => Reply::Result(json!("0x66")),
                // Of one block: asked for after an empty receipt.
                "eth_getLogs" if call["params"][0]["fromBlock"] == call["params"][0]["toBlock"] => {
                    Reply::Result(json!([]))
                }
                "eth_getLogs" => Reply::Result((1..=ORDERS).map(in_block).collect()),
                "eth_getTransactionReceipt" => {
                    let order = number(&call["params"][0]) - 1_001;
                    let mut turns = turns.lock().unwrap();
                    let turn = turns.entry(order).or_default();
                    *turn += 1;
                    match answer_of(order, *turn - 1) {
                        0 => Reply::Result(json!({"logs": [in_block(order + 1)]})),
                        1 => error(),
                        2 => Reply::Result(json!({"logs": []})),
                        _ => Reply::Result(json!(null)),
                    }
                }
                // And the block is not there either.
                _ => Reply::Result(json!(null)),
            }
        }
    })
    .await;
    let bundler = bundler().await;
    let mut config = Config { confirmations: 3, ..config(&node.url(), &bundler.url()) };
    config.protection.rate_limit = None;
    let server = Server::start(config).await;
    let follow = (0..ORDERS).map(|order| {
        let server = &server;
        async move { (order, states(&server.follow(&json!(hash(order + 1)), Duration::from_secs(40)).await)) }
    });
    for (order, told) in futures::future::join_all(follow).await {
        let answers: Vec<u64> = (0..3).map(|turn| answer_of(order, turn)).take_while(|answer| *answer != 0).collect();
        let elsewhere = answers.iter().filter(|answer| **answer == 2).count();
        assert_eq!(told.last().unwrap(), "confirmed", "{answers:?}: {told:?}");
        // An answer that came too late on a busy machine is none: at most so often.
        let included = told.iter().filter(|state| *state == "included").count();
        assert!((1..=1 + elsewhere / 2).contains(&included), "{answers:?}: {told:?}");
    }
}
