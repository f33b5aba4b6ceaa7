//! How often is asked, and how long is waited.

use std::time::Duration;

use super::super::config::Config;

/// So many operations that this server did not send are asked about at [`Pace::stranger`]'s pace; more share it.
const UNKNOWN_AT_FULL_PACE: usize = 100;

/// How often is asked, and how long is waited.
#[derive(Clone, Debug)]
pub(in super::super) struct Pace {
    /// Pauses between questions by age of the operation: up to this age, this pause.
    steps: Vec<(Duration, Duration)>,
    /// The pause for still older operations.
    slowest: Duration,
    /// The shortest pause for hashes that neither this server nor the bundler knows: anybody may ask for any.
    pub(super) stranger: Duration,
    /// The bundler is asked no more often than this once the operation is in a transaction.
    pub(super) bundled: Duration,
    /// The node is asked this often while it pushes its logs, in case that it stops without a word.
    pub(super) pushed: Duration,
    /// An operation that is in no transaction after this time is called stuck.
    pub(super) stuck: Duration,
    /// An operation that no bundler knows for so long was forgotten: twice this, and what asking takes, is less than the 15
    /// seconds within which it is told.
    pub(super) forgotten: Duration,
    /// Blocks that must hold the operation, its own included, before it counts as confirmed.
    pub(super) confirmations: u64,
    /// A hash that nobody knows is given up after this time.
    pub(super) unknown: Duration,
    /// An accepted operation is given up after this time.
    pub(super) accepted: Duration,
    /// An operation that nobody waits for is forgotten after this time.
    pub(super) abandoned: Duration,
    /// A finished operation is remembered for this time, for waiters that come late.
    pub(super) remembered: Duration,
    /// An empty line is sent this often, so that a cut connection is noticed.
    pub(super) heartbeat: Duration,
}

impl Pace {
    /// Own programs on this machine are asked every few milliseconds; services on the network less often.
    pub(in super::super) fn of(config: &Config) -> Self {
        let ms = Duration::from_millis;
        let (steps, stuck, forgotten) = match config.lab {
            true => (vec![(ms(2_000), ms(12)), (ms(20_000), ms(50)), (ms(60_000), ms(250))], ms(5_000), ms(2_000)),
            false => (vec![(ms(2_000), ms(20)), (ms(20_000), ms(90)), (ms(120_000), ms(500))], ms(30_000), ms(5_000)),
        };
        Self {
            steps,
            slowest: ms(2_000),
            stranger: ms(250),
            bundled: ms(1_000),
            pushed: ms(15_000),
            // Blocks of the lab may be made to take longer.
            stuck: stuck + Duration::from_secs(config.lab_options.block_time.saturating_mul(2)),
            forgotten,
            confirmations: config.confirmations,
            unknown: ms(60_000),
            accepted: ms(600_000),
            abandoned: ms(120_000),
            remembered: ms(300_000),
            heartbeat: ms(3_000),
        }
    }

    /// The pause between two questions about an operation of this age, while `unknown` operations are followed
    /// that this server did not send: all of them together cost the upstreams no more than a few do.
    pub(super) fn pause(&self, age: Duration, is_known: bool, unknown: usize) -> Duration {
        let pause = self.steps.iter().find(|(until, _)| age < *until).map_or(self.slowest, |(_, pause)| *pause);
        if is_known {
            return pause;
        }
        let crowd = u32::try_from(unknown.div_ceil(UNKNOWN_AT_FULL_PACE)).unwrap_or(u32::MAX).max(1);
        pause.max(self.stranger.saturating_mul(crowd))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn unknown_operations_are_asked_for_less_often() {
        let pace = Pace::of(&Config::from_args(&Default::default()).unwrap());
        let (young, many) = (Duration::from_millis(1), 10_000);
        assert!(pace.pause(young, true, many) < Duration::from_millis(50));
        assert_eq!(pace.pause(young, false, 1), pace.stranger);
        let questions_per_second = many as f64 / pace.pause(young, false, many).as_secs_f64();
        assert!(questions_per_second <= 401.0, "{questions_per_second}");
    }

    #[test]
    fn older_operations_are_asked_for_less_often() {
        let pace = Pace::of(&Config::from_args(&Default::default()).unwrap());
        let pauses: Vec<_> = [1, 10, 50, 300].map(|age| pace.pause(Duration::from_secs(age), true, 0)).into();
        assert!(pauses.is_sorted() && pauses[0] < pauses[3], "{pauses:?}");
    }
}
