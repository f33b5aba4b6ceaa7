//! Answers about keys that were given lately.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use alloy::primitives::B256;

use super::api_key::ApiKey;

/// How long an answer about a key is believed: a revoked key is refused after this time at the latest.
const BELIEVED: Duration = Duration::from_secs(2);
/// Most answers kept; whoever tries keys shall not fill the memory.
const MAX_KEPT: usize = 4_096;

/// Answers about keys, for a short time; by hash, so that no key stays in memory.
#[derive(Default)]
pub(super) struct KeyCache {
    known: Mutex<HashMap<B256, (Instant, Option<ApiKey>)>>,
}

impl KeyCache {
    /// What was answered lately; the inner `None` = no such key.
    pub fn get(&self, hash: &B256) -> Option<Option<ApiKey>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(hash).filter(|(since, _)| since.elapsed() < BELIEVED).map(|(_, key)| key.clone())
    }

    /// Keeps an answer.
    pub fn put(&self, hash: B256, key: Option<ApiKey>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KEPT {
            known.retain(|_, (since, _)| since.elapsed() < BELIEVED);
        }
        if known.len() >= MAX_KEPT {
            known.clear();
        }
        known.insert(hash, (Instant::now(), key));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::U256;

    use super::*;

    #[test]
    fn the_cache_does_not_grow_without_end() {
        let cache = KeyCache::default();
        for number in 0..3 * MAX_KEPT {
            cache.put(B256::from(U256::from(number)), None);
        }
        assert!(cache.known.lock().unwrap().len() <= MAX_KEPT);
        assert_eq!(cache.get(&B256::from(U256::from(3 * MAX_KEPT - 1))), Some(None));
    }
}
