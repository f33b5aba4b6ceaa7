//! Receipts as Biconomy's bundler writes them (docs/protocol.md 4.4), and as ERC-7769 has them, read from the transaction that
//! carried the operation: the chain is believed, not the bundler.

use alloy::primitives::{Address, B256};
use serde_json::{Value, json};

use super::{
    super::receipt::{MINED, Sighting, sighting_in},
    operation::number,
};
use use_aa_protocol::addresses::ENTRY_POINT;

/// First topic of `BeforeExecution()`, the entry point's event between validation and execution of a bundle.
const BEFORE_EXECUTION: &str = "0xbb47ee3e183a558b1a2ff0874b079f3fc5478b7454eacf2bfc5af2ff5878f972";

/// The receipt of one operation in Biconomy's form; `None` when the transaction does not contain it.
pub(super) fn of(user_op_hash: B256, transaction: Value) -> Option<Value> {
    let Found { sighting: Sighting { nonce, receipt, .. }, paymaster, logs } =
        find(ENTRY_POINT, user_op_hash, &transaction)?;
    Some(json!({
        "userOpHash": user_op_hash,
        "entryPoint": ENTRY_POINT,
        "sender": receipt.sender.to_string(),
        "nonce": number(nonce),
        "success": receipt.success.to_string(),
        "paymaster": paymaster.to_string(),
        "actualGasCost": number(receipt.actual_gas_cost),
        "actualGasUsed": number(receipt.actual_gas_used),
        "reason": receipt.reason.unwrap_or_default(),
        "logs": logs,
        "receipt": transaction,
    }))
}

/// The same in ERC-7769's form, for an operation of any entry point.
pub(super) fn standard(entry_point: Address, user_op_hash: B256, transaction: &Value) -> Option<Value> {
    let Found { sighting: Sighting { nonce, receipt, .. }, paymaster, logs } =
        find(entry_point, user_op_hash, transaction)?;
    let mut standard = json!({
        "userOpHash": user_op_hash,
        "entryPoint": entry_point.to_string(),
        "sender": receipt.sender.to_string(),
        "nonce": nonce,
        "paymaster": paymaster.to_string(),
        "actualGasCost": receipt.actual_gas_cost,
        "actualGasUsed": receipt.actual_gas_used,
        "success": receipt.success,
        "logs": logs,
        "receipt": transaction,
    });
    if let Some(reason) = receipt.reason {
        standard["reason"] = json!(reason);
    }
    Some(standard)
}

/// What a transaction tells of one operation.
struct Found {
    sighting: Sighting,
    paymaster: Address,
    logs: Vec<Value>,
}

fn find(entry_point: Address, user_op_hash: B256, transaction: &Value) -> Option<Found> {
    let sighting = sighting_in(entry_point, user_op_hash, transaction)?;
    let logs = transaction.get("logs").and_then(Value::as_array)?;
    let (logs, event) = own_logs(entry_point, user_op_hash, logs)?;
    let paymaster = event.get("topics")?.get(3)?.as_str()?.parse::<B256>().ok().map(Address::from_word)?;
    Some(Found { sighting, paymaster, logs })
}

