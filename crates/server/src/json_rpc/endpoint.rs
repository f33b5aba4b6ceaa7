//! One entry of a failover list: its URL, its breaker, and what was seen of it.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::Url;
use tokio::time::Instant;

use super::{
    super::upstream_health::{Circuit, UpstreamHealth},
    breaker::{Admission, Breaker},
    manners::Manners,
    wire::PLAIN,
};
use use_aa_actions::error::{AppError, Upstream};

/// The longest rest that an upstream may ask for.
const LONGEST_REST: Duration = Duration::from_secs(60);

pub(super) struct Endpoint {
    pub(super) url: Url,
    /// It said that it serves our chain.
    verified: AtomicBool,
    /// What it was found to take.
    pub(super) manners: Manners,
    seen: Mutex<Seen>,
}

struct Seen {
    breaker: Breaker,
    resting: Option<Instant>,
    answered: u64,
    failed: u64,
    /// Seconds.
    latency: Option<f64>,
    last_error: Option<AppError>,
}

impl Endpoint {
    pub(super) fn new(url: Url, entries: usize) -> Self {
        let seen = Seen {
            breaker: Breaker::new(entries),
            resting: None,
            answered: 0,
            failed: 0,
            latency: None,
            last_error: None,
        };
        Self { url, verified: AtomicBool::new(false), manners: Manners::default(), seen: Mutex::new(seen) }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Nothing panics while it is locked.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_verified(&self) -> bool {
        self.verified.load(Ordering::Relaxed)
    }

    pub(super) fn verified(&self) {
        self.verified.store(true, Ordering::Relaxed);
    }

    pub(super) fn admit(&self, now: Instant) -> Admission {
        let mut seen = self.seen();
        match seen.resting {
            Some(until) if now < until => Admission::No,
            _ => {
                seen.resting = None;
                seen.breaker.admit(now)
            }
        }
    }

    /// Until when it wants to be left alone, with this method at least.
    pub(super) fn resting_until(&self, method: &str) -> Option<Instant> {
        let of_method = self.manners.resting(method).map(|(until, _)| until);
        self.seen().resting.max(of_method)
    }

    /// It is neither left alone nor tried just now. Asking this changes nothing.
    pub(super) fn is_usable(&self) -> bool {
        let seen = self.seen();
        seen.breaker.circuit() == Circuit::Closed && seen.resting.is_none_or(|until| until <= Instant::now())
    }

    /// Whoever asks next finds out whether it is back.
    pub(super) fn is_tried(&self) -> bool {
        self.seen().breaker.circuit() == Circuit::HalfOpen
    }

    pub(super) fn last_error(&self) -> Option<AppError> {
        self.seen().last_error.clone()
    }

    /// Any JSON-RPC answer.
    pub(super) fn answered(&self, took: Duration) {
        let mut seen = self.seen();
        seen.answered += 1;
        seen.breaker.succeeded();
        seen.last_error = None;
        let took = took.as_secs_f64();
        seen.latency = Some(seen.latency.map_or(took, |average| average + (took - average) / 8.0));
    }

    /// It answered a request of our own.
    pub(super) fn probed(&self) {
        let mut seen = self.seen();
        seen.answered += 1;
        seen.breaker.probed();
    }

    /// Nobody listened: it may come back as another program, so its chain is asked again.
    pub(super) fn gone(&self) {
        self.verified.store(false, Ordering::Relaxed);
    }

    /// No answer, or something else than JSON-RPC.
    pub(super) fn failed(&self, error: &AppError) {
        let mut seen = self.seen();
        seen.failed += 1;
        seen.breaker.failed(Instant::now(), rand::random());
        seen.last_error = Some(error.clone());
    }

    /// It asks for fewer requests: no failure, but it is left alone.
    pub(super) fn rest(&self, rest: Duration, error: &AppError) {
        let mut seen = self.seen();
        seen.failed += 1;
        let until = Instant::now() + rest.min(LONGEST_REST);
        seen.resting = Some(seen.resting.map_or(until, |known| known.max(until)));
        seen.last_error = Some(error.clone());
    }

    /// It refuses a method for a while: that method rests. Who refuses a second one, or a question that costs nothing,
    /// refuses everything.
    pub(super) fn rest_from(&self, method: &str, rest: Duration, error: &AppError) {
        let rest = rest.min(LONGEST_REST);
        if self.manners.rest(method, rest, error) || PLAIN.contains(&method) {
            return self.rest(rest, error);
        }
        let mut seen = self.seen();
        seen.failed += 1;
        seen.last_error = Some(error.clone());
    }

    pub(super) fn health(&self, upstream: Upstream, entry: usize) -> UpstreamHealth {
        let seen = self.seen();
        let resting = seen.resting.and_then(|until| until.checked_duration_since(Instant::now()));
        UpstreamHealth {
            upstream,
            entry,
            circuit: seen.breaker.circuit(),
            resting_ms: resting
                .filter(|rest| !rest.is_zero())
                .map(|rest| u64::try_from(rest.as_millis()).unwrap_or(u64::MAX)),
            answered: seen.answered,
            failed: seen.failed,
            failures_in_row: seen.breaker.failures_in_row(),
            latency_ms: seen.latency.map(|seconds| (seconds * 1e4).round() / 10.0),
            last_error: seen.last_error.clone(),
            pushing: None,
        }
    }
}
