//! Receipts of user operations: read from the chain's logs, or from what a bundler says of them.

mod token_charge;

use std::collections::HashMap;

use alloy::primitives::{Address, B256, Bytes, U256};
use serde_json::{Value, json};

use super::quantity::{quantity, small, truth};
use use_aa_protocol::{
    entry_point::{EntryPoint, EntryPointEvent},
    revert::decode_revert,
    rpc::UserOpReceipt,
    smart_sessions::revert_words,
};

pub(super) use token_charge::{
    PaymentDue, TokenCharge, payment_due_topic, payments_due, token_charge_topics, token_charges, transfer_topic,
    transfers,
};

/// Text of a call that failed and said nothing.
const NO_REASON: &str = "no reason given";

/// Text of a call that was undone because its gas cost more than was prefunded (v0.7).
const PREFUND_TOO_LOW: &str = "the gas cost more than was prefunded";

/// The first topic of the event that tells that an operation is in a block; alike in all versions.
pub(super) const MINED: B256 = EntryPointEvent::USER_OPERATION;

/// First topics of all events that tell of an operation: that, and why its call was undone.
pub(super) fn topics() -> [B256; 4] {
    let [reason, post_op, prefund] = EntryPointEvent::REASONS;
    [MINED, reason, post_op, prefund]
}

/// Whose events these are: the entry points of all versions. For filters of logs.
pub(super) fn entry_points() -> Value {
    json!(EntryPoint::ALL.map(EntryPoint::address))
}

/// An operation that was seen in a block.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sighting {
    /// Who took it: nonces of one entry point say nothing of those of another.
    pub(super) entry_point: EntryPoint,
    /// Its nonce: no other operation of the account with this one can be mined any more.
    pub(super) nonce: U256,
    /// What its event says, with the revert reason when that was among the logs.
    pub(super) receipt: UserOpReceipt,
    /// Hash of its block, when the node tells.
    pub(super) block_hash: Option<B256>,
}

/// All operations whose `UserOperationEvent` is among `logs`, in their order; logs of other contracts than the known entry
/// points, removed ones and unreadable ones are passed over.
pub(super) fn sightings(logs: &[Value]) -> Vec<Sighting> {
    sightings_of(logs, |address| Some((EntryPoint::from_address(address)?, address)))
}

/// As [`sightings`], of the contracts that `known` names, with the version that their errors are read by.
fn sightings_of(logs: &[Value], known: impl Fn(Address) -> Option<(EntryPoint, Address)>) -> Vec<Sighting> {
    let events: Vec<_> = logs
        .iter()
        .filter_map(Log::read)
        .filter(|log| !log.removed)
        .filter_map(|log| Some((known(log.address)?, EntryPointEvent::read(&log.topics, &log.data)?, log)))
        .collect();
    let mut reasons = HashMap::<(Address, B256), String>::new();
    for ((entry_point, address), event, _) in &events {
        let (hash, reason) = match event {
            EntryPointEvent::RevertReason { user_op_hash, reason, .. }
            | EntryPointEvent::PostOpRevertReason { user_op_hash, reason, .. } => {
                (*user_op_hash, readable(*entry_point, reason))
            }
            EntryPointEvent::PrefundTooLow { user_op_hash, .. } => (*user_op_hash, PREFUND_TOO_LOW.to_owned()),
            EntryPointEvent::UserOperation { .. } | EntryPointEvent::AccountDeployed { .. } => continue,
        };
        reasons.insert((*address, hash), reason);
    }
    let mut found = Vec::new();
    for ((entry_point, address), event, log) in events {
        let EntryPointEvent::UserOperation {
            user_op_hash,
            sender,
            nonce,
            success,
            actual_gas_cost,
            actual_gas_used,
            ..
        } = event
        else {
            continue;
        };
        let reason = reasons.get(&(address, user_op_hash)).cloned().unwrap_or_else(|| NO_REASON.to_owned());
        let receipt = UserOpReceipt {
            user_op_hash,
            sender,
            success,
            reason: (!success).then_some(reason),
            transaction_hash: log.transaction_hash,
            block_number: log.block_number,
            actual_gas_cost,
            actual_gas_used,
        };
        found.push(Sighting { entry_point, nonce, receipt, block_hash: log.block_hash });
    }
    found
}

/// The operations in a transaction's receipt; none when it is the receipt of another transaction.
pub(super) fn sightings_in_transaction(transaction_hash: B256, transaction_receipt: &Value) -> Vec<Sighting> {
    let logs = transaction_receipt.get("logs").and_then(Value::as_array);
    let found = sightings(logs.map(Vec::as_slice).unwrap_or_default());
    found.into_iter().filter(|sighting| sighting.receipt.transaction_hash == transaction_hash).collect()
}

/// The receipt of one operation out of its transaction's receipt.
pub(super) fn from_transaction(user_op_hash: B256, transaction_receipt: &Value) -> Option<UserOpReceipt> {
    let logs = transaction_receipt.get("logs").and_then(Value::as_array)?;
    let of_it = |sighting: &Sighting| sighting.receipt.user_op_hash == user_op_hash;
    sightings(logs).into_iter().find(of_it).map(|sighting| sighting.receipt)
}

