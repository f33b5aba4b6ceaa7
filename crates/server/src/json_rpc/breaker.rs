//! A circuit breaker: who fails is left alone for a while, longer each time, until one request finds it back.

use std::time::Duration;

use tokio::time::Instant;

use super::super::upstream_health::Circuit;

/// How long it is left alone the first time.
const FIRST_COOLDOWN: Duration = Duration::from_millis(500);
/// A probe that nobody reported on is forgotten after this time.
const PROBE_PATIENCE: Duration = Duration::from_secs(30);

/// May this entry be asked?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Yes.
    Yes,
    /// Its time is over: whoever hears this makes the one request that finds out.
    Probe,
    /// Not now.
    No,
}

/// The breaker of one entry.
#[derive(Debug)]
pub(super) struct Breaker {
    /// Failures in a row that open it.
    threshold: u32,
    /// The longest time it stays open.
    longest: Duration,
    failures_in_row: u32,
    state: State,
    cooldown: Duration,
}

#[derive(Debug)]
enum State {
    Closed,
    Open { until: Instant },
    HalfOpen { since: Instant },
}

impl Breaker {
    /// With alternatives one failure is enough; the only entry of a list gets more chances and shorter breaks.
    pub(super) fn new(entries: usize) -> Self {
        let (threshold, longest) = match entries {
            0 | 1 => (5, Duration::from_secs(2)),
            _ => (1, Duration::from_secs(30)),
        };
        Self { threshold, longest, failures_in_row: 0, state: State::Closed, cooldown: FIRST_COOLDOWN }
    }

    pub(super) fn admit(&mut self, now: Instant) -> Admission {
        match self.state {
            State::Closed => Admission::Yes,
            State::Open { until } if now < until => Admission::No,
            State::HalfOpen { since } if now < since + PROBE_PATIENCE => Admission::No,
            _ => {
                self.state = State::HalfOpen { since: now };
                Admission::Probe
            }
        }
    }

    pub(super) fn succeeded(&mut self) {
        (self.failures_in_row, self.state, self.cooldown) = (0, State::Closed, FIRST_COOLDOWN);
    }

    /// A request of our own was answered: it may be asked again, but is not yet forgiven. Who answers that one and
    /// fails at all others is left alone longer each time.
    pub(super) fn probed(&mut self) {
        self.state = State::Closed;
    }

    /// `spread` in 0..1 keeps several servers from coming back in the same moment.
    pub(super) fn failed(&mut self, now: Instant, spread: f64) {
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        match self.state {
            State::Closed if self.failures_in_row < self.threshold => {}
            // What was under way when it opened says nothing new.
            State::Open { .. } => {}
            State::Closed | State::HalfOpen { .. } => {
                self.state = State::Open { until: now + self.cooldown.mul_f64(0.75 + spread.clamp(0.0, 1.0) / 2.0) };
                self.cooldown = (self.cooldown * 2).min(self.longest);
            }
        }
    }

    pub(super) fn failures_in_row(&self) -> u32 {
        self.failures_in_row
    }

    pub(super) fn circuit(&self) -> Circuit {
        match self.state {
            State::Closed => Circuit::Closed,
            State::Open { .. } => Circuit::Open,
            State::HalfOpen { .. } => Circuit::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_probes_once_and_closes_again() {
        let start = Instant::now();
        let mut breaker = Breaker::new(2);
        assert_eq!(breaker.admit(start), Admission::Yes);
        breaker.failed(start, 0.5);
        assert_eq!((breaker.circuit(), breaker.admit(start)), (Circuit::Open, Admission::No));
        let later = start + FIRST_COOLDOWN;
        assert_eq!(breaker.admit(later), Admission::Probe);
        assert_eq!(breaker.admit(later), Admission::No, "one probe at a time");
        breaker.failed(later, 0.5);
        assert_eq!(breaker.admit(later + FIRST_COOLDOWN), Admission::No, "longer each time");
        assert_eq!(breaker.admit(later + FIRST_COOLDOWN * 2), Admission::Probe);
        breaker.succeeded();
        assert_eq!((breaker.circuit(), breaker.admit(later)), (Circuit::Closed, Admission::Yes));
        assert_eq!(breaker.failures_in_row(), 0);
    }

    #[test]
    fn who_answers_probes_only_is_left_alone_longer_each_time() {
        let mut now = Instant::now();
        let mut breaker = Breaker::new(2);
        let mut breaks = Vec::new();
        for _ in 0..4 {
            breaker.failed(now, 0.5);
            let begun = now;
            while breaker.admit(now) != Admission::Probe {
                now += Duration::from_millis(100);
            }
            breaks.push(now - begun);
            breaker.probed();
            assert_eq!(breaker.admit(now), Admission::Yes);
        }
        assert!(breaks.windows(2).all(|pair| pair[1] >= pair[0] * 2), "{breaks:?}");
    }

    #[test]
    fn a_probe_without_a_report_is_not_the_last() {
        let start = Instant::now();
        let mut breaker = Breaker::new(2);
        breaker.failed(start, 0.0);
        assert_eq!(breaker.admit(start + FIRST_COOLDOWN), Admission::Probe);
        assert_eq!(breaker.admit(start + FIRST_COOLDOWN + PROBE_PATIENCE), Admission::Probe);
    }

    #[test]
    fn the_only_entry_gets_more_chances_and_short_breaks() {
        let mut now = Instant::now();
        let mut breaker = Breaker::new(1);
        for _ in 0..4 {
            breaker.failed(now, 1.0);
            assert_eq!(breaker.admit(now), Admission::Yes);
        }
        for _ in 0..20 {
            breaker.failed(now, 1.0);
            now += Duration::from_millis(2_500);
            assert_eq!(breaker.admit(now), Admission::Probe);
        }
    }
}
