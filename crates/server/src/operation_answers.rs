//! Operations that were looked up lately, and how many are looked up at a time.

use std::time::Duration;

use alloy::primitives::B256;
use tokio::sync::Semaphore;

use super::single_flight::Cached;
use use_aa_protocol::rpc::UserOpUpdate;

/// Look-ups that ask upstreams at the same time.
const AT_ONCE: usize = 8;
/// For so long an answer is given again.
const FRESH: Duration = Duration::from_secs(2);
/// Answers that are kept.
const KEPT: u64 = 2_000;

/// What keeps look-ups from asking the upstreams without end.
pub(super) struct OperationAnswers {
    /// `None` = unknown.
    pub(super) answers: Cached<B256, Option<UserOpUpdate>>,
    pub(super) turns: Semaphore,
}

impl Default for OperationAnswers {
    fn default() -> Self {
        Self { answers: Cached::new(KEPT, FRESH), turns: Semaphore::new(AT_ONCE) }
    }
}
