//! The wall clock, the same call natively and in a page.

use std::sync::atomic::{AtomicU64, Ordering};

use web_time::{SystemTime, UNIX_EPOCH};

/// Unix time now, seconds.
pub fn unix_seconds() -> u64 {
    unix_milliseconds() / 1000
}

/// Unix time now, milliseconds.
pub fn unix_milliseconds() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds now as a nonce lane that this process never gives twice: two operations within
/// one millisecond would otherwise want the same lane at the same sequence.
pub fn unique_milliseconds() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = unix_milliseconds();
    let next = |last: u64| now.max(last.saturating_add(1));
    match LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last))) {
        Ok(last) | Err(last) => next(last),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn lanes_are_never_given_twice() {
        let mut lanes: Vec<_> = (0..1000).map(|_| super::unique_milliseconds()).collect();
        let given = lanes.len();
        lanes.dedup();
        assert_eq!(lanes.len(), given);
        assert!(lanes.is_sorted());
    }
}
