//! What wallets answer, checked: a wallet is outside code and may answer anything.

use alloy::primitives::{Address, Bytes};
use serde_json::Value;

use crate::{error::AppError, protocol::foreign_text};

/// EIP-1193: the person refused.
const USER_REJECTED: i64 = 4001;
/// EIP-3085/3326: the wallet does not know the chain.
pub const UNRECOGNIZED_CHAIN: i64 = 4902;
/// JSON-RPC internal error; mobile wallets wrap 4902 in it.
const INTERNAL: i64 = -32603;

/// First account of `eth_requestAccounts` or `eth_accounts`; `None` when the wallet shares none.
pub fn first_account(method: &str, answer: &Value) -> Result<Option<Address>, AppError> {
    let accounts = answer
        .as_array()
        .ok_or_else(|| AppError::invalid(format!("wallet: {method}"), "a list of addresses", answer))?;
    accounts
        .first()
        .map(|account| {
            account
                .as_str()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| AppError::invalid(format!("wallet: {method}"), "an address of 20 bytes in hex", account))
        })
        .transpose()
}

/// Chain id of `eth_chainId` or `chainChanged`: hex by the standard, decimal or a number in old wallets.
pub fn chain_id(answer: &Value) -> Result<u64, AppError> {
    let parsed = match answer {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        },
        _ => None,
    };
    parsed.filter(|id| *id > 0).ok_or_else(|| AppError::invalid("wallet: eth_chainId", "a chain id in hex", answer))
}

/// A 65-byte signature `r‖s‖v` with v brought to 27 or 28 (some wallets and hardware answer 0 or 1).
pub fn signature(method: &str, answer: &Value) -> Result<Bytes, AppError> {
    let malformed = || AppError::invalid(format!("wallet: {method}"), "65 bytes in hex, v 0, 1, 27 or 28", answer);
    let mut bytes = answer
        .as_str()
        .and_then(|text| hex::decode(text.strip_prefix("0x").unwrap_or(text)).ok())
        .ok_or_else(malformed)?;
    match bytes.as_mut_slice() {
        [rs @ .., v] if rs.len() == 64 => {
            *v = match *v {
                v @ (27 | 28) => v,
                v @ (0 | 1) => v + 27,
                _ => return Err(malformed()),
            };
        }
        _ => return Err(malformed()),
    }
    Ok(bytes.into())
}

/// A wallet's error object as ours. `expected_chain` is named when the wallet does not know the chain.
pub fn error(thrown: &Value, expected_chain: u64, actual_chain: u64) -> AppError {
    let code = error_code(thrown);
    let message = thrown
        .get("message")
        .and_then(Value::as_str)
        .or_else(|| thrown.as_str())
        .map_or_else(|| "the wallet gave no reason".to_owned(), foreign_text::message);
    match code {
        Some(USER_REJECTED) => AppError::WalletRejected,
        Some(UNRECOGNIZED_CHAIN) => AppError::WrongChain { expected: expected_chain, actual: actual_chain },
        code => AppError::Wallet { code: code.unwrap_or(INTERNAL), message },
    }
}

/// The error's code; looks through the wrapping that mobile wallets and ethers put around it.
pub fn error_code(thrown: &Value) -> Option<i64> {
    let inner = thrown.pointer("/data/originalError/code").and_then(Value::as_i64);
    let code = thrown.get("code");
    match code.and_then(Value::as_i64) {
        Some(INTERNAL) | None if inner.is_some() => inner,
        None if code.and_then(Value::as_str) == Some("ACTION_REJECTED") => Some(USER_REJECTED),
        code => code,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn accounts() {
        let owner = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
        assert_eq!(first_account("eth_accounts", &json!([owner, "0x"])).unwrap().unwrap().to_string(), owner);
        assert_eq!(first_account("eth_accounts", &json!([])).unwrap(), None);
        for hostile in [json!(null), json!({}), json!(["0x12"]), json!([7]), json!(owner)] {
            let refused = first_account("eth_accounts", &hostile).unwrap_err();
            assert!(matches!(refused, AppError::InvalidInput { field, .. } if field == "wallet: eth_accounts"));
        }
    }

    #[test]
    fn chain_ids() {
        for (answer, id) in [(json!("0x7a69"), 31337), (json!("31337"), 31337), (json!(1), 1)] {
            assert_eq!(chain_id(&answer).unwrap(), id);
        }
        for hostile in [json!("0x"), json!("0x0"), json!(-1), json!("0xfffffffffffffffff"), json!([]), json!("0xé")] {
            assert!(chain_id(&hostile).is_err(), "{hostile}");
        }
    }

    #[test]
    fn v_is_27_or_28() {
        let rs = "11".repeat(64);
        for (v, normal) in [("00", 27), ("01", 28), ("1b", 27), ("1c", 28)] {
            assert_eq!(signature("personal_sign", &json!(format!("0x{rs}{v}"))).unwrap()[64], normal);
        }
        for hostile in [json!(format!("0x{rs}02")), json!(format!("0x{rs}")), json!("0xzz"), json!(""), json!(null)] {
            assert!(signature("personal_sign", &hostile).is_err(), "{hostile}");
        }
    }

    #[test]
    fn errors_are_told_apart() {
        let wrong_chain = AppError::WrongChain { expected: 31337, actual: 1 };
        for (thrown, expected) in [
            (json!({"code": 4001, "message": "User rejected"}), AppError::WalletRejected),
            (json!({"code": "ACTION_REJECTED"}), AppError::WalletRejected),
            (json!({"code": 4902, "message": "Unrecognized chain"}), wrong_chain.clone()),
            (json!({"code": -32603, "data": {"originalError": {"code": 4902}}}), wrong_chain),
            (json!({"code": 4100, "message": "locked"}), AppError::Wallet { code: 4100, message: "locked".into() }),
            (json!("boom"), AppError::Wallet { code: -32603, message: "boom".into() }),
            (json!(null), AppError::Wallet { code: -32603, message: "the wallet gave no reason".into() }),
        ] {
            assert_eq!(error(&thrown, 31337, 1), expected, "{thrown}");
        }
    }
}
