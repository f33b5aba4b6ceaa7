//! What each bundler was found to speak: which methods it does not know, and what it asks for fees. Remembered for a
//! while, so that nobody asks again and again, nor waits for it.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use alloy::primitives::U256;
use tokio::time::Instant;

/// Then it is found out again: bundlers are updated.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The customs of one bundler.
#[derive(Debug, Default)]
pub(super) struct Customs {
    /// Methods that it does not know, and until when that is believed.
    unknown: Mutex<Vec<(&'static str, Instant)>>,
    /// What a refusal named.
    least_tip: Mutex<Option<LeastTip>>,
    /// The place of the method that told an operation's state last.
    pub(super) status_method: AtomicUsize,
}

/// A tip that a bundler asked for, beyond what it was offered.
#[derive(Clone, Copy, Debug)]
struct LeastTip {
    tip: U256,
    /// What the node advised then, as soon as somebody knows.
    advised: Option<U256>,
    until: Instant,
}

impl Customs {
    /// It may know this method.
    pub(super) fn may_know(&self, method: &str) -> bool {
        let now = Instant::now();
        !lock(&self.unknown).iter().any(|(unknown, until)| *unknown == method && *until > now)
    }

    /// It says that it does not know this method.
    pub(super) fn does_not_know(&self, method: &'static str) {
        let until = Instant::now() + REMEMBERED;
        let mut unknown = lock(&self.unknown);
        unknown.retain(|(known, _)| *known != method);
        unknown.push((method, until));
    }

    /// A refusal named the least tip.
    pub(super) fn asks_for(&self, tip: U256) {
        *lock(&self.least_tip) = Some(LeastTip { tip, advised: None, until: Instant::now() + REMEMBERED });
    }

    /// The least tip that it takes, while the node advises this one: the margin stays, the fees move.
    pub(super) fn least_tip(&self, advised: U256) -> Option<U256> {
        let mut known = lock(&self.least_tip);
        let asked = known.as_mut().filter(|asked| asked.until > Instant::now())?;
        let then = *asked.advised.get_or_insert(advised);
        Some(match then.is_zero() {
            true => asked.tip,
            false => asked.tip.saturating_mul(advised).div_ceil(then),
        })
    }

    pub(super) fn status_place(&self) -> usize {
        self.status_method.load(Ordering::Relaxed)
    }
}

fn lock<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is locked.
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_not_known_is_asked_again_after_a_while() {
        let customs = Customs::default();
        customs.does_not_know("a");
        customs.does_not_know("a");
        assert!(!customs.may_know("a") && customs.may_know("b"));
        tokio::time::advance(REMEMBERED + Duration::from_secs(1)).await;
        assert!(customs.may_know("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn the_margin_that_a_bundler_asks_for_moves_with_the_fees() {
        let (customs, tip) = (Customs::default(), |tip: u64| U256::from(tip));
        assert_eq!(customs.least_tip(tip(10)), None);
        customs.asks_for(tip(15));
        assert_eq!(customs.least_tip(tip(10)), Some(tip(15)));
        assert_eq!(customs.least_tip(tip(20)), Some(tip(30)));
        customs.asks_for(tip(7));
        assert_eq!((customs.least_tip(U256::ZERO), customs.least_tip(tip(20))), (Some(tip(7)), Some(tip(7))));
        tokio::time::advance(REMEMBERED + Duration::from_secs(1)).await;
        assert_eq!(customs.least_tip(tip(10)), None);
    }
}
