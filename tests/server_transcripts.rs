//! Vectors 14: what Biconomy's SDK said to Biconomy's services. Ours says the same and understands the answers.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod server_support;

use serde_json::{Value, json};
use server_support::{Reply, Server, Upstream, config, fees as known_fees, node_fees};
use use_aa::protocol::{addresses::ENTRY_POINT, user_operation::UserOperation};
use use_aa::server::config::{PaymasterConfig, PaymasterDialect};

/// All recorded calls of a method.
fn recorded(method: &str) -> Vec<(String, Value, Value)> {
    let vectors: Value = serde_json::from_str(include_str!("vectors/14_jsonrpc_transcripts.json")).unwrap();
    let mut calls = Vec::new();
    for scenario in vectors["scenarios"].as_array().unwrap() {
        for call in scenario["calls"].as_array().unwrap() {
            if call["request"]["method"] == method {
                let name = scenario["scenario"].as_str().unwrap().to_owned();
                calls.push((name, call["request"]["params"].clone(), call["response"].clone()));
            }
        }
    }
    assert!(!calls.is_empty(), "{method} is in the vectors");
    calls
}

/// Our server behind which everybody gives the recorded answer.
async fn replay(response: &Value) -> (Server, Upstream) {
    let asks_for_fees = response["result"]["maxFeePerGas"] != Value::Null;
    let reply = match response.get("error") {
        None if response.get("result").is_none() => Reply::Raw { status: 429, body: response.to_string() },
        None => Reply::Result(response["result"].clone()),
        Some(error) => Reply::Error {
            code: error["code"].as_i64().unwrap(),
            message: error["message"].as_str().unwrap().into(),
            data: error["data"].clone(),
        },
    };
    let upstream = Upstream::start(move |call| match call["method"].as_str() {
        Some("eth_chainId") => Reply::Result(json!("0x7a69")),
        _ if asks_for_fees => node_fees(call).unwrap_or_else(|| reply.clone()),
        _ => known_fees(call).unwrap_or_else(|| reply.clone()),
    })
    .await;
    let mut config = config(&upstream.url(), &upstream.url());
    let (url, dialect) = (upstream.url().parse().unwrap(), PaymasterDialect::Biconomy);
    config.paymaster = Some(PaymasterConfig::Remote { urls: vec![url], dialect, api_key: None });
    // Its policy lets signatures live as long as was asked for.
    config.lab = true;
    (Server::start(config).await, upstream)
}

/// An operation as our functions take it: every quantity is there.
fn whole(operation: &Value) -> Value {
    let mut operation = operation.clone();
    for name in
        ["nonce", "callGasLimit", "verificationGasLimit", "preVerificationGas", "maxFeePerGas", "maxPriorityFeePerGas"]
    {
        let field = operation.as_object_mut().unwrap().entry(name).or_insert(json!("0x0"));
        if field.is_null() {
            *field = json!("0x0");
        }
    }
    operation
}

fn lower(value: &Value) -> Value {
    serde_json::from_str(&value.to_string().to_lowercase()).unwrap()
}

/// A quantity in any spelling.
fn number(value: &Value) -> u128 {
    match value.as_str() {
        Some(text) => match text.strip_prefix("0x") {
            Some(digits) => u128::from_str_radix(digits, 16).unwrap(),
            None => text.parse().unwrap(),
        },
        None => value.as_u64().unwrap().into(),
    }
}

#[tokio::test]
async fn sponsorship() {
    for (scenario, params, response) in recorded("pm_sponsorUserOperation") {
        let (server, upstream) = replay(&response).await;
        let info = &params[1]["sponsorshipInfo"];
        let mut context = json!({"mode": params[1]["mode"], "calculateGasLimits": params[1]["calculateGasLimits"]});
        let token_info = &params[1]["tokenInfo"];
        for (name, value) in [
            ("expiryDuration", &params[1]["expiryDuration"]),
            ("webhookData", &info["webhookData"]),
            ("tokenInfo", token_info),
        ] {
            if !value.is_null() {
                context[name] = value.clone();
            }
        }
        let arguments = json!({"user_operation": whole(&params[0]), "context": context});
        let (status, answer) = server.call("sponsor_user_operation", &arguments).await;
        assert_eq!(lower(&upstream.params("pm_sponsorUserOperation")), lower(&params), "{scenario}");
        if let Some(error) = response.get("error") {
            assert_eq!((&answer["code"], &answer["message"]), (&error["code"], &error["message"]), "{scenario}");
            continue;
        }
        let result = &response["result"];
        assert_eq!((status, &answer["paymasterAndData"]), (200, &result["paymasterAndData"]), "{scenario}: {answer}");
        for name in ["callGasLimit", "verificationGasLimit", "preVerificationGas"] {
            assert_eq!(number(&answer[name]), number(&result[name]), "{scenario}: {name}");
        }
    }
}

