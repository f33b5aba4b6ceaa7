//! The clock and the timer of whichever side runs.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::clocks::Clocks;

use use_aa_actions::clock::unix_seconds;
pub use use_aa_actions::{adapters::timer::sleep, clock::unix_milliseconds as now_millis};

/// How far chain and server were ahead of this device when they last told the time, seconds.
static AHEAD: AtomicU64 = AtomicU64::new(0);

/// Remembers the time that chain and server told. A page talks to one server.
pub fn told(clocks: Clocks) {
    AHEAD.store(ahead(clocks, unix_seconds()), Ordering::Relaxed);
}

/// Only ahead: where a device's clock is fast, sessions end early rather than late.
fn ahead(clocks: Clocks, device: u64) -> u64 {
    clocks.latest().saturating_sub(device)
}

/// Seconds since the epoch: what ends of sessions are counted from, and sessions shown by. Where the device's clock is
/// slow, or the chain ahead of it, an hour from then would be over already.
pub fn now_seconds() -> u64 {
    unix_seconds().saturating_add(AHEAD.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_counts_from_the_later_of_its_own_clock_and_what_was_told() {
        let told = |block, pending, wall| ahead(Clocks { block, pending, wall }, 10_000);
        assert_eq!(told(6_400, 10_000, 10_000), 0, "an idle chain");
        assert_eq!(told(13_600, 13_601, 10_000), 3_601, "blocks ahead");
        assert_eq!(told(10_000, 13_600, 10_000), 3_600, "a moved clock");
        assert_eq!(told(10_000, 6_400, 10_000), 0, "moved back");
        assert_eq!(told(10_500, 10_500, 10_500), 500, "a slow device");
        assert_eq!(told(9_500, 9_500, 9_500), 0, "a fast one");
    }
}