/// The operation's logs and its own event among them. They lie between the event of the operation before it (or the
/// begin of execution) and its own.
fn own_logs(entry_point: Address, user_op_hash: B256, logs: &[Value]) -> Option<(Vec<Value>, &Value)> {
    let from_it = |log: &Value| log.get("address").and_then(|it| it.as_str()?.parse().ok()) == Some(entry_point);
    let topic = |log: &Value, index: usize| log.get("topics")?.get(index)?.as_str()?.parse::<B256>().ok();
    let before_execution: Option<B256> = BEFORE_EXECUTION.parse().ok();
    let mut first = 0;
    for (index, log) in logs.iter().enumerate().filter(|(_, log)| from_it(log)) {
        let event = topic(log, 0);
        if event == Some(MINED) && topic(log, 1) == Some(user_op_hash) {
            return Some((logs.get(first..=index)?.to_vec(), log));
        }
        if event == Some(MINED) || event == before_execution {
            first = index + 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::{
        primitives::{Bytes, U256, keccak256},
        sol_types::SolValue,
    };

    use super::*;

    const HASH: B256 = B256::repeat_byte(0xab);
    const TRANSACTION: B256 = B256::repeat_byte(0x77);

    fn log(address: Address, topics: &[B256], data: Bytes) -> Value {
        json!({"address": address, "topics": topics, "data": data, "transactionHash": TRANSACTION, "blockNumber": "0x10"})
    }

    fn event(user_op_hash: B256, success: bool) -> Value {
        let nonce: U256 = U256::from(1_723_000_000_000_u64) << 64;
        let data = (nonce, success, U256::from(9_007_199_254_740_993_u64), U256::from(120_000)).abi_encode_params();
        let paymaster = Address::repeat_byte(5).into_word();
        let sender = Address::repeat_byte(3).into_word();
        log(ENTRY_POINT, &[MINED, user_op_hash, sender, paymaster], data.into())
    }

    #[test]
    fn only_the_operations_own_logs_are_in_it() {
        let other = log(Address::repeat_byte(9), &[B256::repeat_byte(1)], Bytes::new());
        let mine = log(Address::repeat_byte(8), &[B256::repeat_byte(2)], Bytes::new());
        let begin = log(ENTRY_POINT, &[BEFORE_EXECUTION.parse().unwrap()], Bytes::new());
        let logs = [
            other.clone(),
            begin,
            other.clone(),
            event(B256::repeat_byte(1), true),
            mine.clone(),
            event(HASH, true),
            other,
        ];
        let transaction = json!({"logs": logs, "transactionHash": TRANSACTION, "blockNumber": "0x10"});
        let receipt = of(HASH, transaction.clone()).unwrap();
        assert_eq!(receipt["logs"], json!([mine, event(HASH, true)]));
        assert_eq!(receipt["receipt"], transaction);
        assert_eq!(receipt["success"], "true");
        assert_eq!(receipt["actualGasCost"], json!(9_007_199_254_740_993_u64));
        let nonce: U256 = U256::from(1_723_000_000_000_u64) << 64;
        assert_eq!(receipt["nonce"], nonce.to_string());
        assert_eq!(receipt["paymaster"], Address::repeat_byte(5).to_string());
        assert_eq!(of(B256::repeat_byte(4), transaction), None);
    }

    #[test]
    fn the_standard_form_has_booleans_and_hex_quantities() {
        let transaction = json!({"logs": [event(HASH, true)], "transactionHash": TRANSACTION, "blockNumber": "0x10"});
        let receipt = standard(ENTRY_POINT, HASH, &transaction).unwrap();
        assert_eq!(receipt["success"], json!(true));
        assert_eq!(receipt["actualGasCost"], "0x20000000000001");
        assert_eq!(receipt["nonce"], format!("{:#x}", U256::from(1_723_000_000_000_u64) << 64));
        assert_eq!(receipt.get("reason"), None);
        assert_eq!(receipt["receipt"], transaction);
        let failed = json!({"logs": [event(HASH, false)], "transactionHash": TRANSACTION, "blockNumber": "0x10"});
        let failed = standard(ENTRY_POINT, HASH, &failed).unwrap();
        assert_eq!((&failed["success"], &failed["reason"]), (&json!(false), &json!("no reason given")));
        assert_eq!(
            standard(Address::repeat_byte(7), HASH, &transaction),
            None,
            "another contract's event proves nothing"
        );
    }

    #[test]
    fn a_failure_says_so_in_text() {
        let transaction = json!({"logs": [event(HASH, false)], "transactionHash": TRANSACTION, "blockNumber": "0x10"});
        let receipt = of(HASH, transaction).unwrap();
        assert_eq!((&receipt["success"], &receipt["reason"]), (&json!("false"), &json!("no reason given")));
    }

    #[test]
    fn the_topic_is_the_events() {
        assert_eq!(BEFORE_EXECUTION.parse::<B256>().unwrap(), keccak256("BeforeExecution()"));
    }
}
