//! Every server function against upstreams that are down, slow, confused or hostile: always a typed error,
//! never a URL or key in it, never a panic.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod server_support;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};
use server_support::{Reply, SECRET, Server, Upstream, config, fees, nobody, operation, sponsor_context};
use use_aa::server::config::{PaymasterConfig, PaymasterDialect, Secret};

/// Functions, their arguments, and who is behind them.
fn functions() -> Vec<(&'static str, Value, &'static str)> {
    let account = "0x0788816536DEFa6A14779711c0B08b7f0edFe68b";
    vec![
        ("account_state", json!({"account": account, "nonce_key": "0x0"}), "node"),
        ("read_chain", json!({"method": "eth_getBalance", "params": [account, "latest"]}), "node"),
        ("gas_fees", json!({}), "bundler"),
        ("estimate_user_operation_gas", json!({"user_operation": operation(), "state_override": null}), "bundler"),
        ("send_user_operation", json!({"user_operation": operation()}), "bundler"),
        ("sponsor_user_operation", json!({"user_operation": operation(), "context": sponsor_context()}), "paymaster"),
    ]
}

async fn server(url: &str, dialect: PaymasterDialect) -> Server {
    // The node and the bundler are where the last paymaster is.
    let last = url.rsplit(',').next().unwrap();
    let mut config = config(last, last);
    let api_key = Some(Secret::new(SECRET));
    config.paymaster = Some(PaymasterConfig::Remote {
        urls: url.split(',').map(|url| url.parse().unwrap()).collect(),
        dialect,
        api_key,
    });
    Server::start(config).await
}

/// Each function against one fault, with both paymaster dialects.
async fn expect(fault: Option<Reply>, status: u16, error: &str) {
    let upstream = match fault.clone() {
        Some(reply) => Some(Upstream::always(reply).await),
        None => None,
    };
    let url = match &upstream {
        Some(upstream) => upstream.url(),
        None => nobody().await,
    };
    for dialect in [PaymasterDialect::Biconomy, PaymasterDialect::Erc7677] {
        let server = server(&url, dialect).await;
        for (function, arguments, behind) in functions() {
            let (got_status, answer) = server.call(function, &arguments).await;
            assert_eq!(answer["error"], error, "{function}, {fault:?}: {answer}");
            assert_eq!(answer["upstream"], behind, "{function}, {fault:?}: {answer}");
            assert_eq!(got_status, status, "{function}, {fault:?}: {answer}");
            let text = answer.to_string();
            assert!(!text.contains(SECRET) && !text.contains("127.0.0.1"), "{function}: leaks {text}");
        }
    }
}

fn raw(status: u16, body: &str) -> Option<Reply> {
    Some(Reply::Raw { status, body: body.into() })
}

#[tokio::test]
async fn nobody_listens() {
    expect(None, 503, "UpstreamUnavailable").await;
}

#[tokio::test]
async fn closes_without_an_answer() {
    expect(Some(Reply::Close), 503, "UpstreamUnavailable").await;
}

#[tokio::test]
async fn never_answers() {
    expect(Some(Reply::Hang), 503, "UpstreamUnavailable").await;
}

#[tokio::test]
async fn gateway_errors() {
    expect(raw(502, "<html>Bad gateway</html>"), 503, "UpstreamUnavailable").await;
    expect(raw(429, ""), 503, "UpstreamUnavailable").await;
    expect(raw(302, ""), 503, "UpstreamUnavailable").await;
}

