//! Single flight: equal questions at the same time are asked once. [`Cached`] also keeps the answers for a while, bounded in
//! number or weight, so that questions cannot fill the memory.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use moka::future::Cache;
use tokio::sync::OnceCell;

use use_aa_actions::error::AppError;

/// Answers by question.
pub(super) struct Cached<K, V> {
    answers: Cache<K, V>,
}

impl<K, V> Cached<K, V>
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

    /// The answer that is kept, that is on its way, or that `ask` brings. Errors are not kept. The question is boxed:
    /// otherwise each future around it would be as large again.
    pub(super) async fn get(&self, key: K, ask: impl Future<Output = Result<V, AppError>>) -> Result<V, AppError> {
        self.answers.try_get_with(key, Box::pin(ask)).await.map_err(|error| (*error).clone())
    }

    /// The answer that is kept.
    pub(super) async fn kept(&self, key: &K) -> Option<V> {
        self.answers.get(key).await
    }

    /// Whoever asks from now on asks anew.
    pub(super) async fn forget(&self, key: &K) {
        self.answers.invalidate(key).await;
    }

    /// Keeps an answer that came by another way.
    pub(super) async fn keep(&self, key: K, answer: V) {
        self.answers.insert(key, answer).await;
    }
}

/// Answers on their way. None is kept: when the last one who waits has it, it is gone.
pub(super) struct SingleFlight<K: Hash + Eq, V> {
    open: Mutex<HashMap<K, Weak<Answer<V>>>>,
}

type Answer<V> = OnceCell<Result<V, AppError>>;

impl<K: Hash + Eq, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self { open: Mutex::default() }
    }
}

impl<K: Clone + Hash + Eq, V: Clone> SingleFlight<K, V> {
    /// The answer that is on its way, or that `ask` brings.
    pub(super) async fn get(&self, key: K, ask: impl Future<Output = Result<V, AppError>>) -> Result<V, AppError> {
        let answer = {
            let mut open = self.open();
            match open.get(&key).and_then(Weak::upgrade) {
                Some(answer) => answer,
                None => {
                    let answer = Arc::default();
                    open.insert(key.clone(), Arc::downgrade(&answer));
                    answer
                }
            }
        };
        let ask = Box::pin(ask);
        let passenger = Passenger { flights: self, key, answer };
        // When whoever asks hangs up, another one of those who wait asks.
        passenger.answer.get_or_init(|| ask).await.clone()
    }
}

impl<K: Hash + Eq, V> SingleFlight<K, V> {
    fn open(&self) -> MutexGuard<'_, HashMap<K, Weak<Answer<V>>>> {
        // Nothing panics while it is locked.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever waits for an answer.
struct Passenger<'a, K: Hash + Eq, V> {
    flights: &'a SingleFlight<K, V>,
    key: K,
    answer: Arc<Answer<V>>,
}

impl<K: Hash + Eq, V> Drop for Passenger<'_, K, V> {
    fn drop(&mut self) {
        let mut open = self.flights.open();
        let is_over = self.answer.initialized() || Arc::strong_count(&self.answer) == 1;
        let is_ours = |open: &Weak<_>| std::ptr::eq(open.as_ptr(), Arc::as_ptr(&self.answer));
        if is_over && open.get(&self.key).is_some_and(is_ours) {
            open.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn equal_questions_are_one_and_failures_are_not_kept() {
        let (asked, count) = (Cached::new(10, Duration::from_secs(60)), AtomicUsize::new(0));
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
    async fn what_is_on_its_way_is_asked_once_and_then_anew() {
        let (flights, count) = (SingleFlight::default(), AtomicUsize::new(0));
        for round in 1..=2 {
            let ask = || {
                flights.get("question", async {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Ok(count.fetch_add(1, Ordering::SeqCst) + 1)
                })
            };
            let answers = futures::future::join_all((0..9).map(|_| ask())).await;
            assert!(answers.iter().all(|answer| *answer == Ok(round)), "{answers:?}");
            assert!(flights.open().is_empty(), "nothing is kept");
        }
    }

    #[tokio::test]
    async fn whoever_hangs_up_takes_no_answer_from_the_others() {
        let flights = SingleFlight::default();
        let never = flights.get(1, std::future::pending());
        let second = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            flights.get(1, async { Ok(2) }).await
        };
        let (first, second) = tokio::join!(tokio::time::timeout(Duration::from_millis(60), never), second);
        assert!(first.is_err());
        assert_eq!(second, Ok(2));
        let alone = tokio::time::timeout(Duration::from_millis(5), flights.get(3, std::future::pending()));
        assert!(alone.await.is_err() && flights.open().is_empty());
    }
}
