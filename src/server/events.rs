//! Watching operations: once per operation, however many wait for it.
//!
//! Two sources are asked. The bundler says that it has an operation and in which transaction it put it
//! (one poller per operation); the chain's logs say that it was mined (one poller for all operations).
//! Waiters share what is found through a `watch` channel; the poller ends with the operation.

mod logs;
mod poller;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use alloy::primitives::B256;
use futures::{Stream, stream};
use tokio::sync::{Notify, watch};

use super::{bundler::ssr::Bundler, config::Config, node::ssr::Node};
use crate::{
    error::AppError,
    protocol::{
        rpc::{UserOpReceipt, UserOpUpdate},
        user_operation::UserOperation,
    },
};

/// Most operations that are followed only because somebody asked for their hash.
const MAX_UNKNOWN: usize = 1_000;
/// So many of them are asked about at [`Pace::stranger`]'s pace; more share it.
const STRANGERS_AT_FULL_PACE: usize = 20;
/// Most operations that are followed in all.
const MAX_FOLLOWED: usize = 20_000;

/// How often is asked, and how long is waited.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// Pauses between questions by age of the operation: up to this age, this pause.
    steps: Vec<(Duration, Duration)>,
    /// The pause for still older operations.
    slowest: Duration,
    /// The shortest pause for hashes that neither this server nor the bundler knows: anybody may ask for any.
    stranger: Duration,
    /// The bundler is asked no more often than this once the operation is in a transaction.
    bundled: Duration,
    /// Blocks that must hold the operation, its own included, before it counts as confirmed.
    confirmations: u64,
    /// A hash that nobody knows is given up after this time.
    unknown: Duration,
    /// An accepted operation is given up after this time.
    accepted: Duration,
    /// An operation that nobody waits for is forgotten after this time.
    abandoned: Duration,
    /// A finished operation is remembered for this time, for waiters that come late.
    remembered: Duration,
    /// An empty line is sent this often, so that a cut connection is noticed.
    heartbeat: Duration,
}

impl Pace {
    /// Own programs on this machine are asked every few milliseconds; services on the network less often.
    pub(super) fn of(config: &Config) -> Self {
        let ms = Duration::from_millis;
        let steps = match config.lab {
            true => vec![(ms(2_000), ms(12)), (ms(20_000), ms(50)), (ms(60_000), ms(250))],
            false => vec![(ms(2_000), ms(20)), (ms(20_000), ms(90)), (ms(120_000), ms(500))],
        };
        Self {
            steps,
            slowest: ms(2_000),
            stranger: ms(250),
            bundled: ms(1_000),
            confirmations: config.confirmations,
            unknown: ms(60_000),
            accepted: ms(600_000),
            abandoned: ms(120_000),
            remembered: ms(300_000),
            heartbeat: ms(3_000),
        }
    }

    /// The pause between two questions about an operation, while `strangers` operations are followed that this
    /// server did not send: all of them together cost the upstreams no more than a few do.
    fn pause(&self, operation: &Operation, strangers: usize) -> Duration {
        let age = operation.since.elapsed();
        let pause = self.steps.iter().find(|(until, _)| age < *until).map_or(self.slowest, |(_, pause)| *pause);
        if operation.is_known() {
            return pause;
        }
        let crowd = u32::try_from(strangers.div_ceil(STRANGERS_AT_FULL_PACE)).unwrap_or(u32::MAX).max(1);
        pause.max(self.stranger.saturating_mul(crowd))
    }
}

/// What is known of an operation so far.
#[derive(Debug, Default)]
struct Progress {
    updates: Vec<UserOpUpdate>,
    failure: Option<AppError>,
}

impl Progress {
    fn is_over(&self) -> bool {
        self.failure.is_some() || self.updates.last().is_some_and(UserOpUpdate::is_final)
    }
}

/// One operation that is followed.
struct Operation {
    user_op_hash: B256,
    since: Instant,
    /// This server handed it to the bundler.
    sent: bool,
    progress: watch::Sender<Progress>,
    /// Set by the log watcher.
    sighting: watch::Sender<Option<UserOpReceipt>>,
}