#[tokio::test]
async fn not_json_rpc() {
    for body in
        ["<!doctype html><title>Welcome</title>", "", "null", "5", "{", r#"{"jsonrpc":"2.0","id":2,"resu"#, "{}"]
    {
        expect(raw(200, body), 502, "UpstreamMalformed").await;
    }
}

#[tokio::test]
async fn cut_in_the_middle() {
    expect(Some(Reply::CutBody), 502, "UpstreamMalformed").await;
}

#[tokio::test]
async fn anothers_answer() {
    expect(Some(Reply::WrongId), 502, "UpstreamMalformed").await;
}

#[tokio::test]
async fn a_body_without_end() {
    let body = format!(r#"{{"jsonrpc":"2.0","id":2,"result":"{}"}}"#, "a".repeat(5 << 20));
    expect(raw(200, &body), 502, "UpstreamMalformed").await;
}

#[tokio::test]
async fn refusals_keep_code_message_and_data() {
    let refusal =
        Reply::Error { code: -32500, message: "AA23 reverted: SessionNotApproved".into(), data: json!({"a": [1]}) };
    expect(Some(refusal.clone()), 502, "UpstreamRejected").await;
    let upstream = Upstream::always(refusal).await;
    let server = server(&upstream.url(), PaymasterDialect::Biconomy).await;
    let (_, answer) = server.call("send_user_operation", &json!({"user_operation": operation()})).await;
    assert_eq!(
        answer,
        json!({"error": "UpstreamRejected", "upstream": "bundler", "code": -32500,
            "message": "AA23 reverted: SessionNotApproved", "data": r#"{"a":[1]}"#})
    );
    // The same with HTTP status 400, as Biconomy's servers do.
    let body = json!({"jsonrpc": "2.0", "id": 1, "error": {"code": "-32602", "message": "fields"}}).to_string();
    expect(raw(400, &body), 502, "UpstreamRejected").await;
}

#[tokio::test]
async fn results_of_the_wrong_kind() {
    for result in [json!(null), json!("soon"), json!({"a": 1}), json!([1]), json!(-5), json!(1.5)] {
        let upstream = Upstream::always(Reply::Result(result.clone())).await;
        let server = server(&upstream.url(), PaymasterDialect::Biconomy).await;
        for (function, arguments, behind) in functions() {
            let (status, answer) = server.call(function, &arguments).await;
            if function == "read_chain" {
                // What the chain says is passed on as it is.
                assert_eq!((status, &answer), (200, &result));
                continue;
            }
            assert_eq!(answer["error"], "UpstreamMalformed", "{function}, {result}: {answer}");
            assert_eq!((status, &answer["upstream"]), (502, &json!(behind)));
        }
    }
}

#[tokio::test]
async fn the_next_url_is_asked_when_one_fails() {
    let broken = Upstream::always(Reply::Raw { status: 200, body: "<html>".into() }).await;
    let good = Upstream::always(Reply::Result(json!("0x7"))).await;
    let urls = format!("{},{},{}", nobody().await, broken.url(), good.url());
    let server = Server::start(config(&urls, &urls)).await;
    let arguments = json!({"method": "eth_blockNumber", "params": []});
    for _ in 0..3 {
        assert_eq!(server.call("read_chain", &arguments).await, (200, json!("0x7")));
    }
    // The one that answered is asked first from then on.
    // (What it was asked is its chain: nobody is trusted with more before that.)
    assert_eq!((broken.count("eth_chainId"), broken.seen.lock().unwrap().len()), (1, 1));
    assert_eq!(good.count("eth_blockNumber"), 3);
}

#[tokio::test]
async fn a_refusal_is_not_asked_for_twice() {
    let refuses = Upstream::always(Reply::Error { code: -32000, message: "no".into(), data: Value::Null }).await;
    let good = Upstream::always(Reply::Result(json!("0x7"))).await;
    let urls = format!("{},{}", refuses.url(), good.url());
    let server = Server::start(config(&urls, &urls)).await;
    let (_, answer) = server.call("read_chain", &json!({"method": "eth_blockNumber", "params": []})).await;
    assert_eq!(answer["error"], "UpstreamRejected");
    assert_eq!(good.count("eth_blockNumber"), 0);
}

/// The page throws a grant's key away when it is refused, so a refusal must be one.
#[tokio::test]
async fn a_refusal_after_a_lost_answer_is_no_refusal() {
    let refuses = Upstream::always(Reply::Error { code: -32500, message: "AA25".into(), data: Value::Null }).await;
    let send = json!({"user_operation": operation()});
    for lost in [Reply::CutBody, Reply::Close, Reply::Hang, Reply::Raw { status: 504, body: "".into() }] {
        let first = Upstream::always(lost.clone()).await;
        let urls = format!("{},{}", first.url(), refuses.url());
        let server = Server::start(config(&urls, &urls)).await;
        let (_, answer) = server.call("send_user_operation", &send).await;
        let error = answer["error"].as_str().unwrap();
        assert!(["UpstreamUnavailable", "UpstreamMalformed"].contains(&error), "{lost:?}: {answer}");
    }
    let urls = format!("{},{}", nobody().await, refuses.url());
    let (_, answer) = Server::start(config(&urls, &urls)).await.call("send_user_operation", &send).await;
    assert_eq!(answer["error"], "UpstreamRejected", "who is not there has taken nothing: {answer}");
}

#[tokio::test]
async fn an_operation_that_the_bundler_has_already_is_sent() {
    let message = "UserOperation reverted: Already known".to_owned();
    let bundler = Upstream::always(Reply::Error { code: -32602, message, data: Value::Null }).await;
    let server = Server::start(config(&bundler.url(), &bundler.url())).await;
    let (status, answer) = server.call("send_user_operation", &json!({"user_operation": operation()})).await;
    let sent: use_aa::protocol::user_operation::UserOperation = serde_json::from_value(operation()).unwrap();
    let expected = sent.hash(31_337);
    assert_eq!((status, answer), (200, json!(expected)));
}

#[tokio::test]
async fn what_a_service_says_beside_json_rpc_is_kept_but_for_the_key() {
    let body = json!({"message": format!("no credit left for {SECRET}")}).to_string();
    let upstream = Upstream::always(Reply::Raw { status: 402, body }).await;
    let server = Server::start(config(&upstream.url(), &upstream.url())).await;
    let (_, answer) = server.call("send_user_operation", &json!({"user_operation": operation()})).await;
    assert_eq!(answer["reason"], "HTTP 402 Payment Required: no credit left for …");
    let data = json!({"path": format!("/{SECRET}")});
    let message = format!("unknown key {SECRET}");
    let upstream = Upstream::always(Reply::Error { code: -32001, message, data }).await;
    let server = Server::start(config(&upstream.url(), &upstream.url())).await;
    let (_, answer) = server.call("send_user_operation", &json!({"user_operation": operation()})).await;
    assert_eq!((&answer["message"], &answer["data"]), (&json!("unknown key …"), &json!(r#"{"path":"/…"}"#)));
}

#[tokio::test]
async fn readiness_names_who_is_down() {
    let node = Upstream::start(|call| match call["method"].as_str() {
        Some("eth_chainId") => Reply::Result(json!("0x7a69")),
        _ => Reply::Close,
    })
    .await;
    let server = Server::start(config(&node.url(), &nobody().await)).await;
    let response = server.client.get(format!("{}/readyz", server.url)).send().await.unwrap();
    assert_eq!(response.status(), 503);
    let report: Value = response.json().await.unwrap();
    assert_eq!(report["ready"], false);
    assert_eq!((&report["upstreams"][0]["name"], &report["upstreams"][0]["ok"]), (&json!("node"), &json!(true)));
    let bundler = &report["upstreams"][1];
    assert_eq!((&bundler["name"], &bundler["ok"]), (&json!("bundler"), &json!(false)));
    assert_eq!(bundler["error"]["error"], "UpstreamUnavailable");
    assert!(!report.to_string().contains(SECRET));
    // The process itself is up.
    assert_eq!(server.client.get(format!("{}/healthz", server.url)).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_biconomy_dialect_end_to_end() {
    let data = format!("0x{}", "07".repeat(200));
    let reply = json!({"MODE": "SPONSORED", "paymasterAndData": data, "preVerificationGas": "75388",
        "verificationGasLimit": 57121, "callGasLimit": "0x1a930"});
    let upstream = Upstream::start(move |call| fees(call).unwrap_or_else(|| Reply::Result(reply.clone()))).await;
    let server = server(&format!("http://{}/api/v1/80002", upstream.addr), PaymasterDialect::Biconomy).await;
    let arguments = json!({"user_operation": operation(), "context": sponsor_context()});
    let (status, answer) = server.call("sponsor_user_operation", &arguments).await;
    let expected = json!({"paymasterAndData": data, "callGasLimit": "0x1a930", "verificationGasLimit": "0xdf21",
        "preVerificationGas": "0x1267c"});
    assert_eq!((status, answer), (200, expected));
    let params = upstream.params("pm_sponsorUserOperation");
    assert_eq!(params[0]["verificationGasLimit"], "100000");
    assert_eq!(params[0]["maxFeePerGas"], "0x59682f00");
    assert_eq!(params[1]["calculateGasLimits"], true);
}

#[tokio::test]
async fn the_next_address_of_the_paymaster_is_asked_when_the_first_is_down() {
    let data = format!("0x{}", "03".repeat(60));
    let reply = json!({"mode": "SPONSORED", "paymasterAndData": data, "callGasLimit": 1, "verificationGasLimit": 2,
        "preVerificationGas": 3});
    let second = Upstream::start(move |call| fees(call).unwrap_or_else(|| Reply::Result(reply.clone()))).await;
    let mut config = config(&second.url(), &second.url());
    let urls = [nobody().await, second.url()].map(|url| url.parse().unwrap()).to_vec();
    config.paymaster = Some(PaymasterConfig::Remote { urls, dialect: PaymasterDialect::Biconomy, api_key: None });
    let server = Server::start(config).await;
    let arguments = json!({"user_operation": operation(), "context": sponsor_context()});
    let (status, answer) = server.call("sponsor_user_operation", &arguments).await;
    assert_eq!((status, &answer["paymasterAndData"]), (200, &json!(data)), "{answer}");
}

#[tokio::test]
async fn a_paymaster_that_answers_0x_refuses() {
    let upstream = Upstream::always(Reply::Result(json!({"mode": "SPONSORED", "paymasterAndData": "0x"}))).await;
    for dialect in [PaymasterDialect::Biconomy, PaymasterDialect::Erc7677] {
        let server = server(&upstream.url(), dialect).await;
        let arguments = json!({"user_operation": operation(), "context": sponsor_context()});
        let (status, answer) = server.call("sponsor_user_operation", &arguments).await;
        assert_eq!((status, &answer["error"]), (403, &json!("SponsorshipRefused")), "{answer}");
    }
}

#[tokio::test]
async fn a_service_without_quotes_is_not_asked_for_any() {
    let upstream = Upstream::always(Reply::Close).await;
    let server = server(&upstream.url(), PaymasterDialect::Erc7677).await;
    let token_info = json!({"feeTokenAddress": format!("0x{}", "05".repeat(20))});
    let context = json!({"mode": "ERC20", "calculateGasLimits": true, "tokenInfo": token_info});
    let calls = [
        ("fee_quotes", json!({"user_operation": operation(), "request": {}})),
        ("sponsor_user_operation", json!({"user_operation": operation(), "context": context})),
    ];
    for (function, arguments) in calls {
        let (status, answer) = server.call(function, &arguments).await;
        assert_eq!((status, &answer["error"]), (403, &json!("GasTokenRefused")), "{answer}");
    }
    let context = json!({"mode": "ERC20", "calculateGasLimits": true});
    let arguments = json!({"user_operation": operation(), "context": context});
    let (status, answer) = server.call("sponsor_user_operation", &arguments).await;
    assert_eq!((status, &answer["field"]), (400, &json!("context.tokenInfo.feeTokenAddress")));
    assert_eq!(upstream.count("pm_getPaymasterStubData") + upstream.count("pm_getFeeQuoteOrData"), 0);
}

#[tokio::test]
async fn the_erc7677_dialect_estimates_between_stub_and_data() {
    let upstream = Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_chainId" => Reply::Result(json!("0x7a69")),
        _ if fees(call).is_some() => fees(call).unwrap(),
        "pm_getPaymasterStubData" => Reply::Result(json!({"paymasterAndData": format!("0x{}", "01".repeat(60))})),
        "eth_estimateUserOperationGas" => {
            Reply::Result(json!({"callGasLimit": 100, "verificationGasLimit": "200", "preVerificationGas": "0x12c"}))
        }
        "pm_getPaymasterData" => Reply::Result(json!({"paymasterAndData": format!("0x{}", "02".repeat(60))})),
        _ => Reply::Close,
    })
    .await;
    let server = server(&upstream.url(), PaymasterDialect::Erc7677).await;
    let arguments = json!({"user_operation": operation(), "context": sponsor_context()});
    let (status, answer) = server.call("sponsor_user_operation", &arguments).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["paymasterAndData"], format!("0x{}", "02".repeat(60)));
    assert_eq!(answer["callGasLimit"], "0x64");
    let asked = upstream.params("pm_getPaymasterData");
    assert_eq!(asked[0]["preVerificationGas"], "0x12c");
    assert_eq!(asked[2], "0x7a69");
    assert!(
        upstream.params("eth_estimateUserOperationGas")[0]["paymasterAndData"].as_str().unwrap().starts_with("0x0101")
    );
}

#[tokio::test]
async fn fees_fall_back_to_the_node() {
    let bundler =
        Upstream::always(Reply::Error { code: -32601, message: "Method not found".into(), data: Value::Null }).await;
    let node = Upstream::start(|call| match call["method"].as_str().unwrap() {
        "eth_getBlockByNumber" => Reply::Result(json!({"baseFeePerGas": "0x64", "timestamp": "0x1"})),
        "eth_maxPriorityFeePerGas" => Reply::Result(json!("0x5")),
        _ => Reply::Error { code: -32601, message: "nope".into(), data: Value::Null },
    })
    .await;
    let server = Server::start(config(&node.url(), &bundler.url())).await;
    let expected = json!({"maxFeePerGas": "0xcd", "maxPriorityFeePerGas": "0x5"});
    assert_eq!(server.call("gas_fees", &json!({})).await, (200, expected));
}

#[tokio::test]
async fn an_estimate_passes_on_what_was_given_and_no_more() {
    let upstream = Upstream::always(Reply::Result(
        json!({"callGasLimit": 77217, "verificationGasLimit": "86895", "preVerificationGas": "0xbcb43", "validUntil": "0xff"}),
    ))
    .await;
    let server = Server::start(config(&upstream.url(), &upstream.url())).await;
    let arguments = json!({"user_operation": operation(), "state_override": null});
    let (status, answer) = server.call("estimate_user_operation_gas", &arguments).await;
    let expected =
        json!({"callGasLimit": "0x12da1", "verificationGasLimit": "0x1536f", "preVerificationGas": "0xbcb43"});
    assert_eq!((status, answer), (200, expected));
    let params = upstream.params("eth_estimateUserOperationGas");
    assert_eq!(params.as_array().unwrap().len(), 2, "a null third parameter is refused by bundlers");
    assert_eq!(params[0].as_object().unwrap().len(), 11);
    assert_eq!(params[0]["preVerificationGas"], "0xc350", "quantities are minimal hex");
    let account = "0x0788816536DEFa6A14779711c0B08b7f0edFe68b";
    let arguments = json!({"user_operation": operation(), "state_override": {account: {"balance": "1000"}}});
    assert_eq!(server.call("estimate_user_operation_gas", &arguments).await.0, 200);
    assert_eq!(upstream.params("eth_estimateUserOperationGas")[2], json!({account: {"balance": "0x3e8"}}));
}

/// A rollup's node has an internal error the first time that it is asked what data costs.
#[tokio::test]
async fn one_error_of_the_node_does_not_make_a_rollup_another_kind_of_chain() {
    const ORACLE: &str = "0x420000000000000000000000000000000000000f";
    let well = Arc::new(AtomicBool::new(false));
    let node = Upstream::start({
        let well = well.clone();
        move |call| {
            let is_oracle = |place: &Value| place.as_str().is_some_and(|to| to.eq_ignore_ascii_case(ORACLE));
            match call["method"].as_str().unwrap() {
                "eth_getCode" if is_oracle(&call["params"][0]) => Reply::Result(json!("0x6001600255")),
                "eth_call" if !well.load(Ordering::SeqCst) => {
                    Reply::Error { code: -32603, message: "Internal error".into(), data: Value::Null }
                }
                // An ether for any bytes.
                "eth_call" if is_oracle(&call["params"][0]["to"]) => {
                    Reply::Result(json!(format!("0x{:064x}", 1_000_000_000_000_000_000_u64)))
                }
                "eth_call" | "eth_getCode" => Reply::Result(json!("0x")),
                _ => fees(call).unwrap_or(Reply::Result(json!("0x1"))),
            }
        }
    })
    .await;
    let limits = json!({"callGasLimit": 77217, "verificationGasLimit": 86895, "preVerificationGas": 50_000});
    let bundler = Upstream::start(move |call| fees(call).unwrap_or_else(|| Reply::Result(limits.clone()))).await;
    let server = Server::start(config(&node.url(), &bundler.url())).await;
    let arguments = json!({"user_operation": operation(), "state_override": null});
    let ask = async || {
        let (status, answer) = server.call("estimate_user_operation_gas", &arguments).await;
        assert_eq!(status, 200, "{answer}");
        u64::from_str_radix(answer["preVerificationGas"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
    };
    assert_eq!(ask().await, 50_000, "only the bundler knows");
    well.store(true, Ordering::SeqCst);
    let told = ask().await;
    assert!(told > 30_000_000, "{told}");
    assert!(node.count("eth_call") >= 3, "{}", node.count("eth_call"));
}
