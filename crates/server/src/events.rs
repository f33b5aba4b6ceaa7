//! Watching operations of all entry points: one watcher for the chain, whoever and however many wait.
//!
//! | Part | Asks | How often |
//! |---|---|---|
//! | `push.rs` | nothing: a node with a web socket pushes the entry point's logs | – |
//! | `chain.rs`, `past.rs` | the node for new logs of the entry point, for all operations in one request, and for old ones | while logs are pushed every 15 s; else every 12 ms to 2 s, by the age of the youngest operation |
//! | `questions.rs` | the bundler where one operation is | each operation by its age; all together at most 500 a second |
//!
//! What they find goes through `outcome.rs` into the operation's `watch` channel, and from there to its waiters: a
//! waiter costs no task, no poll and no buffer that grows (a slow one hears the latest `MOST_UPDATES` = 16 changes).
//! Nothing is kept on disk: after a restart a page asks again for the same hash, and the operation is found in the
//! chain's logs or at the bundler, with all that is needed to send it again should that forget it. Each server that follows
//! an operation sends it again once; its hash and its nonce see to it that it happens once.
//!
//! | What happens | What waiters hear |
//! |---|---|
//! | the bundler has it | `submitted` |
//! | it is in a transaction | `bundled` |
//! | its event is in a block | `included`; with enough blocks `confirmed` or `reverted`, which are final |
//! | that block is gone (a pushed log with `removed`, or another block there at the depth asked for: `standing.rs`) | `submitted` again, then what follows |
//! | it waits for 30 s and is in no transaction | `stuck`, with fees that a replacement needs |
//! | another operation with its nonce is mined, or taken by the bundler in its place | `replaced`, final, with that one's hash |
//! | the bundler gives it up, and the chain has nothing of it | `dropped`, final until a block has it all the same |
//! | no bundler of those that answer knows it any more | nothing: it is sent again, once |
//! | no bundler at all knows it after that | `dropped`; where its nonce was used what the chain has of that, `replaced` as a rule |
//! | nobody knows its hash for a minute, or it is not mined within ten | the error `WaitTimedOut` |
//!
//! A relay cannot bump fees: they are signed. The owner or session key signs a replacement with the same nonce and at
//! least 10 % more (`actions::speed_up_user_operation`); here the old and the new one are told apart.

mod chain;
mod ends;
mod filters;
mod forgotten;
mod operation;
mod outcome;
mod pace;
mod past;
mod push;
mod questions;
mod standing;
mod waiter;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use alloy::primitives::B256;
use futures::{Stream, stream};
use tokio::{
    sync::{Notify, Semaphore, watch},
    time::Instant,
};

use super::{bundler::Bundler, node::ChainNode, upstream_url::UpstreamUrl};
use operation::{Operation, Place, Sent, Signed};
pub(super) use pace::Pace;
use push::Pushing;
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    rpc::{GasFees, UserOpUpdate},
    user_operation::UserOperation,
};
pub(super) use waiter::Event;
use waiter::Waiter;

/// Most operations that are followed only because somebody asked for their hash.
const MAX_UNKNOWN: usize = 20_000;
/// Most operations that are followed in all.
const MAX_FOLLOWED: usize = 50_000;
/// Bytes of signed operations that are kept, to be sent again. Those for which there is no room are followed without.
const ROOM: usize = 64 * 1024 * 1024;

/// Who is followed, and what is to be done for them.
#[derive(Default)]
struct Registry {
    operations: HashMap<B256, Arc<Operation>>,
    /// Those that were sent from here, or are known as if they were, by entry point, account and nonce, the latest last: only
    /// one of each can be mined.
    by_nonce: HashMap<Place, Vec<B256>>,
    /// To be looked for in blocks of the past.
    newcomers: Vec<Arc<Operation>>,
    /// When to look after which operation. Only what agrees with the operation's own `due_at` counts: each has one turn
    /// at a time, however often it is sent.
    due: BinaryHeap<Reverse<(Instant, B256)>>,
    /// Mined, and to be confirmed.
    deepening: HashMap<B256, Deepening>,
    chain_watched: bool,
    questions_asked: bool,
    pushing: bool,
}

/// An operation that is in a block.
struct Deepening {
    /// It is confirmed at this height.
    height: u64,
    /// A node is being asked about it.
    asking: bool,
}

