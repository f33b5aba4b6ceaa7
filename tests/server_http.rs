//! What the server turns away, and what it sends along: limits, origins, malformed arguments, headers.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "server_http/proxy.rs"]
mod proxy;
mod server_support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server_support::{Reply, Server, Upstream, config, operation};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn server() -> (Server, Upstream) {
    let upstream = Upstream::always(Reply::Result(json!("0x1"))).await;
    (Server::start(config(&upstream.url(), &upstream.url())).await, upstream)
}

/// Sends raw bytes and reads what comes back until the connection is closed or quiet.
async fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn over_long_bodies_are_413() {
    let (server, upstream) = server().await;
    let mut operation = operation();
    operation["callData"] = json!(format!("0x{}", "00".repeat(600 * 1024)));
    let (status, answer) = server.call("send_user_operation", &json!({"user_operation": operation})).await;
    assert_eq!((status, &answer["error"]), (413, &json!("TooLarge")), "{answer}");
    // Announced, but never sent: refused at once.
    let head = "POST /api/fn/chain_info HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\nconnection: close\r\n\r\n";
    let answer = raw(&server, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("TooLarge"), "{answer}");
    // Not announced: chunked.
    let chunk = format!("{:x}\r\n{}\r\n", 700 * 1024, "x".repeat(700 * 1024));
    let head = "POST /api/fn/chain_info HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let answer = raw(&server, format!("{head}{chunk}0\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("TooLarge"), "{answer}");
    assert!(upstream.seen.lock().unwrap().is_empty(), "nothing reached an upstream");
}

#[tokio::test]
async fn pages_of_other_sites_may_not_call() {
    let (server, upstream) = server().await;
    let call = |headers: Vec<(&'static str, String)>| {
        let mut request = server.post("read_chain").json(&json!({"method": "eth_blockNumber", "params": []}));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        async move { request.send().await.unwrap() }
    };
    for headers in [
        vec![("origin", "http://evil.example".to_owned())],
        vec![("origin", "null".to_owned())],
        vec![("sec-fetch-site", "cross-site".to_owned())],
        vec![("origin", server.url.clone()), ("sec-fetch-site", "same-site".to_owned())],
    ] {
        let response = call(headers.clone()).await;
        assert_eq!(response.status(), 403, "{headers:?}");
        let answer: Value = response.json().await.unwrap();
        assert_eq!((&answer["error"], &answer["field"]), (&json!("InvalidInput"), &json!("Origin")));
    }
    assert!(upstream.seen.lock().unwrap().is_empty());
    for headers in [vec![], vec![("origin", server.url.clone()), ("sec-fetch-site", "same-origin".to_owned())]] {
        assert_eq!(call(headers).await.status(), 200);
    }
}

