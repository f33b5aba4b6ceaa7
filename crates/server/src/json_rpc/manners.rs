//! What an entry of a failover list was found to take: how many calls in a batch, how many blocks of logs, which methods
//! it wants to be left alone with. Learned from its refusals, and forgotten after a while: plans change.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use use_aa_actions::error::AppError;

/// How long what was learned is believed.
const BELIEVED: Duration = Duration::from_secs(600);

/// What one entry takes.
#[derive(Default)]
pub(super) struct Manners {
    learned: Mutex<Learned>,
}

#[derive(Default)]
struct Learned {
    batch: Option<(usize, Instant)>,
    logs: Option<(u64, Instant)>,
    /// Methods of ours, so there are few.
    resting: Vec<Resting>,
}

struct Resting {
    method: String,
    until: Instant,
    error: AppError,
}

impl Manners {
    fn learned(&self) -> MutexGuard<'_, Learned> {
        // Nothing panics while it is locked.
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls that it takes in one request.
    pub(super) fn batch(&self) -> usize {
        believed(self.learned().batch).unwrap_or(usize::MAX)
    }

    /// It refused a batch, and takes no more than this.
    pub(super) fn takes_batches_of(&self, calls: usize) {
        let mut learned = self.learned();
        let known = believed(learned.batch).unwrap_or(usize::MAX);
        learned.batch = Some((calls.max(1).min(known), Instant::now()));
    }

    /// Blocks whose logs it tells in one answer.
    pub(super) fn logs(&self) -> u64 {
        believed(self.learned().logs).unwrap_or(u64::MAX)
    }

    /// It refused a longer range; `None`: it refuses each, and so there is no longest one.
    pub(super) fn takes_logs_of(&self, blocks: Option<u64>) {
        let mut learned = self.learned();
        let known = believed(learned.logs).unwrap_or(u64::MAX);
        learned.logs = blocks.map(|blocks| (blocks.max(1).min(known), Instant::now()));
    }

    /// It shall not be asked this for a while. True when other methods rest already.
    pub(super) fn rest(&self, method: &str, rest: Duration, error: &AppError) -> bool {
        let mut learned = self.learned();
        let now = Instant::now();
        learned.resting.retain(|one| one.until > now && one.method != method);
        let others = !learned.resting.is_empty();
        learned.resting.push(Resting { method: method.to_owned(), until: now + rest, error: error.clone() });
        others
    }

    /// Until when it shall not be asked this, and what it said.
    pub(super) fn resting(&self, method: &str) -> Option<(Instant, AppError)> {
        let learned = self.learned();
        let one = learned.resting.iter().find(|one| one.method == method && one.until > Instant::now())?;
        Some((one.until, one.error.clone()))
    }
}

fn believed<T>(learned: Option<(T, Instant)>) -> Option<T> {
    learned.filter(|(_, at)| at.elapsed() < BELIEVED).map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_learned_is_forgotten_and_a_method_rests_alone() {
        let manners = Manners::default();
        assert_eq!((manners.batch(), manners.logs()), (usize::MAX, u64::MAX));
        manners.takes_batches_of(3);
        manners.takes_logs_of(Some(10));
        assert_eq!((manners.batch(), manners.logs()), (3, 10));
        let second = Duration::from_secs(1);
        assert!(!manners.rest("eth_getLogs", second, &AppError::NoSmartAccount));
        assert!(!manners.rest("eth_getLogs", second, &AppError::NoSmartAccount));
        assert!(manners.resting("eth_getLogs").is_some() && manners.resting("eth_call").is_none());
        assert!(manners.rest("eth_call", second, &AppError::NoSmartAccount), "the second one at the same time");
        tokio::time::advance(second).await;
        assert!(manners.resting("eth_getLogs").is_none() && manners.resting("eth_call").is_none());
        tokio::time::advance(BELIEVED).await;
        assert_eq!((manners.batch(), manners.logs()), (usize::MAX, u64::MAX));
    }
}
