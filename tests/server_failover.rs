//! The fault table of `crates/server/src/json_rpc.rs`, row by row: a first URL that misbehaves, a second one that works, and
//! lists of one. Reads and sends, what is asked how often, and what the server says of its upstreams' health.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod server_support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use server_support::{Reply, SECRET, Server, Upstream, config, nobody, operation, states};
use use_aa::server::{state::ServerState, upstream_health::Circuit};

fn op_hash() -> Value {
    let operation: use_aa::protocol::user_operation::UserOperation = serde_json::from_value(operation()).unwrap();
    json!(operation.hash(31_337))
}

/// Serves our chain, and does this with everything else.
async fn faulty(reply: Reply) -> Upstream {
    Upstream::start(move |call| match call["method"].as_str() {
        Some("eth_chainId") => Reply::Result(json!("0x7a69")),
        _ => reply.clone(),
    })
    .await
}

/// Node and bundler as they should be.
async fn good() -> Upstream {
    Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_chainId" => Reply::Result(json!("0x7a69")),
        "eth_blockNumber" => Reply::Result(json!("0x7")),
        "eth_sendUserOperation" => Reply::Result(op_hash()),
        _ => Reply::Result(json!(null)),
    })
    .await
}

async fn start(urls: &str) -> (Server, ServerState) {
    let state = ServerState::with_upstream_timeout(config(urls, urls), Duration::from_millis(700)).unwrap();
    (Server::start_with(state.clone()).await, state)
}

async fn read(server: &Server) -> (u16, Value) {
    server.call("read_chain", &json!({"method": "eth_blockNumber", "params": []})).await
}

async fn send(server: &Server) -> (u16, Value) {
    server.call("send_user_operation", &json!({"user_operation": operation()})).await
}

fn raw(status: u16, body: &str) -> Reply {
    Reply::Raw { status, body: body.into() }
}

/// What happens with a fault when there is a second URL, and when there is none.
struct Row {
    fault: Reply,
    /// The breaker of the faulty URL afterwards.
    circuit: Circuit,
    /// With no other URL: the error that is told.
    alone: &'static str,
    /// With no other URL: how often one read asks.
    reads: usize,
    /// With no other URL: how often one send sends.
    sends: usize,
    /// After a failed send the bundler is asked whether it has the operation.
    asked_first: bool,
}

