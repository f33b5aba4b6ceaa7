//! The calls that single keys may make in a minute (`use-aa key issue`), beside the limits that hold for everybody.
//! Counted by each server for itself; only keys that were issued are counted, so that nobody can fill the table.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What is left to a key, as of a moment.
#[derive(Clone, Copy)]
struct Left {
    requests: f64,
    at: Instant,
}

static LEFT: LazyLock<Mutex<HashMap<String, Left>>> = LazyLock::new(Mutex::default);

/// Takes one call out of the key's allowance; the time until there is one when there is none.
pub(super) fn take(key_id: &str, per_minute: u32) -> Result<(), Duration> {
    take_at(&mut LEFT.lock().unwrap_or_else(PoisonError::into_inner), key_id, per_minute, Instant::now())
}

fn take_at(left: &mut HashMap<String, Left>, key_id: &str, per_minute: u32, now: Instant) -> Result<(), Duration> {
    let most = f64::from(per_minute);
    let entry = left.entry(key_id.to_owned()).or_insert(Left { requests: most, at: now });
    let regained = now.saturating_duration_since(entry.at).as_secs_f64() * most / 60.0;
    *entry = Left { requests: (entry.requests + regained).min(most), at: now };
    if entry.requests >= 1.0 {
        entry.requests -= 1.0;
        return Ok(());
    }
    let seconds = if most > 0.0 { (1.0 - entry.requests) * 60.0 / most } else { 60.0 };
    Err(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_requests_come_back_within_a_minute() {
        let mut left = HashMap::new();
        let begin = Instant::now();
        let mut take = |seconds: u64| take_at(&mut left, "a", 3, begin + Duration::from_secs(seconds));
        assert_eq!([take(0), take(0), take(0)], [Ok(()); 3]);
        assert_eq!(take(0), Err(Duration::from_secs(20)));
        assert_eq!(take(20), Ok(()));
        assert!(take(21).is_err());
        assert_eq!([take(300), take(300), take(300)], [Ok(()); 3]);
        assert!(take(300).is_err());
        assert_eq!(take_at(&mut left, "b", 1, begin), Ok(()), "each key has its own");
        assert_eq!(take_at(&mut left, "c", 0, begin), Err(Duration::from_secs(60)));
    }
}
