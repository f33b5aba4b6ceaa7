//! Where an operation is, in the words of three dialects of bundlers (docs/protocol.md 4.4).

use alloy::primitives::B256;
use serde_json::Value;

use super::super::receipt;
use use_aa_actions::error::AppError;
use use_aa_protocol::rpc::UserOpReceipt;

/// Where an operation is, as the bundler tells it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum BundlerStatus {
    /// Never heard of it (or forgotten).
    Unknown,
    /// Those that were asked and can tell never heard of it; others could not be asked, and why, or have no method that
    /// tells.
    UnknownToThoseAsked(Option<AppError>),
    /// It has no method that tells.
    Silent,
    /// Accepted, not in a transaction yet.
    Waiting,
    /// In this transaction, which may be mined or not.
    Bundled(B256),
    /// Given up, or failed together with its bundle; the chain has the last word.
    Dropped {
        /// The bundler's text.
        reason: String,
        /// The transaction that failed, when there was one.
        transaction_hash: Option<B256>,
    },
    /// Done, with the bundler's own receipt.
    Done(Box<UserOpReceipt>),
}

/// Reads all three dialects; `None` when the answer is none of them.
pub(super) fn read_status(user_op_hash: B256, answer: &Value) -> Option<BundlerStatus> {
    if answer.is_null() {
        return Some(BundlerStatus::Unknown);
    }
    let transaction_hash = answer.get("transactionHash").and_then(receipt::hash).filter(|hash| !hash.is_zero());
    let reason = |default: &str| {
        let message = answer.get("message").and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        message.unwrap_or(default).chars().take(500).collect::<String>()
    };
    let Some(state) = answer.get("status").or_else(|| answer.get("state")).and_then(Value::as_str) else {
        return receipt::from_bundler(user_op_hash, answer).map(|receipt| BundlerStatus::Done(Box::new(receipt)));
    };
    Some(match state {
        "not_found" => BundlerStatus::Unknown,
        "not_submitted" | "queued" | "BUNDLER_MEMPOOL" => BundlerStatus::Waiting,
        "submitted" | "included" | "SUBMITTED" => match transaction_hash {
            Some(hash) => BundlerStatus::Bundled(hash),
            None => BundlerStatus::Waiting,
        },
        "CONFIRMED" => {
            let receipt = answer.get("userOperationReceipt").and_then(|r| receipt::from_bundler(user_op_hash, r));
            match (receipt, transaction_hash) {
                (Some(receipt), _) => BundlerStatus::Done(Box::new(receipt)),
                (None, Some(hash)) => BundlerStatus::Bundled(hash),
                (None, None) => return None,
            }
        }
        "rejected" => BundlerStatus::Dropped {
            reason: reason("the bundler rejected the operation after accepting it"),
            transaction_hash,
        },
        "DROPPED_FROM_BUNDLER_MEMPOOL" => {
            BundlerStatus::Dropped { reason: reason("the bundler could not send the operation"), transaction_hash }
        }
        "failed" | "reverted" | "FAILED" => {
            BundlerStatus::Dropped { reason: reason("the bundle's transaction failed on chain"), transaction_hash }
        }
        _ => return None,
    })
}

/// The same out of `eth_getUserOperationByHash`, for an operation without a receipt.
pub(super) fn read_by_hash(user_op_hash: B256, answer: &Value) -> BundlerStatus {
    if !is_about(user_op_hash, answer) {
        return BundlerStatus::Unknown;
    }
    match answer.get("transactionHash").and_then(receipt::hash).filter(|hash| !hash.is_zero()) {
        Some(transaction_hash) => BundlerStatus::Bundled(transaction_hash),
        None => BundlerStatus::Waiting,
    }
}

/// An answer that describes this operation: an object, and one that names no other hash.
pub(super) fn is_about(user_op_hash: B256, answer: &Value) -> bool {
    let named = ["userOpHash", "hash"].iter().find_map(|name| answer.get(name)).and_then(receipt::hash);
    answer.as_object().is_some_and(|fields| !fields.is_empty()) && named.is_none_or(|named| named == user_op_hash)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    const HASH: B256 = B256::repeat_byte(0xab);

    fn status(answer: Value) -> Option<BundlerStatus> {
        read_status(HASH, &answer)
    }

    #[test]
    fn every_dialect_of_status_is_read() {
        let transaction = B256::repeat_byte(7);
        assert_eq!(status(json!(null)), Some(BundlerStatus::Unknown));
        assert_eq!(status(json!({"status": "not_found", "transactionHash": null})), Some(BundlerStatus::Unknown));
        assert_eq!(status(json!({"status": "not_submitted", "transactionHash": null})), Some(BundlerStatus::Waiting));
        let bundled = Some(BundlerStatus::Bundled(transaction));
        assert_eq!(status(json!({"status": "submitted", "transactionHash": transaction})), bundled);
        assert_eq!(status(json!({"status": "included", "transactionHash": transaction})), bundled);
        assert_eq!(status(json!({"state": "BUNDLER_MEMPOOL"})), Some(BundlerStatus::Waiting));
        assert_eq!(status(json!({"state": "SUBMITTED", "transactionHash": transaction})), bundled);
        let failed =
            status(json!({"state": "FAILED", "transactionHash": transaction, "message": "AA 25 invalid nonce"}));
        assert_eq!(
            failed,
            Some(BundlerStatus::Dropped { reason: "AA 25 invalid nonce".into(), transaction_hash: Some(transaction) })
        );
        assert!(matches!(
            status(json!({"state": "DROPPED_FROM_BUNDLER_MEMPOOL"})),
            Some(BundlerStatus::Dropped { transaction_hash: None, .. })
        ));
        assert_eq!(status(json!({"state": "MELTED"})), None);
        assert_eq!(status(json!("soon")), None);
    }
    #[test]
    fn only_what_describes_the_operation_is_a_yes() {
        assert!(is_about(HASH, &json!({"userOperation": {}, "entryPoint": "0x"})));
        assert!(is_about(HASH, &json!({"userOpHash": HASH, "success": true})));
        assert!(!is_about(HASH, &json!({"userOpHash": B256::ZERO, "success": true})));
        for answer in [Value::Null, json!({}), json!([]), json!("0x"), json!(true)] {
            assert!(!is_about(HASH, &answer), "{answer}");
            assert_eq!(read_by_hash(HASH, &answer), BundlerStatus::Unknown, "{answer}");
        }
        let transaction = B256::repeat_byte(7);
        let in_transaction = json!({"userOperation": {}, "transactionHash": transaction});
        assert_eq!(read_by_hash(HASH, &in_transaction), BundlerStatus::Bundled(transaction));
        for nowhere in [Value::Null, json!(B256::ZERO)] {
            let waiting = json!({"userOperation": {}, "transactionHash": nowhere});
            assert_eq!(read_by_hash(HASH, &waiting), BundlerStatus::Waiting);
        }
    }
}
