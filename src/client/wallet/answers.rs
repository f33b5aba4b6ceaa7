//! What wallets answer, checked: a wallet is outside code and may answer anything.

use alloy::primitives::{Address, Bytes};
use serde_json::Value;

use crate::error::AppError;

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

/// The bytes of a signature; of one by a key (65 bytes `r‖s‖v`) v is brought to 27 or 28: some wallets and hardware answer
/// 0 or 1. Others are passed on as they are: whoever knows the owner can say what is wrong with them.
pub fn signature(method: &str, answer: &Value) -> Result<Bytes, AppError> {
    let malformed = || AppError::invalid(format!("wallet: {method}"), "a signature in hex", answer);
    let text = answer.as_str().ok_or_else(malformed)?;
    let mut bytes = hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|_| malformed())?;
    if let (65, Some(v @ (0 | 1))) = (bytes.len(), bytes.last_mut()) {
        *v += 27;
    }
    Ok(bytes.into())
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
        for hostile in [json!("0xzz"), json!("0x1"), json!(null), json!({}), json!(7)] {
            assert!(signature("personal_sign", &hostile).is_err(), "{hostile}");
        }
    }

    #[test]
    fn a_contracts_signature_is_passed_on_whole() {
        let given = signature("personal_sign", &json!(format!("0x{}", "00".repeat(600)))).unwrap();
        assert_eq!(given.len(), 600);
        assert!(given.iter().all(|byte| *byte == 0));
    }
}