struct Inner {
    node: ChainNode,
    bundler: Bundler,
    pace: Pace,
    /// Locked before an operation's facts and progress, never after; an operation is placed and taken back under it.
    registry: Mutex<Registry>,
    /// Operations in the registry that were not sent from here, and of which no more than the hash is known.
    unknown: AtomicUsize,
    /// A new operation is there, or a gap in the pushed logs: the chain watcher shall not sleep on.
    look_now: Notify,
    /// Something is due earlier than before.
    due_sooner: Notify,
    /// Web sockets of the nodes, with their place in the failover order.
    sockets: Vec<(usize, UpstreamUrl)>,
    pushing: Pushing,
    fees: Mutex<Option<(Instant, GasFees)>>,
    room: Arc<Semaphore>,
    closing: watch::Sender<bool>,
}

impl Inner {
    fn registry(&self) -> MutexGuard<'_, Registry> {
        // Nothing panics while it is locked; a poisoned map would still be whole.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn operation(&self, user_op_hash: B256) -> Option<Arc<Operation>> {
        self.registry().operations.get(&user_op_hash).cloned()
    }

    /// Keeps what is needed to send it again, while it may be. A stranger becomes as known as what was sent from here: it
    /// can be replaced, too.
    fn keep(&self, operation: &Operation, signed: UserOperation) {
        if self.introduce(operation, Sent::from(&signed)) {
            // What replaced it may have been told before.
            self.missed();
        }
        let mut facts = operation.facts();
        if facts.signed.is_none() {
            facts.signed = Signed::new(signed, &self.room);
        }
    }

    /// False when it was known, or is not followed any more.
    fn introduce(&self, operation: &Operation, sent: Sent) -> bool {
        let mut registry = self.registry();
        let Registry { operations, by_nonce, .. } = &mut *registry;
        let is_followed =
            operations.get(&operation.user_op_hash).is_some_and(|known| std::ptr::eq(known.as_ref(), operation));
        if !is_followed || operation.sent.set(sent.clone()).is_err() {
            return false;
        }
        self.unknown.fetch_sub(1, Ordering::Relaxed);
        let same_nonce = by_nonce.entry(sent.place()).or_default();
        // Who replaces pays more. When it was sent is not known.
        let is_dearer = |hash: &B256| {
            let other = operations.get(hash).and_then(|other| other.sent.get());
            other.is_some_and(|other| other.fees.max_priority_fee_per_gas > sent.fees.max_priority_fee_per_gas)
        };
        let place = same_nonce.iter().position(is_dearer).unwrap_or(same_nonce.len());
        same_nonce.insert(place, operation.user_op_hash);
        true
    }

    fn pause(&self, operation: &Operation) -> std::time::Duration {
        self.pace.pause(operation.age(), operation.is_known(), self.unknown.load(Ordering::Relaxed))
    }

    fn forget(&self, registry: &mut Registry, operation: &Operation) {
        if registry.operations.remove(&operation.user_op_hash).is_none() {
            return;
        }
        match operation.sent.get() {
            None => drop(self.unknown.fetch_sub(1, Ordering::Relaxed)),
            Some(sent) => {
                if let Some(hashes) = registry.by_nonce.get_mut(&sent.place()) {
                    hashes.retain(|hash| *hash != operation.user_op_hash);
                    if hashes.is_empty() {
                        registry.by_nonce.remove(&sent.place());
                    }
                }
            }
        }
    }

    /// Whoever adds something to look for on the chain makes sure that somebody looks.
    fn watch_chain(self: &Arc<Self>, registry: &mut Registry) {
        if !std::mem::replace(&mut registry.chain_watched, true) {
            tokio::spawn(chain::run(self.clone()));
        }
    }

    /// Looks after an operation at that time, unless its turn comes before.
    fn schedule(&self, operation: &Operation, at: Instant) {
        let mut registry = self.registry();
        let sooner = registry.due.peek().is_none_or(|Reverse((first, _))| at < *first);
        if !operation.facts().move_turn_to(at) {
            return;
        }
        registry.due.push(Reverse((at, operation.user_op_hash)));
        if sooner {
            self.due_sooner.notify_one();
        }
    }
}