fn table() -> Vec<(&'static str, Row)> {
    use Circuit::{Closed, Open};
    let row =
        |fault, circuit, alone, reads, sends, asked_first| Row { fault, circuit, alone, reads, sends, asked_first };
    let limited = Reply::Error { code: -32005, message: "project rate limit exceeded".into(), data: Value::Null };
    let header = |status, header: &str| Reply::WithHeader { status, header: header.into(), body: "busy".into() };
    vec![
        ("slow", row(Reply::Hang, Open, "UpstreamUnavailable", 1, 1, true)),
        (
            "late",
            row(
                Reply::Late(Duration::from_secs(2), Box::new(Reply::Result(json!(1)))),
                Open,
                "UpstreamUnavailable",
                1,
                1,
                true,
            ),
        ),
        ("closes", row(Reply::Close, Open, "UpstreamUnavailable", 2, 2, true)),
        ("500", row(raw(500, "oops"), Open, "UpstreamUnavailable", 2, 2, true)),
        ("502 in HTML", row(raw(502, "<html>Bad gateway</html>"), Open, "UpstreamUnavailable", 2, 2, true)),
        ("503", row(raw(503, ""), Open, "UpstreamUnavailable", 2, 2, true)),
        ("504", row(raw(504, ""), Open, "UpstreamUnavailable", 2, 2, true)),
        ("404", row(raw(404, "no such key"), Open, "UpstreamUnavailable", 1, 1, true)),
        ("redirect", row(raw(302, ""), Open, "UpstreamUnavailable", 1, 1, true)),
        ("429", row(raw(429, ""), Closed, "UpstreamUnavailable", 2, 2, false)),
        ("429, Retry-After 30", row(header(429, "retry-after: 30"), Closed, "UpstreamUnavailable", 1, 1, false)),
        ("503, Retry-After 30", row(header(503, "retry-after: 30"), Closed, "UpstreamUnavailable", 1, 1, false)),
        ("rate limit in JSON-RPC", row(limited, Closed, "UpstreamRejected", 2, 2, false)),
        ("HTML", row(raw(200, "<!doctype html><title>Welcome</title>"), Open, "UpstreamMalformed", 1, 1, true)),
        ("nothing", row(raw(200, ""), Open, "UpstreamMalformed", 1, 1, true)),
        ("cut JSON", row(raw(200, r#"{"jsonrpc":"2.0","id":2,"resu"#), Open, "UpstreamMalformed", 1, 1, true)),
        ("cut connection", row(Reply::CutBody, Open, "UpstreamMalformed", 2, 2, true)),
        ("another's id", row(Reply::WrongId, Open, "UpstreamMalformed", 1, 1, true)),
        (
            "neither result nor error",
            row(raw(200, r#"{"jsonrpc":"2.0","id":1}"#), Open, "UpstreamMalformed", 1, 1, true),
        ),
    ]
}

/// Whoever asks may have chosen a question whose answer is too long.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_long_is_no_reason_to_leave_anybody_alone() {
    let (bad, good) = (faulty(raw(200, &"x".repeat(5 * 1024 * 1024))).await, good().await);
    let (server, state) = start(&format!("{},{}", bad.url(), good.url())).await;
    for times in 1..=3 {
        assert_eq!(read(&server).await, (200, json!("0x7")), "the next one is asked");
        assert_eq!(bad.count("eth_blockNumber"), times);
    }
    let health = &state.health()[0];
    assert!(health.circuit == Circuit::Closed && health.is_usable(), "{health:?}");
    assert_eq!(send(&server).await, (200, op_hash()));
    assert_eq!((bad.count("eth_sendUserOperation"), good.count("eth_sendUserOperation")), (1, 1));
    assert_eq!(bad.count("eth_getUserOperationByHash"), 1, "asked before it is sent to the next");
}

/// Questions that nodes refuse with the codes and words of a busy one: a block to come, too many logs.
#[tokio::test(flavor = "multi_thread")]
async fn odd_questions_are_no_reason_to_leave_a_node_alone() {
    let node = Upstream::start(|call| {
        let error = |code, message: &str| Reply::Error { code, message: message.into(), data: Value::Null };
        match call["method"].as_str().unwrap() {
            "eth_chainId" => Reply::Result(json!("0x7a69")),
            "eth_blockNumber" => Reply::Result(json!("0x7")),
            "eth_getLogs" => error(-32005, "query returned more than 10000 results"),
            "eth_getBalance" if call["params"][1] == "0xffffffff" => error(-32000, "header not found"),
            _ => Reply::Result(json!("0x1")),
        }
    })
    .await;
    let (server, state) = start(&node.url()).await;
    let account = format!("0x{}", "33".repeat(20));
    let balance = |block: &str| json!({"method": "eth_getBalance", "params": [account, block]});
    let logs = json!({"method": "eth_getLogs", "params": [{"address": account, "fromBlock": "0x1", "toBlock": "0x2"}]});
    for _ in 0..10 {
        for (odd, code) in [(&logs, -32005), (&balance("0xffffffff"), -32000)] {
            let (_, refused) = server.call("read_chain", odd).await;
            assert_eq!((&refused["error"], &refused["code"]), (&json!("UpstreamRejected"), &json!(code)), "{refused}");
            let begun = Instant::now();
            assert_eq!(read(&server).await, (200, json!("0x7")));
            assert_eq!(server.call("read_chain", &balance("latest")).await, (200, json!("0x1")));
            assert!(begun.elapsed() < Duration::from_millis(900), "nothing is waited for");
        }
    }
    let health = &state.health()[0];
    assert!(health.circuit == Circuit::Closed && health.is_usable(), "{health:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_with_a_second_url() {
    for (name, row) in table() {
        let (bad, good) = (faulty(row.fault.clone()).await, good().await);
        let (server, state) = start(&format!("{},{}", bad.url(), good.url())).await;
        assert_eq!(read(&server).await, (200, json!("0x7")), "{name}");
        let health = &state.health()[0];
        assert_eq!((health.circuit, health.is_usable()), (row.circuit, false), "{name}: {health:?}");
        assert!(health.failed >= 1 && health.last_error.is_some(), "{name}: {health:?}");
        assert!(!format!("{health:?}").contains(SECRET), "{name}: {health:?}");
        assert_eq!(bad.count("eth_blockNumber"), 1, "{name}: the next one is asked, not the same again");
        assert_eq!(read(&server).await, (200, json!("0x7")), "{name}");
        assert_eq!(bad.count("eth_blockNumber"), 1, "{name}: it is left alone");

        assert_eq!(send(&server).await, (200, op_hash()), "{name}");
        assert_eq!((bad.count("eth_sendUserOperation"), good.count("eth_sendUserOperation")), (1, 1), "{name}");
        let asked = bad.count("eth_getUserOperationByHash");
        assert_eq!(asked, usize::from(row.asked_first), "{name}: asked before it is sent to the next");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_alone() {
    let rows = table().into_iter().map(|(name, row)| async move {
        let bad = faulty(row.fault.clone()).await;
        let (server, _) = start(&bad.url()).await;
        let (status, answer) = read(&server).await;
        assert_eq!(answer["error"], row.alone, "{name}: {answer}");
        assert!(status >= 500, "{name}: {status}");
        assert_eq!(bad.count("eth_blockNumber"), row.reads, "{name}");
        let (server, _) = start(&bad.url()).await;
        let (_, answer) = send(&server).await;
        // A limit is no refusal of the operation.
        let of_sending = if row.alone == "UpstreamRejected" { "UpstreamUnavailable" } else { row.alone };
        assert_eq!(answer["error"], of_sending, "{name}: {answer}");
        assert_eq!(bad.count("eth_sendUserOperation"), row.sends, "{name}");
    });
    futures::future::join_all(rows).await;
}

#[tokio::test]
async fn who_is_down_is_passed_over_and_asked_again_when_back() {
    let good = good().await;
    // Down now; later somebody listens there.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let (server, state) = start(&format!("http://{addr}/{SECRET},{}", good.url())).await;
    assert_eq!(read(&server).await, (200, json!("0x7")));
    assert_eq!(state.health()[0].circuit, Circuit::Open);
    let back = Upstream::start_at(addr, |_| Reply::Result(json!("0x8"))).await;
    let deadline = Instant::now() + Duration::from_secs(10);
    while read(&server).await != (200, json!("0x8")) {
        assert!(Instant::now() < deadline, "the first URL is not asked again: {:?}", state.health()[0]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(state.health()[0].circuit, Circuit::Closed);
    assert_eq!(state.health()[0].failures_in_row, 0);
    // One question of its own found that out, before any of a caller.
    assert_eq!(back.seen.lock().unwrap()[0]["method"], "eth_chainId");
}

#[tokio::test]
async fn a_short_rest_is_waited_for_when_there_is_no_other_url() {
    let answers = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::start(move |call| match call["method"].as_str().unwrap() {
        "eth_chainId" => Reply::Result(json!("0x7a69")),
        _ if answers.fetch_add(1, Ordering::SeqCst) == 0 => {
            Reply::WithHeader { status: 429, header: "retry-after: 1".into(), body: String::new() }
        }
        _ => Reply::Result(json!("0x7")),
    })
    .await;
    let (server, _) = start(&upstream.url()).await;
    let begun = Instant::now();
    assert_eq!(read(&server).await, (200, json!("0x7")));
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_only_url_is_given_up_for_a_while_after_five_failures() {
    let bad = faulty(raw(200, "<html>")).await;
    let (server, state) = start(&bad.url()).await;
    for _ in 0..20 {
        assert_eq!(read(&server).await.1["error"], "UpstreamMalformed");
    }
    let asked = bad.count("eth_blockNumber") + bad.count("eth_chainId") - 1;
    assert!((5..15).contains(&asked), "asked {asked} times for 20 reads");
    assert_ne!(state.health()[0].circuit, Circuit::Closed);
    assert!(state.health()[0].failures_in_row >= 5);
}

#[tokio::test]
async fn an_operation_whose_answer_was_lost_is_asked_for_before_it_is_sent_again() {
    // Each takes the operation and loses the answer; then it has it, or has it mined.
    for known_by in ["eth_getUserOperationByHash", "eth_getUserOperationReceipt"] {
        for lost in [Reply::CutBody, Reply::Close, Reply::Hang, raw(504, "")] {
            let answer = lost.clone();
            let bundler = Upstream::start(move |call| match call["method"].as_str().unwrap() {
                "eth_chainId" => Reply::Result(json!("0x7a69")),
                "eth_sendUserOperation" => answer.clone(),
                method if method == known_by => Reply::Result(json!({"userOpHash": op_hash(), "sender": "0x"})),
                _ => Reply::Result(json!(null)),
            })
            .await;
            let second = good().await;
            let (server, _) = start(&format!("{},{}", bundler.url(), second.url())).await;
            assert_eq!(send(&server).await, (200, op_hash()), "{lost:?}");
            let sent = (bundler.count("eth_sendUserOperation"), second.count("eth_sendUserOperation"));
            assert_eq!(sent, (1, 0), "{lost:?}: sent once, to one bundler");
        }
    }
}

#[tokio::test]
async fn a_refusal_because_the_first_bundler_was_quicker_is_none() {
    // The first one takes it and is silent from then on; the second one has it from its peers.
    let first = faulty(Reply::Close).await;
    let second = Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_chainId" => Reply::Result(json!("0x7a69")),
        "eth_sendUserOperation" => {
            Reply::Error { code: -32500, message: "AA25 invalid account nonce".into(), data: Value::Null }
        }
        "eth_getUserOperationReceipt" => Reply::Result(json!({"userOpHash": op_hash(), "success": true})),
        _ => Reply::Result(json!(null)),
    })
    .await;
    let (server, _) = start(&format!("{},{}", first.url(), second.url())).await;
    assert_eq!(send(&server).await, (200, op_hash()));
}

#[tokio::test]
async fn lies_are_not_believed() {
    let other = format!("0x{}", "ab".repeat(32));
    // A hash that is not the operation's.
    let (hash, receipt_of) = (other.clone(), other.clone());
    let bundler = Upstream::start(move |call| match call["method"].as_str().unwrap() {
        "eth_chainId" => Reply::Result(json!("0x7a69")),
        "eth_sendUserOperation" => Reply::Result(json!(hash)),
        // A receipt for another operation, whatever is asked for.
        "eth_getUserOperationReceipt" => Reply::Result(json!({"userOpHash": receipt_of, "success": true,
            "receipt": {"transactionHash": receipt_of, "blockNumber": 1, "logs": []}})),
        _ => Reply::Error { code: -32601, message: "method not found".into(), data: Value::Null },
    })
    .await;
    let (server, _) = start(&bundler.url()).await;
    let (status, answer) = send(&server).await;
    assert_eq!((status, &answer["error"]), (502, &json!("UpstreamMalformed")), "{answer}");
    let lines = server.follow(&op_hash(), Duration::from_secs(2)).await;
    assert!(states(&lines).is_empty(), "{lines:?}");
}

#[tokio::test]
async fn another_chain_is_never_used() {
    let elsewhere = Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_chainId" => Reply::Raw { status: 200, body: r#"{"jsonrpc":"2.0","id":1,"result":"0x1"}"#.into() },
        _ => Reply::Result(json!("0xbad")),
    })
    .await;
    let good = good().await;
    let (server, state) = start(&format!("{},{}", elsewhere.url(), good.url())).await;
    for _ in 0..3 {
        assert_eq!(read(&server).await, (200, json!("0x7")));
        assert_eq!(send(&server).await, (200, op_hash()));
    }
    assert!(elsewhere.seen.lock().unwrap().iter().all(|call| call["method"] == "eth_chainId"));
    // At the start it is a mistake in the configuration.
    let error = state.check_chains().await.unwrap_err().to_string();
    assert!(error.contains("chain 1,") && error.contains("USE_AA_CHAIN_ID is 31337"), "{error}");
    // Who is not there at the start may come later.
    let (_, state) = start(&format!("{},{}", good.url(), nobody().await)).await;
    assert_eq!(state.check_chains().await, Ok(()));
}

#[tokio::test]
async fn an_operation_at_the_second_bundler_is_not_lost_when_the_first_comes_back() {
    // The first one is well and has never heard of it.
    let first = good().await;
    let second = Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_chainId" => Reply::Result(json!("0x7a69")),
        "pimlico_getUserOperationStatus" => Reply::Result(json!({"status": "not_submitted"})),
        _ => Reply::Result(json!(null)),
    })
    .await;
    let (server, _) = start(&format!("{},{}", first.url(), second.url())).await;
    let lines = server.follow(&op_hash(), Duration::from_secs(3)).await;
    assert_eq!(states(&lines), ["submitted"]);
}
