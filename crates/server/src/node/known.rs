//! What the node was asked lately.
//!
//! A page that was told of its operation's end asks at once what the account is like now, and must not get an answer
//! that was on its way before. So the questions carry the number of the latest [`Known::news`]: after news nobody gets
//! an older answer.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use alloy::primitives::{Address, B256, U256, keccak256};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{
    super::{
        market::Market,
        session_uses::Uses,
        single_flight::{Cached, SingleFlight},
    },
    data_fee::{DataFee, DataPrice, FEE_IS_FRESH, KIND_IS_FRESH, MOST_FEES},
};
use use_aa_protocol::rpc::AccountState;

/// For so long the chain is as high as it was, unless there is news.
const HEIGHT_IS_FRESH: Duration = Duration::from_millis(500);
/// Fees change with every block, and are asked for several times by one question.
const MARKET_IS_FRESH: Duration = Duration::from_secs(1);
/// What was paid lately moves slowly, and is asked for only where no bundler advises.
const TIPS_ARE_FRESH: Duration = Duration::from_secs(10);
/// Longest parameters of a read that is compared with others, bytes.
const LONGEST_COMPARED: usize = 16 * 1024;
/// Most values in an answer that is shared with others: each has a copy.
const MOST_SHARED: usize = 2_000;
/// Longest text in it.
const LONGEST_SHARED: usize = 64 * 1024;
/// Accounts whose uses are counted at the same time: each may take some twenty requests.
const COUNTED_AT_ONCE: usize = 4;

/// Parts of long ranges of logs that are read at the same time, however many ranges there are: what is urgent does not wait
/// for them.
const SCANNED_AT_ONCE: usize = 4;

/// A number that grows with each news.
pub(in super::super) type News = u64;

pub(in super::super) struct Known {
    news: AtomicU64,
    pub(super) heights: Cached<News, u64>,
    pub(super) market: Cached<(), Market>,
    pub(super) tips_paid: Cached<(), Option<U256>>,
    /// Who tells what data costs on the chain below.
    pub(super) data_price: Cached<(), DataPrice>,
    /// What these bytes cost there.
    pub(super) data_fees: Cached<B256, DataFee>,
    pub(super) accounts: SingleFlight<(News, Address, U256, Option<Address>), AccountState>,
    /// Nothing where the answer is too large to be shared.
    pub(super) reads: SingleFlight<(News, B256), Option<Value>>,
    pub(in super::super) uses: Uses,
    pub(in super::super) counting: Semaphore,
    /// The latest block that was told, for guesses only.
    pub(in super::super) head: AtomicU64,
    pub(in super::super) scanning: Semaphore,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            news: AtomicU64::new(0),
            heights: Cached::new(8, HEIGHT_IS_FRESH),
            market: Cached::new(1, MARKET_IS_FRESH),
            tips_paid: Cached::new(1, TIPS_ARE_FRESH),
            data_price: Cached::new(1, KIND_IS_FRESH),
            data_fees: Cached::new(MOST_FEES, FEE_IS_FRESH),
            accounts: SingleFlight::default(),
            reads: SingleFlight::default(),
            uses: Uses::default(),
            counting: Semaphore::new(COUNTED_AT_ONCE),
            head: AtomicU64::new(0),
            scanning: Semaphore::new(SCANNED_AT_ONCE),
        }
    }
}

impl Known {
    /// Something was found in a block, or taken back: what is asked from now on is asked anew.
    pub(super) fn news(&self) {
        self.news.fetch_add(1, Ordering::AcqRel);
    }

    pub(in super::super) fn latest(&self) -> News {
        self.news.load(Ordering::Acquire)
    }
}

/// What is compared of a read; nothing when it is too long for that.
pub(super) fn question(method: &str, params: &Value) -> Option<B256> {
    let text = serde_json::to_vec(&(method, params)).ok()?;
    (text.len() <= LONGEST_COMPARED).then(|| keccak256(text))
}

/// Whether everybody who asked for it may have a copy.
pub(super) fn is_small(answer: &Value) -> bool {
    fn fits(value: &Value, left: &mut usize) -> bool {
        let Some(fewer) = left.checked_sub(1) else { return false };
        *left = fewer;
        match value {
            Value::String(text) => text.len() <= LONGEST_SHARED,
            Value::Array(values) => values.iter().all(|value| fits(value, left)),
            Value::Object(fields) => fields.values().all(|value| fits(value, left)),
            _ => true,
        }
    }
    fits(answer, &mut { MOST_SHARED })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_large_is_not_shared_and_what_is_long_is_not_compared() {
        assert!(is_small(&json!({"logs": vec!["0x"; 1_000]})));
        assert!(!is_small(&json!(vec![json!([1]); 1_500])));
        assert!(!is_small(&json!(["x".repeat(LONGEST_SHARED + 1)])));
        assert!(
            question("eth_call", &json!(["x"])).is_some()
                && question("eth_call", &json!(["x"])) != question("eth_call", &json!(["y"]))
        );
        assert_eq!(question("eth_call", &json!(["x".repeat(LONGEST_COMPARED)])), None);
    }
}
