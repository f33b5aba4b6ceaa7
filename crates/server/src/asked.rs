//! Answers that are asked for again: kept for a while, and whoever asks what somebody is asking already waits for that
//! answer. Bounded in number or weight, so that questions cannot fill the memory.

use std::{hash::Hash, time::Duration};

use moka::future::Cache;

use use_aa_actions::error::AppError;

/// For answers that are not kept: only those who ask while it is on its way get the same one.
pub(super) const NOT_KEPT: Duration = Duration::from_millis(1);

/// Answers by question.
pub(super) struct Asked<K, V> {
    answers: Cache<K, V>,
}

impl<K, V> Asked<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Keeps `most` answers for as long as they are `fresh`.
    pub(super) fn new(most: u64, fresh: Duration) -> Self {
        Self { answers: Cache::builder().max_capacity(most).time_to_live(fresh).build() }
    }

    /// Keeps answers of so many bytes together.
    pub(super) fn weighing(bytes: u64, fresh: Duration, weight: fn(&V) -> usize) -> Self {
        let weigh = move |_: &K, answer: &V| u32::try_from(weight(answer)).unwrap_or(u32::MAX);
        Self { answers: Cache::builder().max_capacity(bytes).weigher(weigh).time_to_live(fresh).build() }
    }

    /// The answer that is kept, that is on its way, or that `ask` brings. Errors are not kept.
    pub(super) async fn get(&self, key: K, ask: impl Future<Output = Result<V, AppError>>) -> Result<V, AppError> {
        self.answers.try_get_with(key, ask).await.map_err(|error| (*error).clone())
    }

    /// The answer that is kept.
    pub(super) async fn kept(&self, key: &K) -> Option<V> {
        self.answers.get(key).await
    }

    /// Keeps an answer that came by another way.
    pub(super) async fn keep(&self, key: K, answer: V) {
        self.answers.insert(key, answer).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn equal_questions_are_one_and_failures_are_not_kept() {
        let (asked, count) = (Asked::new(10, Duration::from_secs(60)), AtomicUsize::new(0));
        let ask = |answer: Result<u8, AppError>| {
            asked.get("question", async {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(20)).await;
                answer
            })
        };
        let failed = futures::future::join_all((0..9).map(|_| ask(Err(AppError::NoDistributedKeys)))).await;
        assert!(failed.iter().all(|answer| *answer == Err(AppError::NoDistributedKeys)));
        assert_eq!(count.load(Ordering::SeqCst), 1);
        let answers = futures::future::join_all((0..9).map(|_| ask(Ok(7)))).await;
        assert!(answers.iter().all(|answer| *answer == Ok(7)));
        assert_eq!((ask(Ok(8)).await, count.load(Ordering::SeqCst)), (Ok(7), 2));
    }

    #[tokio::test]
    async fn whoever_hangs_up_takes_no_answer_from_the_others() {
        let asked = Asked::new(10, Duration::from_secs(60));
        let never = asked.get(1, std::future::pending());
        let second = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            asked.get(1, async { Ok(2) }).await
        };
        let first = tokio::time::timeout(Duration::from_millis(60), never);
        let (first, second) = tokio::join!(first, second);
        assert!(first.is_err());
        assert_eq!(second, Ok(2));
    }

    #[tokio::test]
    async fn what_is_not_kept_is_asked_again() {
        let asked = Asked::new(10, NOT_KEPT);
        assert_eq!(asked.get(1, async { Ok(1) }).await, Ok(1));
        tokio::time::sleep(NOT_KEPT * 3).await;
        assert_eq!(asked.get(1, async { Ok(2) }).await, Ok(2));
    }
}