#[tokio::test]
async fn malformed_arguments_are_named() {
    let (server, upstream) = server().await;
    let account = "0x0788816536DEFa6A14779711c0B08b7f0edFe68b";
    let with = |name: &str, value: Value| {
        let mut operation = operation();
        operation[name] = value;
        json!({"user_operation": operation})
    };
    let cases = [
        ("account_state", json!({"account": "0x12", "nonce_key": "0x0"}), "account"),
        ("account_state", json!({"account": account}), "request"),
        ("account_state", json!({"account": account, "nonce_key": "much"}), "nonce_key"),
        ("account_state", json!({"account": account, "nonce_key": format!("0x1{}", "0".repeat(48))}), "nonce_key"),
        ("account_state", json!({"account": format!("0x{}", "0".repeat(40)), "nonce_key": "0x0"}), "account"),
        ("account_state", json!([]), "request"),
        ("read_chain", json!({"method": 5, "params": []}), "method"),
        ("read_chain", json!({"method": "eth_getBalance", "params": ["nobody"]}), "params[0]"),
        ("send_user_operation", with("sender", json!("0xzz")), "user_operation.sender"),
        ("send_user_operation", with("nonce", json!(-1)), "user_operation.nonce"),
        (
            "send_user_operation",
            with("callGasLimit", json!("0x1".to_owned() + &"0".repeat(64))),
            "user_operation.callGasLimit",
        ),
        ("send_user_operation", with("callData", json!("0x1")), "user_operation.callData"),
        ("send_user_operation", with("signature", json!("0x")), "user_operation.signature"),
        ("send_user_operation", with("initCode", json!("0x1234")), "user_operation.initCode"),
        (
            "estimate_user_operation_gas",
            {
                let mut arguments = with("nonce", json!("0x0"));
                arguments["state_override"] = json!({"nobody": {}});
                arguments
            },
            "state_override",
        ),
        ("user_operation_status", json!({"user_op_hash": "0x1234"}), "user_op_hash"),
        ("user_operation_status", json!({"user_op_hash": format!("0x{}", "0".repeat(64))}), "user_op_hash"),
    ];
    for (function, arguments, field) in cases {
        let (status, answer) = server.call(function, &arguments).await;
        assert_eq!((status, &answer["error"]), (400, &json!("InvalidInput")), "{function} {arguments}: {answer}");
        assert_eq!(answer["field"], field, "{function} {arguments}: {answer}");
    }
    for body in ["", "{", "null", "\u{0}", "{\"account\":", "[[[[[[", "\"\\ud800\""] {
        let response = server.post("account_state").body(body).send().await.unwrap();
        assert_eq!(response.status(), 400, "{body:?}");
        assert_eq!(response.json::<Value>().await.unwrap()["error"], "InvalidInput", "{body:?}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(server.post("read_chain").body(deep).send().await.unwrap().status(), 400);
    let seen = upstream.seen.lock().unwrap();
    assert!(seen.is_empty(), "nothing reached an upstream: {seen:?}");
}

#[tokio::test]
async fn methods_off_the_list_are_refused() {
    let (server, upstream) = server().await;
    for method in ["eth_sendRawTransaction", "anvil_setBalance", "evm_mine", "debug_traceTransaction"] {
        let (status, answer) = server.call("read_chain", &json!({"method": method, "params": []})).await;
        assert_eq!((status, answer), (403, json!({"error": "MethodNotAllowed", "method": method})));
    }
    assert!(upstream.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn without_a_paymaster_nothing_is_sponsored() {
    let (server, _upstream) = server().await;
    let arguments =
        json!({"user_operation": operation(), "context": {"mode": "SPONSORED", "calculateGasLimits": true}});
    let (status, answer) = server.call("sponsor_user_operation", &arguments).await;
    assert_eq!((status, &answer["error"]), (403, &json!("SponsorshipRefused")));
}

#[tokio::test]
async fn unknown_functions_and_odd_requests_are_answered() {
    let (server, _upstream) = server().await;
    let (status, answer) = server.call("drop_tables", &json!({})).await;
    assert_eq!((status, &answer["error"]), (404, &json!("InvalidInput")));
    let get = server.client.get(format!("{}/api/fn/chain_info", server.url)).send().await.unwrap();
    assert_eq!(get.status(), 405);
    // A caller that would take HTML is not redirected as a form would be.
    let response = server.post("gas_fees").header("accept", "text/html").header("referer", "http://evil.example/");
    assert_ne!(response.body("{}").send().await.unwrap().status(), 302);
    for (request, status) in [
        ("CONNECT evil.example:443 HTTP/1.1\r\nhost: x\r\n\r\n", "405"),
        ("GET evil.example:443 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "400"),
        ("OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "400"),
        ("TRACE / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "405"),
        ("GET /%00 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "404"),
        ("GET /%ff%fe/pkg HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "404"),
        ("GET http://x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "200"),
        ("GET /../../Cargo.toml HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "404"),
        ("GET /pkg/%2e%2e/%2e%2e/%2e%2e/Cargo.toml HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "404"),
    ] {
        let answer = raw(&server, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {}", &answer[..answer.len().min(200)]);
    }
    assert_eq!(server.client.get(format!("{}/healthz", server.url)).send().await.unwrap().text().await.unwrap(), "ok");
}

#[tokio::test]
async fn pages_carry_a_policy_with_a_fresh_nonce() {
    let (server, _upstream) = server().await;
    let mut nonces = Vec::new();
    for path in ["/", "/", "/no-such-page"] {
        let response = server.client.get(format!("{}{path}", server.url)).send().await.unwrap();
        assert_eq!(response.status(), if path == "/" { 200 } else { 404 });
        let headers = response.headers().clone();
        let policy = headers["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("connect-src 'self';") && policy.contains("'wasm-unsafe-eval'"), "{policy}");
        assert!(!policy.contains("script-src 'self' 'unsafe-inline'"));
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["x-frame-options"], "DENY");
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap().to_owned();
        let html = response.text().await.unwrap();
        let scripts = html.matches("<script").count();
        assert_eq!(html.matches(&format!("nonce=\"{nonce}\"")).count(), scripts, "each script has the nonce");
        nonces.push(nonce);
    }
    nonces.dedup();
    assert_eq!(nonces.len(), 3);
}

#[tokio::test]
async fn request_ids_are_kept_or_made() {
    let (server, _upstream) = server().await;
    let url = format!("{}/healthz", server.url);
    let kept = server.client.get(&url).header("x-request-id", "abc-1").send().await.unwrap();
    assert_eq!(kept.headers()["x-request-id"], "abc-1");
    let made = server.client.get(&url).header("x-request-id", "no good!").send().await.unwrap();
    assert_ne!(made.headers()["x-request-id"], "no good!");
}

#[tokio::test]
async fn it_stops_although_somebody_waits() {
    let (server, _upstream) = server().await;
    let hash = json!(format!("0x{}", "ab".repeat(32)));
    let mut waiting = server.post("user_operation_status").json(&json!({"user_op_hash": hash})).send().await.unwrap();
    assert_eq!(waiting.status(), 200);
    let begun = Instant::now();
    drop(server);
    let mut told = Vec::new();
    while let Ok(Some(piece)) = waiting.chunk().await {
        told.extend(piece);
    }
    assert!(begun.elapsed() < Duration::from_secs(4), "the stream ended after {:?}", begun.elapsed());
    let told = String::from_utf8(told).unwrap();
    assert_eq!(told.lines().last(), Some(use_aa::protocol::rpc::RECONNECT), "{told:?}");
}
