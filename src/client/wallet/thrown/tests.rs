#![allow(clippy::unwrap_used, clippy::expect_used)]
use serde_json::json;

use super::*;

fn wallet(code: i64, message: &str) -> AppError {
    AppError::Wallet { code, message: message.into() }
}

#[test]
fn refusals_in_every_shape() {
    for thrown in [
        json!({"code": 4001, "message": "User rejected the request."}),
        json!({"code": 4001}),
        json!({"code": 4001.0}),
        json!({"code": "4001"}),
        json!({"code": " 4001 ", "message": "no"}),
        json!({"code": "ACTION_REJECTED"}),
        json!({"code": "ACTION_REJECTED", "info": {"error": {"code": 4001}}, "reason": "rejected"}),
        json!({"code": -32603, "message": "MetaMask Message Signature: User denied message signature."}),
        json!({"code": -32603, "data": {"code": 4001}}),
        json!({"code": -32603, "data": {"originalError": {"code": 4001, "message": "x"}}}),
        json!({"code": -32000, "message": "user rejected transaction"}),
        json!({"code": 5000, "message": "User rejected methods."}),
        json!({"code": 5000}),
        json!({"code": "5000"}),
        json!({"message": "Something failed", "cause": {"code": 4001}}),
        json!({"message": "Something failed", "cause": {"cause": {"error": {"code": "4001"}}}}),
        json!({"error": {"code": 4001, "message": "x"}}),
        json!({"data": {"cause": {"name": "UserRejectedRequestError"}}}),
        json!({"name": "UserRejectedRequestError", "message": "details follow"}),
        json!({"message": "User closed modal"}),
        json!({"message": "{\"code\":4001,\"message\":\"x\"}"}),
        json!({"code": -32603, "message": "Internal JSON-RPC error.\n{\n \"code\": 4001 }"}),
        json!({"data": "{\"error\":{\"code\":\"4001\"}}"}),
        json!({"error": [{"code": -32603}, {"code": 4001}]}),
        json!("{\"code\":4001}"),
        json!("User rejected"),
        json!("rejected by user"),
    ] {
        assert_eq!(error(&thrown, None), AppError::WalletRejected, "{thrown}");
        assert_eq!(error(&thrown, Some((31337, 1))), AppError::WalletRejected, "{thrown}");
        assert!(!knows_no_such_chain(&thrown), "{thrown}");
    }
}

#[test]
fn what_says_nothing_gets_neutral_words() {
    for thrown in [
        json!(null),
        json!({}),
        json!([]),
        json!(""),
        json!("[object Object]"),
        json!(false),
        json!({"message": ""}),
        json!({"message": "Error"}),
        json!({"data": {}}),
        json!({"code": null, "message": null, "data": null}),
    ] {
        let told = error(&thrown, None);
        assert_eq!(told, wallet(NO_WALLET_CODE, NO_REASON), "{thrown}");
        assert_eq!(told.to_string(), NO_REASON);
        assert!(!told.to_string().contains("reject") && !told.to_string().contains("refus"));
    }
    assert_eq!(error(&json!({"code": -32603, "message": "Internal JSON-RPC error."}), None), wallet(-32603, NO_REASON));
    assert_eq!(error(&json!(17), None), wallet(17, NO_REASON));
}

#[test]
fn what_says_something_else_keeps_its_code_and_words() {
    for (thrown, expected) in [
        (json!({"code": 4100, "message": "locked"}), wallet(4100, "locked")),
        (json!("boom"), wallet(NO_WALLET_CODE, "boom")),
        (json!({"code": -32002, "message": "already pending"}), wallet(-32002, "already pending")),
        (
            json!({"code": -32002, "message": "pending; the user rejected none yet"}),
            wallet(-32002, "pending; the user rejected none yet"),
        ),
        (json!({"code": -32603, "data": {"code": 4900, "message": "gone"}}), wallet(4900, "gone")),
        (
            json!({"code": -32603, "message": "Internal error", "data": {"message": "nonce too low"}}),
            wallet(-32603, "nonce too low"),
        ),
        (json!({"code": 4902, "message": "Unrecognized chain"}), wallet(4902, "Unrecognized chain")),
        (json!({"code": "NETWORK_ERROR", "message": "no network"}), wallet(NO_WALLET_CODE, "no network")),
    ] {
        assert_eq!(error(&thrown, None), expected, "{thrown}");
    }
}

#[test]
fn an_unknown_chain_is_told_where_one_was_asked_for() {
    for thrown in [
        json!({"code": 4902, "message": "Unrecognized chain"}),
        json!({"code": "4902"}),
        json!({"code": -32603, "data": {"originalError": {"code": 4902}}}),
        json!({"code": -32603, "message": "Unrecognized chain ID \"0x7a69\". Try adding the chain using wallet_addEthereumChain first."}),
    ] {
        assert!(knows_no_such_chain(&thrown), "{thrown}");
        assert_eq!(error(&thrown, Some((31337, 1))), AppError::WrongChain { expected: 31337, actual: 1 }, "{thrown}");
    }
    assert!(!knows_no_such_chain(&json!({"code": -32603})));
}

#[test]
fn only_code_1013_is_a_hiccup() {
    for payload in
        [json!({"code": 1013, "message": "Disconnected from chain. Attempting to connect."}), json!({"code": "1013"})]
    {
        assert!(is_reconnecting(&payload), "{payload}");
    }
    for payload in [
        json!(null),
        json!({}),
        json!({"code": 1000}),
        json!({"code": 1011}),
        json!({"code": 4900}),
        json!({"code": 4901}),
        json!({"code": 6000, "message": "User disconnected"}),
        json!("Disconnected. Attempting to connect."),
    ] {
        assert!(!is_reconnecting(&payload), "{payload}");
    }
}

#[test]
fn endless_wrapping_ends() {
    let mut thrown = json!({"code": 4001});
    for _ in 0..100 {
        thrown = json!({"cause": thrown, "data": [1, 2, {"error": {}}]});
    }
    assert_eq!(error(&thrown, None), wallet(NO_WALLET_CODE, NO_REASON));
}
