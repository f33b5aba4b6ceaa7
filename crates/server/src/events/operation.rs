//! One operation that is followed: what is known of it, and what its waiters are told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use alloy::primitives::{Address, B256, U256};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::Instant,
};

use super::standing::Standing;
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    entry_point::EntryPoint,
    rpc::{GasFees, UserOpUpdate},
    user_operation::UserOperation,
};

/// So many changes are kept for a waiter that reads slowly; the oldest ones go first.
pub(in super::super) const MOST_UPDATES: usize = 16;

/// What waiters are told of an operation. Bounded: the latest state wins.
#[derive(Debug, Default)]
pub(super) struct Progress {
    updates: VecDeque<UserOpUpdate>,
    /// Number of the first one that is kept.
    first: u64,
    pub(super) failure: Option<AppError>,
}

impl Progress {
    fn push(&mut self, update: UserOpUpdate) {
        if self.updates.len() == MOST_UPDATES {
            self.updates.pop_front();
            self.first += 1;
        }
        self.updates.push_back(update);
    }

    /// The update with this number, or the oldest one after it that is kept; with its number.
    pub(super) fn from(&self, number: u64) -> Option<(u64, &UserOpUpdate)> {
        let number = number.max(self.first);
        let place = usize::try_from(number - self.first).ok()?;
        self.updates.get(place).map(|update| (number, update))
    }

    /// Number of the latest update, 0 while there is none.
    pub(super) fn latest(&self) -> u64 {
        (self.first + self.updates.len() as u64).saturating_sub(1)
    }

    pub(super) fn last(&self) -> Option<&UserOpUpdate> {
        self.updates.back()
    }

    pub(super) fn is_over(&self) -> bool {
        self.failure.is_some() || self.last().is_some_and(UserOpUpdate::is_final)
    }

    /// Over, and nothing can change that: what only bundlers say, the chain may still prove wrong.
    fn is_settled(&self) -> bool {
        self.is_over() && !self.last().is_some_and(is_bundlers_word)
    }

    /// In a block, or over.
    pub(super) fn is_mined(&self) -> bool {
        self.is_over() || matches!(self.last(), Some(UserOpUpdate::Included { .. }))
    }
}

/// What is known of an operation that this server sent, or has from a bundler.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) entry_point: EntryPoint,
    pub(super) sender: Address,
    pub(super) nonce: U256,
    pub(super) fees: GasFees,
}

/// What one operation only can have on the chain: a nonce of an account, at an entry point.
pub(super) type Place = (EntryPoint, Address, U256);

impl Sent {
    pub(super) fn place(&self) -> Place {
        (self.entry_point, self.sender, self.nonce)
    }
}

impl From<&UserOperation> for Sent {
    fn from(operation: &UserOperation) -> Self {
        Self {
            entry_point: operation.entry_point,
            sender: operation.sender,
            nonce: operation.nonce,
            fees: GasFees {
                max_fee_per_gas: operation.max_fee_per_gas,
                max_priority_fee_per_gas: operation.max_priority_fee_per_gas,
            },
        }
    }
}

/// What was found out about it.
#[derive(Debug)]
pub(super) struct Facts {
    /// Since when it is followed, or was sent anew.
    pub(super) since: Instant,
    /// Its next turn; none while it has it.
    pub(super) due_at: Option<Instant>,
    /// The transaction that waiters were told of last.
    pub(super) transaction: Option<B256>,
    /// When the bundler last said that it has the operation.
    pub(super) vouched: Option<Instant>,
    /// When somebody was last seen waiting.
    pub(super) waited_for: Instant,
    /// How often the bundler answered about it.
    pub(super) answers: u32,
    /// What the chain has; final once it is deep enough.
    pub(super) standing: Standing,
    pub(super) called_stuck: bool,
    /// How often bundlers were asked for the operation itself, which this server did not send.
    pub(super) asked_for_bytes: u8,
    /// What a bundler said that did not take it again.
    pub(super) refused_again: Option<String>,
    /// What is sent again when bundlers forget it.
    pub(super) signed: Option<Signed>,
}

impl Facts {
    /// Has its turn come at that time at the latest. False when it does anyway.
    pub(super) fn move_turn_to(&mut self, at: Instant) -> bool {
        let is_sooner = self.due_at.is_none_or(|due_at| at < due_at);
        if is_sooner {
            self.due_at = Some(at);
        }
        is_sooner
    }

    /// Its turn has come: an entry of any other time is an old one, and nothing follows from it.
    pub(super) fn take_turn(&mut self, at: Instant) -> bool {
        let is_its_turn = self.due_at == Some(at);
        if is_its_turn {
            self.due_at = None;
        }
        is_its_turn
    }
}

