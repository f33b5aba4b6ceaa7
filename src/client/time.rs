//! The clock and the timer of whichever side runs.

use web_time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch.
pub fn now_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Seconds since the epoch.
pub fn now_seconds() -> u64 {
    now_millis() / 1_000
}

/// Resolves after `millis` milliseconds.
pub async fn sleep(millis: u64) {
    #[cfg(feature = "hydrate")]
    gloo_timers::future::TimeoutFuture::new(u32::try_from(millis).unwrap_or(u32::MAX)).await;
    #[cfg(not(feature = "hydrate"))]
    tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
}
