//! Receipts of user operations: read from the chain's logs, or from what a bundler says of them.

use std::collections::HashMap;

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol,
    sol_types::{SolEvent, SolValue},
};
use serde_json::Value;

use super::quantity::{quantity, small, truth};
use crate::protocol::{addresses::ENTRY_POINT, revert::decode_revert, rpc::UserOpReceipt};

sol! {
    event UserOperationEvent(bytes32 indexed userOpHash, address indexed sender, address indexed paymaster,
        uint256 nonce, bool success, uint256 actualGasCost, uint256 actualGasUsed);
    event UserOperationRevertReason(bytes32 indexed userOpHash, address indexed sender, uint256 nonce, bytes revertReason);
}

/// Text of a call that failed and said nothing.
const NO_REASON: &str = "no reason given";

/// The first topics of the two events that tell of an operation.
pub(super) fn topics() -> [B256; 2] {
    [UserOperationEvent::SIGNATURE_HASH, UserOperationRevertReason::SIGNATURE_HASH]
}

/// Receipts of all operations whose `UserOperationEvent` is among `logs`; logs of other contracts,
/// removed ones and unreadable ones are passed over.
pub(super) fn from_logs(logs: &[Value]) -> HashMap<B256, UserOpReceipt> {
    let ours: Vec<Log> = logs.iter().filter_map(Log::read).filter(|log| log.address == ENTRY_POINT).collect();
    let reasons: HashMap<B256, String> = ours
        .iter()
        .filter(|log| log.topics.first() == Some(&UserOperationRevertReason::SIGNATURE_HASH))
        .filter_map(|log| {
            let (_, reason) = <(U256, Bytes)>::abi_decode_params(&log.data).ok()?;
            Some((*log.topics.get(1)?, readable(&reason)))
        })
        .collect();
    ours.iter()
        .filter(|log| log.topics.first() == Some(&UserOperationEvent::SIGNATURE_HASH))
        .filter_map(|log| {
            let user_op_hash = *log.topics.get(1)?;
            let (_, success, cost, used) = <(U256, bool, U256, U256)>::abi_decode_params(&log.data).ok()?;
            let reason = reasons.get(&user_op_hash).cloned().unwrap_or_else(|| NO_REASON.to_owned());
            let receipt = UserOpReceipt {
                user_op_hash,
                sender: Address::from_word(*log.topics.get(2)?),
                success,
                reason: (!success).then_some(reason),
                transaction_hash: log.transaction_hash,
                block_number: log.block_number,
                actual_gas_cost: cost,
                actual_gas_used: used,
            };
            Some((user_op_hash, receipt))
        })
        .collect()
}

/// The receipt of one operation out of its transaction's receipt.
pub(super) fn from_transaction(user_op_hash: B256, transaction_receipt: &Value) -> Option<UserOpReceipt> {
    let logs = transaction_receipt.get("logs").and_then(Value::as_array)?;
    from_logs(logs).remove(&user_op_hash)
}

/// A bundler's receipt (SPEC 4.4): numbers in any spelling, success perhaps as text. When the node's
/// receipt is in it with the operation's event, the event is believed.
pub(super) fn from_bundler(user_op_hash: B256, answer: &Value) -> Option<UserOpReceipt> {
    let transaction = answer.get("receipt")?;
    if let Some(receipt) = from_transaction(user_op_hash, transaction) {
        return Some(receipt);
    }
    let named = answer.get("userOpHash").and_then(hash);
    if named.is_some_and(|named| named != user_op_hash) {
        return None;
    }
    let success = truth(answer.get("success")?)?;
    let reason = match answer.get("reason").and_then(Value::as_str).map(str::trim) {
        None | Some("" | "0x") => NO_REASON.to_owned(),
        Some(text) => match text.parse::<Bytes>() {
            Ok(data) if text.starts_with("0x") => readable(&data),
            _ => text.chars().take(500).collect(),
        },
    };
    Some(UserOpReceipt {
        user_op_hash,
        // Whoever waits knows the account; a receipt is not thrown away over it.
        sender: answer.get("sender").and_then(Value::as_str).and_then(|text| text.parse().ok()).unwrap_or_default(),
        success,
        reason: (!success).then_some(reason),
        transaction_hash: transaction.get("transactionHash").and_then(hash)?,
        block_number: transaction.get("blockNumber").and_then(small)?,
        actual_gas_cost: answer.get("actualGasCost").and_then(quantity).unwrap_or_default(),
        actual_gas_used: answer.get("actualGasUsed").and_then(quantity).unwrap_or_default(),
    })
}

/// A 32-byte hash in JSON.
pub(super) fn hash(value: &Value) -> Option<B256> {
    value.as_str()?.parse().ok()
}

fn readable(revert_data: &[u8]) -> String {
    if revert_data.is_empty() { NO_REASON.to_owned() } else { decode_revert(revert_data) }
}

/// The parts of a log that matter here.
struct Log {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
    transaction_hash: B256,
    block_number: u64,
}