/// A signed operation, and its part of the room that all of them have together.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) operation: Arc<UserOperation>,
    _room: OwnedSemaphorePermit,
}

impl Signed {
    /// Bytes of an operation beside those of its fields.
    const FRAME: usize = 512;

    /// `None` when there is no room.
    pub(super) fn new(operation: UserOperation, room: &Arc<Semaphore>) -> Option<Self> {
        let fields = [&operation.init_code, &operation.call_data, &operation.paymaster_and_data, &operation.signature];
        let bytes = fields.iter().map(|field| field.len()).sum::<usize>().saturating_add(Self::FRAME);
        let room = room.clone().try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()?;
        Some(Self { operation: Arc::new(operation), _room: room })
    }
}

/// How far an operation has come. A transaction may be given up again, and the operation be stuck then.
fn step(update: &UserOpUpdate) -> u8 {
    match update {
        UserOpUpdate::Submitted => 0,
        UserOpUpdate::Stuck { .. } | UserOpUpdate::Bundled { .. } => 1,
        update if is_bundlers_word(update) => 2,
        UserOpUpdate::Included { .. } => 3,
        UserOpUpdate::Confirmed { .. }
        | UserOpUpdate::Reverted { .. }
        | UserOpUpdate::Dropped { .. }
        | UserOpUpdate::Replaced { .. } => 4,
    }
}

/// An end that no block proves.
fn is_bundlers_word(update: &UserOpUpdate) -> bool {
    update.is_final() && !update.is_proved()
}

/// One operation that is followed.
pub(super) struct Operation {
    pub(super) user_op_hash: B256,
    /// Set when this server handed it to the bundler, or has got to know it; changed under the registry's lock only.
    pub(super) sent: OnceLock<Sent>,
    pub(super) progress: watch::Sender<Progress>,
    facts: Mutex<Facts>,
}

impl Operation {
    pub(super) fn new(user_op_hash: B256, sent: Option<Sent>) -> Self {
        let now = Instant::now();
        let mut progress = Progress::default();
        if sent.is_some() {
            progress.push(UserOpUpdate::Submitted);
        }
        let facts = Facts {
            since: now,
            due_at: None,
            transaction: None,
            vouched: None,
            waited_for: now,
            answers: 0,
            standing: Standing::default(),
            called_stuck: false,
            asked_for_bytes: 0,
            refused_again: None,
            signed: None,
        };
        let sent = sent.map_or_else(OnceLock::new, OnceLock::from);
        Self { user_op_hash, sent, progress: watch::Sender::new(progress), facts: Mutex::new(facts) }
    }

    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        // Nothing panics while it is locked.
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For how long it is followed, since it was sent anew where it was.
    pub(super) fn age(&self) -> Duration {
        self.facts().since.elapsed()
    }

    /// This server sent it, or something was heard of it.
    pub(super) fn is_known(&self) -> bool {
        self.sent.get().is_some() || self.progress.borrow().last().is_some()
    }

    pub(super) fn is_over(&self) -> bool {
        self.progress.borrow().is_over()
    }

    /// See [`Progress::is_settled`].
    pub(super) fn is_settled(&self) -> bool {
        self.progress.borrow().is_settled()
    }

    /// The operation itself, where it is known.
    pub(super) fn signed(&self) -> Option<Arc<UserOperation>> {
        self.facts().signed.as_ref().map(|signed| signed.operation.clone())
    }

    /// The chain has it in a block, or what ended it.
    pub(super) fn is_placed(&self) -> bool {
        self.facts().standing.placed().is_some()
    }

    /// Tells all waiters; nothing is told after the end, and nothing that lies behind what was told. Only the chain says
    /// more after an end by a bundler's word.
    pub(super) fn tell(&self, update: UserOpUpdate) {
        self.progress.send_if_modified(|progress| {
            let (is_over, is_settled) = (progress.is_over(), progress.is_settled());
            let behind = progress
                .last()
                .is_some_and(|last| step(&update) < step(last) || (is_over && step(&update) == step(last)));
            let news = !is_settled && !behind && progress.last() != Some(&update);
            if news {
                progress.push(update);
            }
            news
        });
    }

    /// Tells that it is in no block any more: the one way back.
    pub(super) fn take_back(&self) {
        self.facts().transaction = None;
        self.progress.send_if_modified(|progress| {
            let news = !progress.is_over() && progress.last() != Some(&UserOpUpdate::Submitted);
            if news {
                progress.push(UserOpUpdate::Submitted);
            }
            news
        });
    }