/// One operation out of its transaction's receipt, of an entry point whose version need not be known here: the events
/// are the same in all.
pub(super) fn sighting_in(address: Address, user_op_hash: B256, transaction_receipt: &Value) -> Option<Sighting> {
    let logs = transaction_receipt.get("logs").and_then(Value::as_array)?;
    let version = EntryPoint::from_address(address).unwrap_or(EntryPoint::V07);
    let found = sightings_of(logs, |emitter| (emitter == address).then_some((version, address)));
    found.into_iter().find(|sighting| sighting.receipt.user_op_hash == user_op_hash)
}

/// An event that a reorganisation took back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) user_op_hash: B256,
    pub(super) transaction_hash: B256,
    pub(super) block_number: u64,
    pub(super) block_hash: Option<B256>,
}

/// The log is one that a reorganisation took back.
pub(super) fn removed(log: &Value) -> Option<Removed> {
    let log = Log::read(log).filter(|log| log.removed && EntryPoint::from_address(log.address).is_some())?;
    (log.topics.first() == Some(&MINED)).then_some(())?;
    let Log { transaction_hash, block_number, block_hash, .. } = log;
    Some(Removed { user_op_hash: *log.topics.get(1)?, transaction_hash, block_number, block_hash })
}

/// The log tells why an operation's call reverted; its event is another log.
pub(super) fn is_reason(log: &Value) -> bool {
    let topic = log.get("topics").and_then(|topics| topics.get(0)).and_then(hash);
    topic.is_some_and(|topic| EntryPointEvent::REASONS.contains(&topic))
}

/// The operation that a log is about.
pub(super) fn operation_of(log: &Value) -> Option<B256> {
    log.get("topics")?.get(1).and_then(hash)
}

/// A bundler's receipt (docs/protocol.md 4.4): numbers in any spelling, success perhaps as text. When the node's
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
            // Of which version is not said; the later one's words know those of the earlier one, too.
            Ok(data) if text.starts_with("0x") => readable(EntryPoint::V07, &data),
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

fn readable(entry_point: EntryPoint, revert_data: &[u8]) -> String {
    match entry_point {
        _ if revert_data.is_empty() => NO_REASON.to_owned(),
        EntryPoint::V06 => decode_revert(revert_data),
        EntryPoint::V07 => revert_words(revert_data),
    }
}

/// The parts of a log that matter here.
struct Log {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
    transaction_hash: B256,
    block_number: u64,
    block_hash: Option<B256>,
    /// A reorganisation took it back.
    removed: bool,
}

