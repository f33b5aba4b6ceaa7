//! What is told of a key that is being made: since when, how long the last one took, and how many wait.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use use_aa_protocol::distributed_key::KeyProgress;

/// The key that is being made, if one is.
#[derive(Default)]
pub(super) struct Making {
    times: Mutex<Times>,
    waiting: AtomicU32,
}

#[derive(Clone, Copy, Default)]
struct Times {
    since: Option<Instant>,
    last: Option<Duration>,
}

impl Making {
    fn times(&self) -> std::sync::MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One is begun; over when what this gives is dropped, and good when told so.
    pub(super) fn begin(&self) -> Begun<'_> {
        self.times().since = Some(Instant::now());
        Begun { making: self, made: false }
    }

    /// Somebody waits for a key, until what this gives is dropped.
    pub(super) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    /// How far it is; nothing while none is made.
    pub(super) fn progress(&self) -> Option<KeyProgress> {
        let Times { since, last } = *self.times();
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        since.map(|since| KeyProgress {
            elapsed_ms: milliseconds(since.elapsed()),
            usual_ms: last.map(milliseconds),
            waiting: self.waiting.load(Ordering::Relaxed),
        })
    }
}

/// A key is being made.
pub(super) struct Begun<'a> {
    making: &'a Making,
    made: bool,
}

impl Begun<'_> {
    /// It is there.
    pub(super) fn made(mut self) {
        self.made = true;
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let mut times = self.making.times();
        let took = times.since.take().map(|since| since.elapsed());
        if self.made {
            times.last = took;
        }
    }
}

/// Somebody waits; who hangs up does not.
pub(super) struct Waiting<'a>(&'a Making);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn whoever_waits_hears_how_far_it_is_and_a_failure_says_nothing_of_the_next() {
        let making = Making::default();
        assert_eq!(making.progress(), None);
        drop(making.begin());
        let begun = making.begin();
        let (first, second) = (making.wait(), making.wait());
        let progress = making.progress().unwrap();
        assert_eq!((progress.usual_ms, progress.waiting), (None, 2));
        drop(first);
        begun.made();
        assert_eq!(making.progress(), None);
        let _begun = making.begin();
        let progress = making.progress().unwrap();
        assert!(progress.usual_ms.is_some() && progress.waiting == 1);
        drop(second);
        assert_eq!(making.progress().unwrap().waiting, 0);
    }
}