    /// It was given up, and is sent anew: from then on it is as one that was never sent. False when nobody gave it up.
    pub(super) fn begin_again(&self) -> bool {
        let is_given_up = {
            let progress = self.progress.borrow();
            progress.is_over() && !progress.is_settled()
        };
        if !is_given_up || self.is_placed() {
            return false;
        }
        let mut facts = self.facts();
        facts.standing.begin_again();
        facts.called_stuck = false;
        facts.transaction = None;
        // Whoever sent it comes back for it in a moment.
        facts.since = Instant::now();
        facts.waited_for = facts.since;
        drop(facts);
        self.progress.send_modify(|progress| progress.push(UserOpUpdate::Submitted));
        true
    }

    /// Ends the wait without a result.
    pub(super) fn fail(&self, error: AppError) {
        self.progress.send_if_modified(|progress| {
            let news = !progress.is_over();
            if news {
                progress.failure = Some(error);
            }
            news
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn bundled(byte: u8) -> UserOpUpdate {
        UserOpUpdate::Bundled { transaction_hash: B256::repeat_byte(byte) }
    }

    #[test]
    fn who_reads_slowly_hears_the_latest() {
        let mut progress = Progress::default();
        assert_eq!((progress.latest(), progress.from(0)), (0, None));
        for byte in 0..100 {
            progress.push(bundled(byte));
        }
        assert_eq!(progress.updates.len(), MOST_UPDATES);
        assert_eq!(progress.from(0), Some((84, &bundled(84))));
        assert_eq!(progress.from(99), Some((99, &bundled(99))));
        assert_eq!((progress.latest(), progress.from(100)), (99, None));
    }

    #[test]
    fn nothing_is_told_after_the_end_and_nothing_twice_in_a_row() {
        let operation = Operation::new(B256::ZERO, None);
        operation.tell(bundled(1));
        operation.tell(bundled(1));
        operation.tell(UserOpUpdate::Dropped { reason: "too cheap".into() });
        operation.tell(bundled(2));
        operation.tell(UserOpUpdate::Dropped { reason: "gone".into() });
        operation.fail(AppError::NoSmartAccount);
        let progress = operation.progress.borrow();
        assert_eq!(progress.updates, [bundled(1), UserOpUpdate::Dropped { reason: "too cheap".into() }]);
        assert_eq!(progress.failure, None);
    }

    #[test]
    fn a_block_wins_over_what_bundlers_say() {
        let (by, transaction_hash) = (B256::repeat_byte(9), B256::repeat_byte(1));
        let included = UserOpUpdate::Included { transaction_hash, block_number: 7 };
        let by_word = UserOpUpdate::Replaced { by, transaction_hash: None };
        for word in [UserOpUpdate::Dropped { reason: "forgotten".into() }, by_word] {
            let operation = Operation::new(B256::ZERO, None);
            operation.tell(word);
            assert!(operation.is_over() && !operation.is_settled());
            operation.tell(UserOpUpdate::Submitted);
            operation.tell(included.clone());
            assert!(!operation.is_over());
            let proved = UserOpUpdate::Replaced { by, transaction_hash: Some(transaction_hash) };
            operation.tell(proved.clone());
            operation.tell(included.clone());
            assert!(operation.is_settled());
            assert_eq!(operation.progress.borrow().last(), Some(&proved));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_sends_it_anew_begins_anew() {
        let operation = Operation::new(B256::ZERO, None);
        assert!(!operation.begin_again());
        assert_eq!(operation.progress.borrow().last(), None, "it was not given up");
        operation.tell(UserOpUpdate::Dropped { reason: "forgotten".into() });
        tokio::time::advance(Duration::from_secs(590)).await;
        assert_eq!(operation.age(), Duration::from_secs(590));
        assert!(operation.begin_again() && operation.age().is_zero(), "and is given as long as any");
        assert!(operation.facts().waited_for.elapsed().is_zero());
        assert_eq!(operation.progress.borrow().last(), Some(&UserOpUpdate::Submitted));
    }

    #[test]
    fn what_is_kept_has_a_bound() {
        let room = Arc::new(Semaphore::new(2_000));
        let operation = UserOperation { call_data: vec![0; 1_000].into(), ..Default::default() };
        let kept = Signed::new(operation.clone(), &room);
        assert!(kept.is_some() && Signed::new(operation.clone(), &room).is_none());
        drop(kept);
        assert!(Signed::new(operation, &room).is_some());
    }
}
