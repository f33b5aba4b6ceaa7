//! Keys that were made ahead: a person who wants one need not wait seconds for it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
    time::{Duration, Instant},
};

use alloy::primitives::B256;
use tokio::sync::Notify;

use super::super::config::OFFERS_TIME;
use use_aa_dan::api::PooledKey;

/// An offered key that nobody took is offered again after this: longer than the nodes' nonces live.
const OFFER_LIFETIME: Duration = OFFERS_TIME;
/// Keys under way (waiting and offered); no more are made then.
pub(super) const MOST_KEYS: usize = 64;

/// Keys that wait, and keys that were offered. Nothing secret.
#[derive(Default)]
pub(super) struct Pool {
    keys: Mutex<Keys>,
    /// Somebody took a key, or waits for one.
    pub wanted: Notify,
    /// Keys came in, or making one failed.
    pub changed: Notify,
}

#[derive(Default)]
struct Keys {
    waiting: VecDeque<PooledKey>,
    offered: HashMap<B256, (Instant, PooledKey)>,
}

impl Pool {
    /// Takes the oldest key, for this offer only.
    pub(super) fn take(&self) -> Option<PooledKey> {
        let mut keys = self.keys.lock().ok()?;
        let key = keys.waiting.pop_front()?;
        keys.offered.insert(key.key_id, (Instant::now(), key.clone()));
        self.wanted.notify_one();
        Some(key)
    }

    /// Brings in what all nodes say that waits. Offers that nobody took come back.
    pub(super) fn fill(&self, listed: Vec<PooledKey>, now: Instant) {
        if let Ok(mut keys) = self.keys.lock() {
            keys.offered.retain(|_, (at, _)| now.saturating_duration_since(*at) < OFFER_LIFETIME);
            let fresh = listed.into_iter().filter(|key| !keys.offered.contains_key(&key.key_id)).collect();
            keys.waiting = fresh;
        }
        self.changed.notify_waiters();
    }

    /// The key belongs to somebody now.
    pub(super) fn bound(&self, key_id: B256) {
        if let Ok(mut keys) = self.keys.lock() {
            // Stays among the offered until then, so that a listing under way does not bring it back.
            keys.offered.entry(key_id).and_modify(|(at, _)| *at = Instant::now());
        }
    }

    /// How many wait, and how many are under way in all.
    pub(super) fn count(&self) -> (usize, usize) {
        self.keys.lock().map_or((0, MOST_KEYS), |keys| (keys.waiting.len(), keys.waiting.len() + keys.offered.len()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{Address, Bytes};

    use super::*;

    fn key(number: u8) -> PooledKey {
        let key_id = B256::repeat_byte(number);
        PooledKey { key_id, public_key: Bytes::new(), address: Address::repeat_byte(number), threshold: 3 }
    }

    #[test]
    fn a_key_is_offered_once_until_its_offer_lapses() {
        let pool = Pool::default();
        assert_eq!(pool.take(), None);
        let now = Instant::now();
        pool.fill(vec![key(1), key(2)], now);
        assert_eq!(pool.take(), Some(key(1)));
        // The nodes list it still: nobody has bound it.
        pool.fill(vec![key(1), key(2)], now);
        assert_eq!(pool.count(), (1, 2));
        assert_eq!(pool.take(), Some(key(2)));
        assert_eq!(pool.take(), None);
        pool.bound(B256::repeat_byte(2));
        pool.fill(vec![key(1)], now + OFFER_LIFETIME + Duration::from_secs(1));
        assert_eq!(pool.take(), Some(key(1)));
    }
}