/// Follows operations; cheap to clone.
#[derive(Clone)]
pub struct Watcher {
    inner: Arc<Inner>,
}

impl Watcher {
    /// `urls` are the node's; its web sockets push logs.
    pub(super) fn new(node: ChainNode, bundler: Bundler, urls: &[UpstreamUrl], pace: Pace) -> Self {
        let sockets = urls.iter().cloned().enumerate().filter(|(_, url)| url.is_web_socket()).collect();
        let inner = Inner {
            node,
            bundler,
            pace,
            registry: Mutex::default(),
            unknown: AtomicUsize::new(0),
            look_now: Notify::new(),
            due_sooner: Notify::new(),
            sockets,
            pushing: Pushing::default(),
            fees: Mutex::default(),
            room: Arc::new(Semaphore::new(ROOM)),
            closing: watch::Sender::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Follows an operation that the bundler has just accepted.
    pub(super) fn follow_sent(&self, user_op_hash: B256, user_operation: &UserOperation) {
        match self.follow(user_op_hash, Some(Sent::from(user_operation))) {
            Ok(operation) => {
                self.inner.keep(&operation, user_operation.clone());
                if operation.begin_again() {
                    self.inner.schedule(&operation, Instant::now());
                }
            }
            Err(_) => tracing::warn!(%user_op_hash, "too many operations are followed; this one is not"),
        }
    }

    /// The operation with this hash, signed, as far as this server or a bundler has it.
    ///
    /// # Errors
    /// Those of the bundler.
    pub async fn signed(&self, user_op_hash: B256) -> Result<Option<UserOperation>, AppError> {
        let known = self.inner.operation(user_op_hash).and_then(|operation| operation.signed());
        match known {
            Some(known) => Ok(Some(known.as_ref().clone())),
            None => self.inner.bundler.signed_operation(user_op_hash).await,
        }
    }

    /// What happens to an operation: the latest known state first, then each change, ending after the
    /// final one or an error.
    pub(super) fn subscribe(&self, user_op_hash: B256) -> Result<impl Stream<Item = Event> + Send + use<>, AppError> {
        let operation = self.follow(user_op_hash, None)?;
        let waiter = Waiter::new(&operation, self.inner.pace.heartbeat, self.inner.closing.subscribe());
        Ok(stream::unfold(waiter, |mut waiter| async move { waiter.event().await.map(|event| (event, waiter)) }))
    }

    /// The latest that is known of an operation which is followed anyway.
    pub(super) fn told(&self, user_op_hash: B256) -> Option<UserOpUpdate> {
        let operation = self.inner.operation(user_op_hash)?;
        let progress = operation.progress.borrow();
        // Whoever lost sight of it knows nothing any more.
        if progress.failure.is_some() { None } else { progress.last().cloned() }
    }

    /// Whether the operation is followed already.
    pub(super) fn follows(&self, user_op_hash: B256) -> bool {
        self.inner.registry().operations.contains_key(&user_op_hash)
    }

    /// Whether the node at this place of the list pushes its logs now; `None` when it has no web socket.
    pub(super) fn is_pushing(&self, entry: usize) -> Option<bool> {
        let known = self.inner.sockets.iter().any(|(place, _)| *place == entry);
        known.then(|| self.inner.pushing.by() == Some(entry))
    }

    /// Ends all streams: the server is shutting down.
    pub fn close(&self) {
        self.inner.closing.send_replace(true);
    }

    fn follow(&self, user_op_hash: B256, sent: Option<Sent>) -> Result<Arc<Operation>, AppError> {
        let inner = &self.inner;
        let mut registry = inner.registry();
        if let Some(operation) = registry.operations.get(&user_op_hash) {
            return Ok(operation.clone());
        }
        // Changed under the registry's lock only.
        let unknown = inner.unknown.load(Ordering::Relaxed);
        if registry.operations.len() >= MAX_FOLLOWED || (sent.is_none() && unknown >= MAX_UNKNOWN) {
            return Err(AppError::TooLarge {
                what: "the number of operations that are waited for".into(),
                limit: format!("{MAX_UNKNOWN} that this server did not send"),
            });
        }
        match &sent {
            Some(sent) => registry.by_nonce.entry(sent.place()).or_default().push(user_op_hash),
            None => drop(inner.unknown.fetch_add(1, Ordering::Relaxed)),
        }
        let operation = Arc::new(Operation::new(user_op_hash, sent));
        registry.operations.insert(user_op_hash, operation.clone());
        registry.newcomers.push(operation.clone());
        // Before anybody is started who ends when nothing is due.
        let now = Instant::now();
        operation.facts().due_at = Some(now);
        registry.due.push(Reverse((now, user_op_hash)));
        self.start(&mut registry);
        drop(registry);
        inner.due_sooner.notify_one();
        inner.look_now.notify_one();
        Ok(operation)
    }

    /// What runs while any operation is open.
    fn start(&self, registry: &mut Registry) {
        self.inner.watch_chain(registry);
        if !std::mem::replace(&mut registry.questions_asked, true) {
            tokio::spawn(questions::run(self.inner.clone()));
        }
        if !self.inner.sockets.is_empty() && !std::mem::replace(&mut registry.pushing, true) {
            tokio::spawn(push::run(self.inner.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::time::Duration;

    use alloy::primitives::{Address, U256};
    use use_aa_protocol::entry_point::EntryPoint;

    use super::{super::receipt::Sighting, *};

    fn watcher() -> Watcher {
        watcher_with(1)
    }

    /// One whose node and bundler nobody answers for.
    pub(super) fn watcher_with(confirmations: u64) -> Watcher {
        let nobody = ["http://127.0.0.1:1".parse().unwrap()];
        let args = super::super::config::ServeArgs {
            rpc_url: Some("http://127.0.0.1:1".parse().unwrap()),
            bundler_url: Some("http://127.0.0.1:1".parse().unwrap()),
            ..Default::default()
        };
        let mut pace = Pace::of(&super::super::config::Config::from_args(&args).unwrap());
        pace.confirmations = confirmations;
        let timeout = Duration::from_secs(1);
        let (node, bundler) =
            (ChainNode::new(&nobody, 31337, timeout).unwrap(), Bundler::new(&nobody, 31337, timeout).unwrap());
        Watcher::new(node, bundler, &nobody, pace)
    }

    #[tokio::test]
    async fn unknown_operations_cannot_make_the_server_watch_without_end() {
        let watcher = watcher();
        let hash = |number: usize| B256::from(U256::from(number + 1));
        for number in 0..MAX_UNKNOWN {
            assert!(watcher.subscribe(hash(number)).is_ok());
        }
        assert!(matches!(watcher.subscribe(hash(MAX_UNKNOWN)).err(), Some(AppError::TooLarge { .. })));
        // Who waits for one of them already is not turned away, nor is an operation that was sent from here.
        assert!(watcher.subscribe(hash(0)).is_ok());
        watcher.follow_sent(hash(MAX_UNKNOWN), &UserOperation::default());
        assert!(watcher.subscribe(hash(MAX_UNKNOWN)).is_ok());
    }

    /// Turns that will be taken.
    fn turns(watcher: &Watcher) -> usize {
        let registry = watcher.inner.registry();
        let is_turn = |Reverse((at, hash)): &&Reverse<(Instant, B256)>| {
            registry.operations.get(hash).is_some_and(|operation| operation.facts().due_at == Some(*at))
        };
        registry.due.iter().filter(is_turn).count()
    }

    #[tokio::test]
    async fn who_is_sent_ten_times_has_one_turn() {
        let watcher = watcher();
        let hash = B256::repeat_byte(1);
        for _ in 0..10 {
            watcher.follow_sent(hash, &UserOperation::default());
        }
        assert_eq!((turns(&watcher), watcher.inner.registry().due.len()), (1, 1));
        let operation = watcher.inner.operation(hash).unwrap();
        // Given up, it waits for long; sent anew, its turn is now, and the old one is none any more.
        operation.tell(UserOpUpdate::Dropped { reason: "forgotten".into() });
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(60));
        watcher.inner.registry().due.clear();
        operation.facts().due_at = None;
        watcher.inner.schedule(&operation, later);
        for _ in 0..10 {
            watcher.follow_sent(hash, &UserOperation::default());
        }
        assert_eq!((turns(&watcher), watcher.inner.registry().due.len()), (1, 2));
        assert!(!operation.facts().take_turn(later));
        let due_at = operation.facts().due_at.unwrap();
        assert!(due_at >= now && operation.facts().take_turn(due_at) && !operation.facts().take_turn(due_at));
    }

    #[tokio::test]
    async fn who_is_forgotten_leaves_nothing_behind() {
        let watcher = watcher();
        let operation = UserOperation { nonce: U256::from(7), ..Default::default() };
        let sent = watcher.follow(B256::repeat_byte(1), Some(Sent::from(&operation))).unwrap();
        let stranger = watcher.follow(B256::repeat_byte(2), None).unwrap();
        assert_eq!(
            watcher.inner.registry().by_nonce[&(EntryPoint::V06, Address::ZERO, U256::from(7))],
            [B256::repeat_byte(1)]
        );
        for _ in 0..2 {
            watcher.inner.forget(&mut watcher.inner.registry(), &stranger);
            watcher.inner.forget(&mut watcher.inner.registry(), &sent);
        }
        assert_eq!(watcher.inner.unknown.load(Ordering::Relaxed), 0);
        let registry = watcher.inner.registry();
        assert!(registry.operations.is_empty() && registry.by_nonce.is_empty());
    }

    /// Nonces of one entry point say nothing of those of the other, even of an account that takes operations of both.
    #[tokio::test]
    async fn only_an_operation_of_the_same_entry_point_takes_a_nonce() {
        let watcher = watcher();
        let inner = &watcher.inner;
        let hashes = EntryPoint::ALL.map(|entry_point| B256::repeat_byte(entry_point as u8 + 1));
        for (hash, entry_point) in hashes.into_iter().zip(EntryPoint::ALL) {
            watcher.follow_sent(hash, &UserOperation { entry_point, ..Default::default() });
        }
        let [old, new] = hashes.map(|hash| inner.operation(hash).unwrap());
        assert_eq!(ends::replacement(inner, &old), None);
        let receipt = use_aa_protocol::rpc::UserOpReceipt {
            user_op_hash: B256::repeat_byte(9),
            sender: Address::ZERO,
            success: true,
            reason: None,
            transaction_hash: B256::repeat_byte(7),
            block_number: 10,
            actual_gas_cost: U256::ZERO,
            actual_gas_used: U256::ZERO,
        };
        let mined = Sighting { entry_point: EntryPoint::V07, nonce: U256::ZERO, receipt, block_hash: None };
        inner.seen(vec![mined]);
        assert!(matches!(new.progress.borrow().last(), Some(UserOpUpdate::Replaced { .. })));
        assert_eq!(old.progress.borrow().last(), Some(&UserOpUpdate::Submitted));
    }

    #[tokio::test]
    async fn who_gets_to_be_known_can_be_replaced_as_any() {
        let watcher = watcher();
        let inner = &watcher.inner;
        let operation = |tip: u64| UserOperation { max_priority_fee_per_gas: U256::from(tip), ..Default::default() };
        let hashes = [1, 2, 3].map(B256::repeat_byte);
        // After a restart: the replacement is known first.
        watcher.follow_sent(hashes[2], &operation(30));
        let strangers = [1, 0].map(|place| watcher.follow(hashes[place], None).unwrap());
        assert_eq!(ends::replacement(inner, &strangers[0]), None);
        for (stranger, tip) in strangers.iter().zip([20, 10]) {
            inner.keep(stranger, operation(tip));
            inner.keep(stranger, operation(99));
        }
        assert_eq!(inner.registry().by_nonce[&(EntryPoint::V06, Address::ZERO, U256::ZERO)], hashes);
        assert_eq!(inner.unknown.load(Ordering::Relaxed), 0);
        assert_eq!(strangers.each_ref().map(|one| ends::replacement(inner, one)), [Some(hashes[2]); 2]);
        assert_eq!(ends::replacement(inner, &inner.operation(hashes[2]).unwrap()), None);
        assert!(filters::filters_of(&strangers).len() > filters::by_hash(&hashes).len(), "looked for by account, too");
        // Who is not followed any more is not counted again.
        let gone = watcher.follow(B256::repeat_byte(4), None).unwrap();
        inner.forget(&mut inner.registry(), &gone);
        inner.keep(&gone, operation(1));
        assert_eq!((inner.unknown.load(Ordering::Relaxed), gone.sent.get().is_none()), (0, true));
    }
}
