//! Which logs are asked for, and what readers of new and of old blocks share.

use std::{sync::Arc, time::Duration};

use alloy::primitives::{Address, B256};
use serde_json::{Value, json};

use super::{super::receipt, operation::Operation};

/// Blocks that are read again each time: a short reorganisation, and operations that were mined
/// between being accepted and being registered.
pub(super) const OVERLAP: u64 = 20;
/// Hashes per filter; nodes limit the alternatives of a topic.
pub(super) const HASHES_PER_FILTER: usize = 200;
/// Pause after the node failed.
pub(super) const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// Topic lists: either event, any of the hashes.
pub(super) fn by_hash(hashes: &[B256]) -> Vec<Value> {
    hashes.chunks(HASHES_PER_FILTER).map(|hashes| json!([receipt::topics(), hashes])).collect()
}

/// The operations' own events, and those of other operations of the same accounts: these may use up their nonces.
pub(super) fn filters_of(open: &[Arc<Operation>]) -> Vec<Value> {
    let hashes: Vec<B256> = open.iter().map(|operation| operation.user_op_hash).collect();
    filters(&hashes, open.iter().filter_map(|operation| operation.sent.get()).map(|sent| sent.sender).collect())
}

/// The same for one operation.
pub(super) fn filters_for(user_op_hash: B256, sender: Option<Address>) -> Vec<Value> {
    filters(&[user_op_hash], sender.into_iter().collect())
}

fn filters(hashes: &[B256], mut senders: Vec<Address>) -> Vec<Value> {
    let mut filters = by_hash(hashes);
    senders.sort();
    senders.dedup();
    if !senders.is_empty() {
        let senders: Vec<B256> = senders.iter().map(|sender| sender.into_word()).collect();
        filters.push(json!([receipt::MINED, null, senders]));
    }
    filters
}
