//! Operations that were looked up lately, and how many are looked up at a time.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alloy::primitives::B256;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::timeout,
};

use super::{metrics, single_flight::Cached};
use use_aa_actions::error::AppError;
use use_aa_protocol::rpc::UserOpUpdate;

/// Look-ups that ask upstreams at the same time.
const AT_ONCE: usize = 8;
/// Of those, of one caller.
const OF_ONE: usize = 2;
/// For so long a look-up waits until it may ask.
const PATIENCE: Duration = Duration::from_secs(2);
/// For so long an answer is given again.
const FRESH: Duration = Duration::from_secs(2);
/// Answers that are kept.
const KEPT: u64 = 2_000;

/// What keeps look-ups from asking the upstreams without end.
pub(super) struct OperationAnswers {
    pub(super) answers: Cached<B256, LookedUp>,
    turns: Semaphore,
    /// Of those who ask now.
    callers: Mutex<HashMap<IpAddr, Arc<Semaphore>>>,
}

/// What a look-up found.
#[derive(Clone, Debug)]
pub(super) enum LookedUp {
    Known(Box<UserOpUpdate>),
    /// Chain and bundler answered, and neither has it. So many blocks were read, where that is few.
    Unknown(Option<u64>),
    /// The chain's latest blocks, so many, do not have it; no bundler can say.
    Untold(u64),
}

impl Default for OperationAnswers {
    fn default() -> Self {
        Self { answers: Cached::new(KEPT, FRESH), turns: Semaphore::new(AT_ONCE), callers: Mutex::default() }
    }
}

impl OperationAnswers {
    /// A turn at the upstreams.
    ///
    /// # Errors
    /// `Busy` when none gets free.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, AppError> {
        match timeout(PATIENCE, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(AppError::Busy { seconds: 1 }),
        }
    }

    /// A caller's place among those who look something up: one address does not take all the turns.
    ///
    /// # Errors
    /// `RateLimited` while it has others under way.
    pub(super) async fn place(&self, caller: IpAddr) -> Result<Place<'_>, AppError> {
        let own = self.callers().entry(caller).or_insert_with(|| Arc::new(Semaphore::new(OF_ONE))).clone();
        // Whoever hangs up while it waits is forgotten, too.
        let mut place = Place { of: self, caller, own: Some(own.clone()), permit: None };
        match timeout(PATIENCE, own.acquire_owned()).await {
            Ok(Ok(permit)) => {
                place.permit = Some(permit);
                Ok(place)
            }
            _ => {
                metrics::rate_limited("address");
                Err(AppError::RateLimited { scope: "address".into(), seconds: 1 })
            }
        }
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<IpAddr, Arc<Semaphore>>> {
        // Nothing panics while it is locked.
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One caller's place, until it is dropped.
pub(super) struct Place<'a> {
    of: &'a OperationAnswers,
    caller: IpAddr,
    own: Option<Arc<Semaphore>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.permit = None;
        self.own = None;
        let mut callers = self.of.callers();
        if callers.get(&self.caller).is_some_and(|own| Arc::strong_count(own) == 1) {
            callers.remove(&self.caller);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::Ipv4Addr;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_caller_has_two_places_and_everybody_a_turn_in_time() {
        let answers = OperationAnswers::default();
        let caller = |last: u8| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
        let places = (answers.place(caller(1)).await.unwrap(), answers.place(caller(1)).await.unwrap());
        let third = answers.place(caller(1)).await.map(drop);
        assert_eq!(third, Err(AppError::RateLimited { scope: "address".into(), seconds: 1 }));
        let other = answers.place(caller(2)).await.unwrap();
        // Who waits gets what another one gives back.
        let (waited, ()) = tokio::join!(answers.place(caller(1)), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(places);
        });
        drop((waited.unwrap(), other));
        assert!(answers.callers().is_empty(), "nobody is kept");

        let turns = futures::future::join_all((0..AT_ONCE).map(|_| answers.turn())).await;
        let begun = tokio::time::Instant::now();
        assert_eq!(answers.turn().await.map(drop), Err(AppError::Busy { seconds: 1 }));
        assert_eq!(begun.elapsed().as_secs(), PATIENCE.as_secs());
        drop(turns);
        assert!(answers.turn().await.is_ok());
    }
}