impl Log {
    fn read(log: &Value) -> Option<Self> {
        Some(Self {
            removed: log.get("removed").and_then(truth) == Some(true),
            address: log.get("address")?.as_str()?.parse().ok()?,
            topics: log.get("topics")?.as_array()?.iter().map(hash).collect::<Option<_>>()?,
            data: log.get("data")?.as_str()?.parse().ok()?,
            transaction_hash: log.get("transactionHash").and_then(hash)?,
            block_number: log.get("blockNumber").and_then(small)?,
            block_hash: log.get("blockHash").and_then(hash),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::{
        primitives::{address, hex},
        sol_types::SolValue,
    };
    use serde_json::json;

    use super::*;

    const HASH: B256 = B256::repeat_byte(0xab);
    const TRANSACTION: B256 = B256::repeat_byte(0x77);
    const SENDER: Address = address!("0788816536DEFa6A14779711c0B08b7f0edFe68b");

    fn event(success: bool) -> Value {
        event_at(EntryPoint::V06, success)
    }

    fn event_at(entry_point: EntryPoint, success: bool) -> Value {
        let data =
            (U256::from(3), success, U256::from(9_007_199_254_740_993u64), U256::from(120_000)).abi_encode_params();
        json!({"address": entry_point.address(), "topics": [MINED, HASH, SENDER.into_word(), B256::ZERO],
            "data": Bytes::from(data), "transactionHash": TRANSACTION, "blockNumber": "0x10"})
    }

    fn reverted(reason: &[u8]) -> Value {
        reverted_at(EntryPoint::V06, EntryPointEvent::REVERT_REASON, reason)
    }

    fn reverted_at(entry_point: EntryPoint, topic: B256, reason: &[u8]) -> Value {
        let data = (U256::from(3), Bytes::copy_from_slice(reason)).abi_encode_params();
        json!({"address": entry_point.address(), "topics": [topic, HASH, SENDER.into_word()],
            "data": Bytes::from(data), "transactionHash": TRANSACTION, "blockNumber": 16, "removed": false})
    }

    fn one(logs: &[Value]) -> UserOpReceipt {
        sightings(logs).remove(0).receipt
    }

    /// topic of the published EntryPoint v0.6
    #[test]
    fn event_signatures_are_the_entry_points() {
        let expected = hex!("49628fd1471006c1482da88028e9ce4dbb080b815c9b0344d39e5a8e6ec1419f");
        assert_eq!(topics()[0], B256::from(expected));
        let expected = hex!("1c4fada7374c0a9ee8841fc38afe82932dc0f8e69012e927f061a8bae611a201");
        assert_eq!(topics()[1], B256::from(expected));
    }

    /// Each entry point's own word counts for its operations, with the reasons that v0.7 adds.
    #[test]
    fn operations_of_both_entry_points_are_told_apart() {
        let [_, post_op, _] = EntryPointEvent::REASONS;
        // Of a policy, in the words of the module.
        let policy = hex!(
            "3b5773610000000000000000000000000000000000000000000000000000000000000007000000000000000000000000000000000000000000d30f611fa3bf652ac6879428586930"
        );
        let at = |entry_point, topic, reason: &[u8]| {
            let logs = [reverted_at(entry_point, topic, reason), event_at(EntryPoint::V07, false), event(true)];
            let found = sightings(&logs);
            assert_eq!([found[0].entry_point, found[1].entry_point], [EntryPoint::V07, EntryPoint::V06]);
            assert_eq!(found[1].receipt.reason, None);
            found[0].receipt.reason.clone().unwrap()
        };
        assert!(at(EntryPoint::V07, EntryPointEvent::REVERT_REASON, &policy).starts_with("PolicyViolation"));
        assert!(at(EntryPoint::V07, post_op, &policy).starts_with("PolicyViolation"));
        assert_eq!(at(EntryPoint::V06, EntryPointEvent::REVERT_REASON, &policy), NO_REASON, "another one's word");
        let transaction = json!({"logs": [event_at(EntryPoint::V07, true)]});
        assert!(from_transaction(HASH, &transaction).is_some());
        assert!(sighting_in(EntryPoint::V06.address(), HASH, &transaction).is_none());
        assert_eq!(sighting_in(EntryPoint::V07.address(), HASH, &transaction).unwrap().entry_point, EntryPoint::V07);
    }

    #[test]
    fn a_success_is_read_from_the_logs() {
        let receipt = one(&[event(true)]);
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
        let receipt = one(&[reverted(&reason), event(false)]);
        assert!(!receipt.success);
        assert!(receipt.reason.as_deref().unwrap().contains("Hello"), "{receipt:?}");
        assert_eq!(one(&[event(false)]).reason.as_deref(), Some(NO_REASON));
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
        assert!(sightings(&logs).is_empty());
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

    #[test]
    fn what_a_reorganisation_took_back_is_told_apart() {
        let mut log = event(true);
        assert_eq!(removed(&log), None);
        log["removed"] = json!(true);
        let gone = Removed { user_op_hash: HASH, transaction_hash: TRANSACTION, block_number: 16, block_hash: None };
        assert_eq!(removed(&log), Some(gone));
        let mut reason = reverted(&[]);
        assert!(is_reason(&reason) && !is_reason(&log));
        assert_eq!(operation_of(&reason), Some(HASH));
        reason["removed"] = json!(true);
        assert_eq!(removed(&reason), None);
    }

    #[test]
    fn the_receipt_of_another_transaction_tells_nothing() {
        let receipt = json!({"logs": [event(true)]});
        assert_eq!(sightings_in_transaction(TRANSACTION, &receipt).len(), 1);
        assert!(sightings_in_transaction(B256::ZERO, &receipt).is_empty());
        assert_eq!(sightings(&[event(true)])[0].nonce, U256::from(3));
    }

    use proptest::prelude::*;

    /// A log, or a bundler's receipt, with one part replaced by something else.
    fn damaged(mut value: Value, path: usize, part: Value) -> Value {
        let Some(fields) = value.as_object_mut() else { return value };
        let names: Vec<String> = fields.keys().cloned().collect();
        fields.insert(names[path % names.len()].clone(), part);
        value
    }

    fn part() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            "(0x)?[0-9a-fA-F]{0,140}".prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            prop::collection::vec("0x[0-9a-f]{60,66}".prop_map(Value::from), 0..4).prop_map(Value::from),
        ]
    }

    proptest! {
        #[test]
        fn any_log_is_read_or_passed_over(path in 0usize..8, part in part(), bytes in prop::collection::vec(any::<u8>(), 0..160)) {
            let mut log = damaged(event(true), path, part.clone());
            let _ = (sightings(&[log.clone(), part.clone()]), removed(&log), is_reason(&log), operation_of(&log));
            log["data"] = json!(Bytes::from(bytes.clone()));
            let _ = sightings(&[log, damaged(reverted(&bytes), path, part)]);
        }

        #[test]
        fn any_receipt_of_a_bundler_is_read_or_refused(path in 0usize..8, part in part()) {
            let answer = json!({"userOpHash": HASH, "sender": SENDER, "success": true, "actualGasCost": 1,
                "actualGasUsed": 1, "reason": "0x", "receipt": {"transactionHash": TRANSACTION, "blockNumber": 1}});
            if let Some(receipt) = from_bundler(HASH, &damaged(answer, path, part.clone())) {
                prop_assert_eq!(receipt.user_op_hash, HASH);
            }
            prop_assert!(from_bundler(HASH, &part).is_none());
        }
    }
}