/// docs/protocol.md 5.4. The last recording has `MODE`, as the documentation writes it, which the SDK cannot read.
#[tokio::test]
async fn quotes() {
    for (scenario, params, response) in recorded("pm_getFeeQuoteOrData") {
        let (server, upstream) = replay(&response).await;
        let token_info = &params[1]["tokenInfo"];
        let mut request = json!({"tokenList": token_info["tokenList"]});
        if !token_info["preferredToken"].is_null() {
            request["preferredToken"] = token_info["preferredToken"].clone();
        }
        let arguments = json!({"user_operation": whole(&params[0]), "request": request});
        let (status, answer) = server.call("fee_quotes", &arguments).await;
        assert_eq!(lower(&upstream.params("pm_getFeeQuoteOrData")), lower(&params), "{scenario}");
        let result = &response["result"];
        assert_eq!((status, &answer["unsupportedTokens"]), (200, &json!([])), "{scenario}: {answer}");
        assert_eq!(lower(&answer["tokenPaymasterAddress"]), lower(&result["paymasterAddress"]), "{scenario}");
        let (quotes, recorded) = (answer["feeQuotes"].as_array().unwrap(), result["feeQuotes"].as_array().unwrap());
        assert_eq!(quotes.len(), recorded.len());
        for (quote, recorded) in quotes.iter().zip(recorded) {
            for name in ["symbol", "decimal", "premiumPercentage", "validUntil", "logoUrl"] {
                assert_eq!(quote[name], recorded[name], "{scenario}: {name}");
            }
            assert_eq!(lower(&quote["tokenAddress"]), lower(&recorded["tokenAddress"]), "{scenario}");
            // every digit of the number, as text
            assert_eq!(quote["maxGasFee"], recorded["maxGasFee"].to_string(), "{scenario}");
        }
    }
}

#[tokio::test]
async fn answers_without_quotes_are_told_apart() {
    let operation = whole(&recorded("pm_getFeeQuoteOrData")[0].1[0]);
    let arguments = json!({"user_operation": operation, "request": {}});
    for result in [
        json!({"mode": "SPONSORED", "paymasterAndData": "0x"}),
        json!({"mode": "ERC20", "feeQuotes": []}),
        json!({"mode": "ERC20", "paymasterAddress": ENTRY_POINT}),
        json!({"mode": "ERC20", "paymasterAddress": ENTRY_POINT, "feeQuotes": [{"symbol": "T"}]}),
        json!({"feeQuotes": [], "paymasterAddress": ENTRY_POINT}),
        json!(null),
    ] {
        let (server, _upstream) = replay(&json!({"result": result})).await;
        let (status, answer) = server.call("fee_quotes", &arguments).await;
        assert_eq!((status, &answer["error"]), (502, &json!("UpstreamMalformed")), "{result}");
    }
}

#[tokio::test]
async fn estimates() {
    for (scenario, params, response) in recorded("eth_estimateUserOperationGas") {
        let (server, upstream) = replay(&response).await;
        let arguments = json!({"user_operation": whole(&params[0]), "state_override": params.get(2)});
        let (status, answer) = server.call("estimate_user_operation_gas", &arguments).await;
        let asked = upstream.params("eth_estimateUserOperationGas");
        for (name, value) in params[0].as_object().unwrap() {
            assert_eq!(lower(&asked[0][name]), lower(value), "{scenario}: {name}");
        }
        assert_eq!(lower(&asked[1]), lower(&params[1]), "{scenario}");
        match response.get("error") {
            Some(error) => {
                assert_eq!((&answer["code"], &answer["message"]), (&error["code"], &error["message"]), "{scenario}");
            }
            // docs/protocol.md 4.3: each limit must be there.
            None if response["result"].as_object().unwrap().values().any(Value::is_null) => {
                assert_eq!((status, &answer["error"]), (502, &json!("UpstreamMalformed")), "{scenario}");
            }
            None => {
                assert_eq!(status, 200, "{scenario}: {answer}");
                for name in ["callGasLimit", "verificationGasLimit", "preVerificationGas"] {
                    assert_eq!(number(&answer[name]), number(&response["result"][name]), "{scenario}: {name}");
                }
            }
        }
    }
}

#[tokio::test]
async fn sending() {
    for (scenario, params, mut response) in recorded("eth_sendUserOperation") {
        if response.get("result").is_some() {
            // The recordings have a made-up hash; another one than the operation's is refused.
            let operation: UserOperation = serde_json::from_value(whole(&params[0])).unwrap();
            response["result"] = json!(operation.hash(31_337));
        }
        let (server, upstream) = replay(&response).await;
        let (status, answer) = server.call("send_user_operation", &json!({"user_operation": whole(&params[0])})).await;
        if params[0]["signature"] == "0x" {
            // Recordings about waiting; unsigned operations go no further than here.
            assert_eq!((status, &answer["field"]), (400, &json!("user_operation.signature")), "{scenario}");
            continue;
        }
        let asked = upstream.params("eth_sendUserOperation");
        for (name, value) in params[0].as_object().unwrap() {
            assert_eq!(lower(&asked[0][name]), lower(value), "{scenario}: {name}");
        }
        assert_eq!(asked.as_array().unwrap().len(), 2, "no simulation_type: other bundlers refuse it");
        match response.get("error") {
            // Also with HTTP 200, where the SDK took it for a success (docs/protocol.md 10-S15).
            Some(error) => {
                assert_eq!((&answer["code"], &answer["message"]), (&error["code"], &error["message"]), "{scenario}");
            }
            None if response.get("result").is_none() => {
                assert_eq!((status, &answer["error"]), (503, &json!("UpstreamUnavailable")), "{scenario}");
                assert_eq!(
                    answer["reason"], "HTTP 429 Too Many Requests: Too many requests",
                    "its words are kept (S18)"
                );
            }
            None => assert_eq!((status, &answer), (200, &response["result"]), "{scenario}"),
        }
    }
}

#[tokio::test]
async fn fees() {
    for (scenario, _, response) in recorded("biconomy_getGasFeeValues") {
        let (server, _upstream) = replay(&response).await;
        let (status, answer) = server.call("gas_fees", &json!({})).await;
        assert_eq!(status, 200, "{scenario}: {answer}");
        for name in ["maxFeePerGas", "maxPriorityFeePerGas"] {
            assert_eq!(number(&answer[name]), number(&response["result"][name]), "{scenario}: {name}");
        }
    }
}
