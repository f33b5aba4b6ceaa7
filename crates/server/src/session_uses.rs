//! Uses of an account's sessions, counted from the chain: the entry point's events say which operations succeeded, the
//! bundlers' transactions carry their signatures, and those name the sessions.

use std::collections::{BTreeSet, HashMap};

use alloy::primitives::{Address, B256, Bytes, U256};
use serde_json::{Value, json};

use super::{
    node::{Node, hex},
    quantity::small,
    receipt,
};
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    ProtocolError,
    addresses::ENTRY_POINT,
    session::{OperationUse, SessionUses, Signers, count_uses, session_uses_in},
};

/// How far back the logs are read, blocks: what `eth_getLogs` may span (see `read_policy.rs`).
const LOOK_BACK: u64 = 10_000;
/// Most transactions that are read for one answer.
const MOST_TRANSACTIONS: usize = 200;
/// Calls in one batch.
const AT_ONCE: usize = 20;

impl Node {
    /// Uses of the account's sessions in the last blocks.
    ///
    /// # Errors
    /// Those of the node.
    pub async fn session_uses(&self, account: Address) -> Result<SessionUses, AppError> {
        let mut from_block = self.block_number().await?.saturating_sub(LOOK_BACK);
        let [event, _] = receipt::topics();
        let filter = json!([event, null, account.into_word()]);
        let (to_block, logs) = self.head_and_logs(from_block, ENTRY_POINT, &[filter]).await?;
        let mut found = receipt::sightings(&logs);
        found.retain(|seen| seen.receipt.sender == account);
        let (cut, transactions) =
            newest(found.iter().map(|seen| (seen.receipt.block_number, seen.receipt.transaction_hash)));
        from_block = cut.unwrap_or(from_block);

        let asked = transactions.iter().map(|hash| ("eth_getTransactionByHash", json!([hash])));
        let answers = self.in_batches(&asked.collect::<Vec<_>>()).await?;
        let inputs: HashMap<B256, Result<HashMap<U256, Signers>, ProtocolError>> = transactions
            .iter()
            .zip(&answers)
            .filter_map(|(hash, answer)| Some((*hash, session_uses_in(&input_of(answer)?, account))))
            .collect();
        let (mut used, mut unreadable) = (Vec::new(), 0);
        for seen in found.into_iter().filter(|seen| seen.receipt.success) {
            let transaction = seen.receipt.transaction_hash;
            let Some(input) = inputs.get(&transaction) else { continue };
            match input.as_ref().map(|operations| operations.get(&seen.nonce)) {
                Ok(Some(Signers::Sessions(leaves))) if !leaves.is_empty() => {
                    let operation = OperationUse { leaves: leaves.clone(), at: 0, transaction };
                    used.push((seen.receipt.block_number, operation));
                }
                Ok(Some(Signers::Sessions(_)) | None) => {}
                // Anybody can put such a thing on the chain: it takes no list away from anybody.
                Ok(Some(Signers::Unreadable)) | Err(_) => unreadable += 1,
            }
        }

        let blocks = used.iter().map(|(block, _)| *block).collect::<BTreeSet<_>>();
        let asked = blocks.iter().map(|block| ("eth_getBlockByNumber", json!([hex(*block), false])));
        let answers = self.in_batches(&asked.collect::<Vec<_>>()).await?;
        let time = |answer: &Value| answer.get("timestamp").and_then(small).unwrap_or(0);
        let times: HashMap<u64, u64> = blocks.into_iter().zip(answers.iter().map(time)).collect();
        for (block, operation) in &mut used {
            operation.at = times.get(block).copied().unwrap_or(0);
        }
        let uses = count_uses(used.into_iter().map(|(_, operation)| operation));
        Ok(SessionUses { from_block, to_block, uses, unreadable })
    }

    /// Answers to calls, `null` where one failed: a transaction that a node has dropped costs its count, no more.
    async fn in_batches(&self, calls: &[(&str, Value)]) -> Result<Vec<Value>, AppError> {
        let mut answers = Vec::with_capacity(calls.len());
        for some in calls.chunks(AT_ONCE) {
            answers.extend(self.batch(some).await?.into_iter().map(Result::unwrap_or_default));
        }
        Ok(answers)
    }
}

/// The newest transactions, oldest first; and the first block that is whole among them, when there were more.
fn newest(seen: impl Iterator<Item = (u64, B256)>) -> (Option<u64>, Vec<B256>) {
    let mut places = Vec::<(u64, B256)>::new();
    for place in seen {
        if places.last() != Some(&place) {
            places.push(place);
        }
    }
    places.sort_by_key(|(block, _)| *block);
    places.dedup();
    let surplus = places.len().saturating_sub(MOST_TRANSACTIONS);
    let cut = surplus.checked_sub(1).and_then(|last| places.get(last)).map(|(block, _)| block + 1);
    let kept = places.into_iter().filter(|(block, _)| cut.is_none_or(|first| *block >= first));
    (cut, kept.map(|(_, hash)| hash).collect())
}

/// Input of a transaction to the entry point.
fn input_of(transaction: &Value) -> Option<Bytes> {
    let to = serde_json::from_value::<Address>(transaction.get("to")?.clone()).ok()?;
    let input = serde_json::from_value(transaction.get("input")?.clone()).ok()?;
    (to == ENTRY_POINT).then_some(input)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn hash(number: u64) -> B256 {
        B256::from(U256::from(number))
    }

    #[test]
    fn the_newest_transactions_are_read_and_the_first_whole_block_is_told() {
        assert_eq!(newest([(7, hash(1)), (7, hash(1)), (9, hash(2))].into_iter()), (None, vec![hash(1), hash(2)]));
        let many = MOST_TRANSACTIONS as u64 + 3;
        let (cut, kept) = newest((0..many).map(|number| (100 + number, hash(number))));
        assert_eq!((cut, kept.len(), kept[0]), (Some(103), MOST_TRANSACTIONS, hash(3)));
        // A block that would be cut in two is left out, so that the counts from the told block on are whole.
        let (cut, kept) = newest((0..many).map(|number| (100 + number / 2, hash(number))));
        assert_eq!((cut, kept[0]), (Some(102), hash(4)));
    }

    #[test]
    fn only_transactions_to_the_entry_point_are_read() {
        let transaction = |to: Value| json!({ "to": to, "input": "0x1fad948c" });
        assert_eq!(input_of(&transaction(json!(ENTRY_POINT))).unwrap().len(), 4);
        assert_eq!(input_of(&transaction(json!(Address::ZERO))), None);
        assert_eq!(input_of(&transaction(Value::Null)), None);
        assert_eq!(input_of(&Value::Null), None);
    }
}
