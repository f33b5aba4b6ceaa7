//! Sets of sessions that were asked for lately, and how many are worked on at a time.

use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use alloy::primitives::{Address, B256};
use tokio::sync::Semaphore;

use super::single_flight::Cached;
use use_aa_protocol::session::PublishedLeaves;

/// Sets that are hashed, and sets that are read from the database, at the same time: a large one takes 30 MB meanwhile.
const AT_ONCE: usize = 2;
/// Bytes of sets that are kept in memory for those who ask for the same ones.
const MEMORY: u64 = 32 * 1024 * 1024;
/// How long.
const KEPT_IN_MEMORY: Duration = Duration::from_secs(60);

/// What keeps large sets from taking all of the memory.
pub(super) struct SessionSetCache {
    pub(super) sets: Cached<(Address, B256), Arc<PublishedLeaves>>,
    pub(super) hashing: Semaphore,
    pub(super) reading: Semaphore,
    /// Bytes that came in since the ledger was tidied.
    pub(super) grown: AtomicUsize,
}

impl Default for SessionSetCache {
    fn default() -> Self {
        let weight = |set: &Arc<PublishedLeaves>| 128 + set.bytes();
        Self {
            sets: Cached::weighing(MEMORY, KEPT_IN_MEMORY, weight),
            hashing: Semaphore::new(AT_ONCE),
            reading: Semaphore::new(AT_ONCE),
            grown: AtomicUsize::new(0),
        }
    }
}
