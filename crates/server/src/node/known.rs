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

use super::super::{
    asked::{Asked, NOT_KEPT},
    session_uses::Uses,
};
use use_aa_protocol::rpc::{AccountState, GasFees};

/// For so long the chain is as high as it was, unless there is news.
const HEIGHT_IS_FRESH: Duration = Duration::from_millis(500);
/// For so long fees are what they were.
const FEES_ARE_FRESH: Duration = Duration::from_secs(1);
/// Questions of each kind that may be on their way at a time and still be told apart.
const MOST: u64 = 10_000;
/// Longest parameters of a read that is compared with others, bytes.
const LONGEST_COMPARED: usize = 16 * 1024;
/// Accounts whose uses are counted at the same time: each may take some twenty requests.
const COUNTED_AT_ONCE: usize = 4;

/// A number that grows with each news.
pub(in super::super) type News = u64;

pub(in super::super) struct Known {
    news: AtomicU64,
    pub(super) heights: Asked<News, u64>,
    pub(super) accounts: Asked<(News, Address, U256), AccountState>,
    pub(super) reads: Asked<(News, B256), Value>,
    pub(super) fees: Asked<(), GasFees>,
    pub(in super::super) uses: Uses,
    pub(in super::super) counting: Semaphore,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            news: AtomicU64::new(0),
            heights: Asked::new(MOST, HEIGHT_IS_FRESH),
            accounts: Asked::new(MOST, NOT_KEPT),
            reads: Asked::new(MOST, NOT_KEPT),
            fees: Asked::new(1, FEES_ARE_FRESH),
            uses: Uses::default(),
            counting: Semaphore::new(COUNTED_AT_ONCE),
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
