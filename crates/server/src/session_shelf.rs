//! Sets of sessions that were asked for lately, and how many are worked on at a time.

use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use alloy::primitives::{Address, B256};
use tokio::sync::Semaphore;

use super::asked::Asked;
use use_aa_protocol::session::PublishedLeaves;

/// Sets that are hashed, and sets that are read from the database, at the same time: a large one takes 30 MB meanwhile.
const AT_ONCE: usize = 2;
/// Bytes of sets that are kept in memory for those who ask for the same ones.
const SHELF: u64 = 32 * 1024 * 1024;
/// How long.
const ON_THE_SHELF: Duration = Duration::from_secs(60);

/// What keeps large sets from taking all of the memory.
pub(super) struct Shelf {
    pub(super) sets: Asked<(Address, B256), Arc<PublishedLeaves>>,
    pub(super) hashing: Semaphore,
    pub(super) reading: Semaphore,
    /// Bytes that came in since the ledger was tidied.
    pub(super) grown: AtomicUsize,
}

impl Default for Shelf {
    fn default() -> Self {
        let weight = |set: &Arc<PublishedLeaves>| 128 + set.bytes();
        Self {
            sets: Asked::weighing(SHELF, ON_THE_SHELF, weight),
            hashing: Semaphore::new(AT_ONCE),
            reading: Semaphore::new(AT_ONCE),
            grown: AtomicUsize::new(0),
        }
    }
}
