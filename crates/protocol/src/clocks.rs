//! What time it is, by clocks that need not agree.

use serde::{Deserialize, Serialize};

use super::time_window::Window;

/// Tolerance for the clocks that were not asked, seconds.
const SKEW: u64 = 60;

/// The present by the chain and by our server, unix seconds.
///
/// A chain on which nobody sends has an old latest block, though the next one will not be old; a chain for tests may be
/// ahead of everybody's clock, or behind. Bundlers and key nodes go by the wall clock, an estimate is tried out at the
/// latest block's time, and what is mined is judged by the next block's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Clocks {
    /// Time of the latest block.
    pub block: u64,
    /// What the node would give its next block; the latest block's time where it does not tell.
    pub pending: u64,
    /// The wall clock.
    pub wall: u64,
}

impl Clocks {
    /// A window of so many seconds that is open by every clock: it begins at the earlier and ends counted from the
    /// later of them.
    pub fn window(self, lifetime: u64) -> Window {
        Window {
            valid_until: self.latest().saturating_add(lifetime),
            valid_after: self.block.min(self.pending).min(self.wall).saturating_sub(SKEW),
        }
    }

    /// The latest of all.
    pub fn latest(self) -> u64 {
        self.block.max(self.pending).max(self.wall)
    }

    /// Time of the next block, as far as can be told.
    pub fn next_block(self) -> u64 {
        // A node that knows no better repeats the latest block's time; then the next one gets the time of day.
        if self.pending == self.block { self.block.max(self.wall) } else { self.pending }
    }

    /// Has this time come by every clock that judges?
    pub fn has_begun(self, valid_after: u64) -> bool {
        valid_after <= self.next_block().min(self.wall)
    }

    /// Has this last second (0 = never) passed by any clock that judges?
    pub fn is_over(self, valid_until: u64) -> bool {
        valid_until != 0 && valid_until < self.next_block().max(self.wall)
    }

    /// Can an operation that is valid until then no longer be mined? Only the chain says so: a device's clock, or a server's, may be
    /// fast, and a chain that catches up gives its blocks old times. Some `grace` is left to reorganisations.
    pub fn is_past_on_chain(self, valid_until: u64, grace: u64) -> bool {
        self.pending > valid_until.saturating_add(grace)
    }

    /// The same clocks so many seconds later.
    #[must_use]
    pub fn later(self, seconds: u64) -> Self {
        let later = |time: u64| time.saturating_add(seconds);
        // No block needs to have come meanwhile.
        Self { block: self.block, pending: later(self.next_block()), wall: later(self.wall) }
    }

    /// With a device's own clock: what is over there is over. A slow one changes nothing.
    #[must_use]
    pub fn on_device(self, device: u64) -> Self {
        Self { wall: self.wall.max(device), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;
    const HOUR: u64 = 3_600;

    fn clocks(block: u64, pending: u64) -> Clocks {
        Clocks { block, pending, wall: NOW }
    }

    /// Open at each of these times, and by a bundler's rule: more than 30 s are left by the wall clock.
    fn assert_open(window: Window, times: &[u64]) {
        for time in times {
            assert!(window.contains(*time), "{window:?} at {time}");
        }
        assert!(window.valid_until > NOW + 30);
    }

    #[test]
    fn idle_for_an_hour() {
        // The node tells the next block's time, or repeats the latest one's.
        for pending in [NOW, NOW - HOUR] {
            let idle = clocks(NOW - HOUR, pending);
            assert_open(idle.window(300), &[NOW - HOUR, NOW, NOW + 300]);
            assert!(!idle.window(300).contains(NOW + 301));
            assert_eq!(idle.next_block(), NOW);
            // What ended or began meanwhile.
            assert!(idle.is_over(NOW - HOUR / 2) && !idle.is_over(NOW));
            assert!(idle.has_begun(NOW - HOUR / 2) && !idle.has_begun(NOW + 1));
        }
        assert!(clocks(NOW - HOUR, NOW).is_past_on_chain(NOW - HOUR / 2, 60));
        assert!(!clocks(NOW - HOUR, NOW - HOUR).is_past_on_chain(NOW - HOUR / 2, 60), "the chain has not said so");
    }

    #[test]
    fn blocks_are_ahead() {
        for pending in [NOW + HOUR, NOW + HOUR + 1] {
            let ahead = clocks(NOW + HOUR, pending);
            assert_open(ahead.window(300), &[NOW, pending, NOW + HOUR + 300]);
            assert_eq!(ahead.next_block(), pending);
            assert!(ahead.is_over(NOW + HOUR - 1) && !ahead.is_over(pending));
            // The chain would take it, but no bundler hands it on before its own clock says so.
            assert!(!ahead.has_begun(NOW + 1) && ahead.has_begun(NOW));
            assert!(ahead.is_past_on_chain(NOW, 60) && !ahead.is_past_on_chain(NOW + HOUR, 60));
        }
    }

    #[test]
    fn the_chains_clock_was_moved() {
        // Forward, and no block has come yet.
        let forward = clocks(NOW, NOW + HOUR);
        assert_open(forward.window(300), &[NOW, NOW + HOUR, NOW + HOUR + 300]);
        assert!(forward.is_over(NOW + HOUR - 1) && !forward.is_over(NOW + HOUR));
        assert!(forward.is_past_on_chain(NOW, 60));
        // Back, before and after a block came.
        for block in [NOW, NOW - HOUR - 1] {
            let back = clocks(block, NOW - HOUR);
            assert_open(back.window(300), &[NOW - HOUR, NOW]);
            assert!(back.is_over(NOW - 1) && !back.is_over(NOW));
            assert!(!back.has_begun(NOW - HOUR + 1) && back.has_begun(NOW - HOUR));
            assert!(!back.is_past_on_chain(NOW - HOUR, 60));
        }
    }

    #[test]
    fn time_goes_on_without_blocks() {
        let idle = clocks(NOW - HOUR, NOW - HOUR).later(100);
        assert_eq!((idle.next_block(), idle.wall, idle.block), (NOW + 100, NOW + 100, NOW - HOUR));
        let ahead = clocks(NOW + HOUR, NOW + HOUR + 1).later(100);
        assert!(ahead.is_over(NOW + HOUR + 100) && !ahead.is_over(NOW + HOUR + 101));
    }

    #[test]
    fn a_device_ends_windows_early_but_begins_none() {
        let clocks = clocks(NOW, NOW + 1);
        assert_eq!(clocks.on_device(NOW - HOUR), clocks);
        let fast = clocks.on_device(NOW + HOUR);
        assert!(fast.is_over(NOW + HOUR - 1) && !fast.has_begun(NOW + 2));
    }

    #[test]
    fn nothing_overflows_and_no_end_is_never_over() {
        let last = Clocks { block: u64::MAX, pending: u64::MAX, wall: u64::MAX };
        assert_eq!(last.later(1).window(1).valid_until, u64::MAX);
        assert!(!last.is_over(0) && last.has_begun(u64::MAX) && !last.is_past_on_chain(u64::MAX, 1));
        assert_eq!(Clocks::default().window(1), Window { valid_until: 1, valid_after: 0 });
    }
}