impl Log {
    fn read(log: &Value) -> Option<Self> {
        if log.get("removed").and_then(truth) == Some(true) {
            return None;
        }
        Some(Self {
            address: log.get("address")?.as_str()?.parse().ok()?,
            topics: log.get("topics")?.as_array()?.iter().map(hash).collect::<Option<_>>()?,
            data: log.get("data")?.as_str()?.parse().ok()?,
            transaction_hash: log.get("transactionHash").and_then(hash)?,
            block_number: log.get("blockNumber").and_then(small)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{address, hex};
    use serde_json::json;

    use super::*;

    const HASH: B256 = B256::repeat_byte(0xab);
    const TRANSACTION: B256 = B256::repeat_byte(0x77);
    const SENDER: Address = address!("0788816536DEFa6A14779711c0B08b7f0edFe68b");

    fn event(success: bool) -> Value {
        let data =
            (U256::from(3), success, U256::from(9_007_199_254_740_993u64), U256::from(120_000)).abi_encode_params();
        json!({"address": ENTRY_POINT, "topics": [UserOperationEvent::SIGNATURE_HASH, HASH, SENDER.into_word(), B256::ZERO],
            "data": Bytes::from(data), "transactionHash": TRANSACTION, "blockNumber": "0x10"})
    }

    fn reverted(reason: &[u8]) -> Value {
        let data = (U256::from(3), Bytes::copy_from_slice(reason)).abi_encode_params();
        json!({"address": ENTRY_POINT, "topics": [UserOperationRevertReason::SIGNATURE_HASH, HASH, SENDER.into_word()],
            "data": Bytes::from(data), "transactionHash": TRANSACTION, "blockNumber": 16, "removed": false})
    }

    /// topic of the published EntryPoint v0.6
    #[test]
    fn event_signatures_are_the_entry_points() {
        let expected = hex!("49628fd1471006c1482da88028e9ce4dbb080b815c9b0344d39e5a8e6ec1419f");
        assert_eq!(topics()[0], B256::from(expected));
        let expected = hex!("1c4fada7374c0a9ee8841fc38afe82932dc0f8e69012e927f061a8bae611a201");
        assert_eq!(topics()[1], B256::from(expected));
    }

    #[test]
    fn a_success_is_read_from_the_logs() {
        let receipt = from_logs(&[event(true)]).remove(&HASH).unwrap();
        assert!(receipt.success);
        assert_eq!(receipt.reason, None);
        assert_eq!((receipt.sender, receipt.transaction_hash, receipt.block_number), (SENDER, TRANSACTION, 16));
        assert_eq!(receipt.actual_gas_cost, U256::from(9_007_199_254_740_993u64));
    }

    #[test]
    fn a_revert_carries_its_decoded_reason() {
        let reason = hex!(
            "08c379a00000000000000000000000000000000000000000000000000000000000000020000000000000000000000000000000000000000000000000000000000000000548656c6c6f000000000000000000000000000000000000000000000000000000"
        );
        let receipt = from_logs(&[reverted(&reason), event(false)]).remove(&HASH).unwrap();
        assert!(!receipt.success);
        assert!(receipt.reason.as_deref().unwrap().contains("Hello"), "{receipt:?}");
        assert_eq!(from_logs(&[event(false)])[&HASH].reason.as_deref(), Some(NO_REASON));
    }

    #[test]
    fn foreign_removed_and_broken_logs_are_passed_over() {
        let mut foreign = event(true);
        foreign["address"] = json!(SENDER);
        let mut removed = event(true);
        removed["removed"] = json!(true);
        let mut short = event(true);
        short["data"] = json!("0x01");
        let logs = [foreign, removed, short, json!(null), json!({"topics": [1]})];
        assert!(from_logs(&logs).is_empty());
    }

    #[test]
    fn a_bundlers_receipt_is_read_in_any_spelling() {
        let answer = |success: Value, cost: Value, block: Value| {
            json!({"userOpHash": HASH, "sender": SENDER, "nonce": 3, "success": success, "actualGasCost": cost,
                "actualGasUsed": "120000", "reason": "", "logs": [], "receipt": {"transactionHash": TRANSACTION, "blockNumber": block}})
        };
        let receipt =
            from_bundler(HASH, &answer(json!("true"), json!(9_007_199_254_740_993u64), json!("0x10"))).unwrap();
        assert!(receipt.success);
        assert_eq!(receipt.actual_gas_cost, U256::from(9_007_199_254_740_993u64));
        assert_eq!(receipt.block_number, 16);
        let receipt = from_bundler(HASH, &answer(json!(false), json!("0x5"), json!(16))).unwrap();
        assert_eq!((receipt.success, receipt.reason.as_deref()), (false, Some(NO_REASON)));
        assert!(from_bundler(HASH, &Value::Null).is_none());
        assert!(from_bundler(B256::ZERO, &answer(json!(true), json!(1), json!(1))).is_none());
    }
}