impl Operation {
    /// This server sent it, or something was heard of it.
    fn is_known(&self) -> bool {
        self.sent || !self.progress.borrow().updates.is_empty()
    }
}

#[derive(Default)]
struct Registry {
    operations: HashMap<B256, Arc<Operation>>,
    log_watcher_runs: bool,
}

struct Inner {
    node: Node,
    bundler: Bundler,
    pace: Pace,
    registry: Mutex<Registry>,
    /// Operations in the registry that were not sent from here.
    strangers: AtomicUsize,
    /// A new operation is there: the log watcher shall not sleep on.
    arrived: Notify,
    closing: watch::Sender<bool>,
}

impl Inner {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        // Nothing panics while it is locked; a poisoned map would still be whole.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pause(&self, operation: &Operation) -> Duration {
        self.pace.pause(operation, self.strangers.load(Ordering::Relaxed))
    }

    fn forget(&self, registry: &mut Registry, operation: &Operation) {
        let known = registry.operations.remove(&operation.user_op_hash);
        if known.is_some_and(|known| !known.sent) {
            self.strangers.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// What a waiter is told.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// Something happened.
    Update(UserOpUpdate),
    /// Waiting is over without a result.
    Failed(AppError),
    /// Nothing happened; the connection lives.
    Heartbeat,
}

/// Follows operations; cheap to clone.
#[derive(Clone)]
pub(super) struct Watcher {
    inner: Arc<Inner>,
}

impl Watcher {
    pub(super) fn new(node: Node, bundler: Bundler, pace: Pace) -> Self {
        let inner = Inner {
            node,
            bundler,
            pace,
            registry: Mutex::default(),
            strangers: AtomicUsize::new(0),
            arrived: Notify::new(),
            closing: watch::Sender::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Follows an operation that the bundler has just accepted.
    pub(super) fn follow_sent(&self, user_op_hash: B256, _user_operation: &UserOperation) {
        if self.follow(user_op_hash, true).is_err() {
            tracing::warn!(%user_op_hash, "too many operations are followed; this one is not");
        }
    }

    /// What happens to an operation: the latest known state first, then each change, ending after the
    /// final one or an error.
    pub(super) fn subscribe(&self, user_op_hash: B256) -> Result<impl Stream<Item = Event> + Send + use<>, AppError> {
        let operation = self.follow(user_op_hash, false)?;
        let receiver = operation.progress.subscribe();
        let next = receiver.borrow().updates.len().saturating_sub(1);
        let waiter = Waiter {
            receiver,
            next,
            over: false,
            heartbeat: self.inner.pace.heartbeat,
            closing: self.inner.closing.subscribe(),
        };
        Ok(stream::unfold(waiter, |mut waiter| async move { waiter.event().await.map(|event| (event, waiter)) }))
    }

    /// Ends all streams: the server is shutting down.
    pub(super) fn close(&self) {
        self.inner.closing.send_replace(true);
    }

    fn follow(&self, user_op_hash: B256, sent: bool) -> Result<Arc<Operation>, AppError> {
        let mut registry = self.inner.registry();
        if let Some(operation) = registry.operations.get(&user_op_hash) {
            return Ok(operation.clone());
        }
        // Changed under the registry's lock only.
        let strangers = self.inner.strangers.load(Ordering::Relaxed);
        if registry.operations.len() >= MAX_FOLLOWED || (!sent && strangers >= MAX_UNKNOWN) {
            return Err(AppError::TooLarge {
                what: "the number of operations that are waited for".into(),
                limit: format!("{MAX_UNKNOWN} that this server did not send"),
            });
        }
        let operation = Arc::new(Operation {
            user_op_hash,
            since: Instant::now(),
            sent,
            progress: watch::Sender::new(Progress::default()),
            sighting: watch::Sender::new(None),
        });
        registry.operations.insert(user_op_hash, operation.clone());
        if !sent {
            self.inner.strangers.fetch_add(1, Ordering::Relaxed);
        }
        tokio::spawn(poller::run(self.inner.clone(), operation.clone()));
        start_log_watcher(&self.inner, &mut registry);
        Ok(operation)
    }
}

/// One log watcher runs while any operation is open.
fn start_log_watcher(inner: &Arc<Inner>, registry: &mut Registry) {
    if registry.log_watcher_runs {
        inner.arrived.notify_one();
    } else {
        registry.log_watcher_runs = true;
        tokio::spawn(logs::run(inner.clone()));
    }
}

/// One waiter's view of an operation.
struct Waiter {
    receiver: watch::Receiver<Progress>,
    next: usize,
    over: bool,
    heartbeat: Duration,
    closing: watch::Receiver<bool>,
}

impl Waiter {
    /// The next thing to tell; `None` when all is told.
    async fn event(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        loop {
            if let Some(event) = self.news() {
                return Some(event);
            }
            tokio::select! {
                changed = self.receiver.changed() => changed.ok()?,
                _ = self.closing.wait_for(|closing| *closing) => return None,
                () = tokio::time::sleep(self.heartbeat) => return Some(Event::Heartbeat),
            }
        }
    }

    fn news(&mut self) -> Option<Event> {
        let progress = self.receiver.borrow_and_update();
        if let Some(update) = progress.updates.get(self.next) {
            self.next += 1;
            self.over = update.is_final();
            return Some(Event::Update(update.clone()));
        }
        let failure = progress.failure.clone()?;
        self.over = true;
        Some(Event::Failed(failure))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn watcher() -> Watcher {
        let nobody = ["http://127.0.0.1:1".parse().unwrap()];
        let args = super::super::config::ServeArgs {
            rpc_url: Some("http://127.0.0.1:1".parse().unwrap()),
            bundler_url: Some("http://127.0.0.1:1".parse().unwrap()),
            ..Default::default()
        };
        let pace = Pace::of(&Config::from_args(&args).unwrap());
        let timeout = Duration::from_secs(1);
        Watcher::new(Node::new(&nobody, 31337, timeout).unwrap(), Bundler::new(&nobody, 31337, timeout).unwrap(), pace)
    }

    #[tokio::test]
    async fn strangers_cannot_make_the_server_watch_without_end() {
        let watcher = watcher();
        let hash = |number: usize| B256::from(alloy::primitives::U256::from(number + 1));
        for number in 0..MAX_UNKNOWN {
            assert!(watcher.subscribe(hash(number)).is_ok());
        }
        assert!(matches!(watcher.subscribe(hash(MAX_UNKNOWN)).err(), Some(AppError::TooLarge { .. })));
        // Who waits for one of them already is not turned away, nor is an operation that was sent from here.
        assert!(watcher.subscribe(hash(0)).is_ok());
        watcher.follow_sent(hash(MAX_UNKNOWN), &UserOperation::default());
        assert!(watcher.subscribe(hash(MAX_UNKNOWN)).is_ok());
    }

    #[tokio::test]
    async fn strangers_are_asked_for_less_often() {
        let watcher = watcher();
        let sent = watcher.follow(B256::repeat_byte(1), true).unwrap();
        let stranger = watcher.follow(B256::repeat_byte(2), false).unwrap();
        let pace = &watcher.inner.pace;
        assert!(pace.pause(&sent, MAX_UNKNOWN) < Duration::from_millis(50));
        assert_eq!(watcher.inner.pause(&stranger), pace.stranger);
        let each = pace.pause(&stranger, MAX_UNKNOWN).as_secs_f64();
        let questions_per_second = MAX_UNKNOWN as f64 / each;
        assert!(questions_per_second <= 81.0, "{questions_per_second}");
        watcher.inner.forget(&mut watcher.inner.registry(), &stranger);
        assert_eq!(watcher.inner.strangers.load(Ordering::Relaxed), 0);
    }
}
