//! Where the chain has an operation. Nodes lag, and a node may be several that take turns: a receipt that was there is
//! not, then is again. What was seen in a block is taken back only by a reorganisation, which shows in another block at
//! that height, or by time.
//!
//! And what the bundler that took it has of it while the chain has nothing: it may forget an operation. Then it is sent
//! again, once; forgotten again it is lost, until the chain says otherwise.

use std::time::Duration;

use alloy::primitives::B256;
use tokio::time::Instant;

use super::super::receipt::Sighting;
use use_aa_protocol::rpc::{UserOpReceipt, UserOpUpdate};

/// Where nobody can say which block it was, an operation that is not found for this long is gone.
const GONE_AFTER: Duration = Duration::from_millis(800);
/// Answers in favour of that, or of another block, that are needed: one may come from a node that lags.
const DOUBTS: u32 = 2;
/// So many times in a row bundlers must say that they do not know an operation: they may be several behind one address.
const FORGOTTEN: u32 = 3;

/// How an operation ended, as the chain has it now.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Its own event is in a block.
    Mined(Box<UserOpReceipt>),
    /// Another operation with its nonce is.
    Replaced { by: B256, transaction_hash: B256 },
}

impl Outcome {
    pub(super) fn transaction_hash(&self) -> B256 {
        match self {
            Self::Mined(receipt) => receipt.transaction_hash,
            Self::Replaced { transaction_hash, .. } => *transaction_hash,
        }
    }

    pub(super) fn update(self) -> UserOpUpdate {
        match self {
            Self::Mined(receipt) if receipt.success => UserOpUpdate::Confirmed { receipt: *receipt },
            Self::Mined(receipt) => UserOpUpdate::Reverted { receipt: *receipt },
            Self::Replaced { by, transaction_hash } => {
                UserOpUpdate::Replaced { by, transaction_hash: Some(transaction_hash) }
            }
        }
    }
}

/// An outcome, and the block that it is in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) outcome: Outcome,
    pub(super) block: u64,
    /// Some nodes do not tell.
    pub(super) block_hash: Option<B256>,
}

impl Placed {
    /// It is in that block, as far as is known.
    pub(super) fn is_in(&self, block: u64, block_hash: Option<B256>) -> bool {
        let other_hash = self.block_hash.zip(block_hash).is_some_and(|(own, other)| own != other);
        self.block == block && !other_hash
    }

    /// A sighting of the operation that is in the block is that of this one.
    pub(super) fn is_seen_in(&self, sighting: &Sighting) -> bool {
        sighting.receipt.transaction_hash == self.outcome.transaction_hash()
            && self.is_in(sighting.receipt.block_number, sighting.block_hash)
    }

    fn is_where(&self, other: &Self) -> bool {
        let same_operation = match (&self.outcome, &other.outcome) {
            (Outcome::Mined(_), Outcome::Mined(_)) => true,
            (Outcome::Replaced { by, .. }, Outcome::Replaced { by: other, .. }) => by == other,
            _ => false,
        };
        let (own, others) = (self.outcome.transaction_hash(), other.outcome.transaction_hash());
        same_operation && own == others && self.is_in(other.block, other.block_hash)
    }
}

/// What a node says about a place, deep enough in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// The operation is there.
    Holds,
    /// Another block is.
    OtherBlock,
    /// There is nothing of it, and nobody knows which block it was in.
    Missing,
    /// It does not say.
    Silent,
}

/// What follows from that.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// It holds.
    Final(Outcome),
    /// A reorganisation took it back.
    TakenBack,
    /// Ask again.
    Unsettled,
}

/// Who says that an operation is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Every bundler.
    All,
    /// Those that can be asked and can tell; another one may have it.
    Some,
}

/// What follows from bundlers that do not know an operation which one of them took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// Ask again.
    Wait,
    /// It was forgotten for the first time.
    SendAgain,
    /// It was sent again and forgotten again.
    Lost,
}

/// What bundlers have of an operation.
#[derive(Clone, Copy, Debug, Default)]
struct AtBundlers {
    /// Since when, and how often, nobody knew it.
    forgotten: Option<(Instant, u32)>,
    sent_again: bool,
}

/// What the chain has of an operation, and what bundlers have.
#[derive(Debug, Default)]
pub(super) struct Standing {
    placed: Option<Placed>,
    doubts: u32,
    missing_since: Option<Instant>,
    at_bundlers: AtBundlers,
}

impl Standing {
    pub(super) fn placed(&self) -> Option<&Placed> {
        self.placed.as_ref()
    }

    /// It was seen in a block. False when that is nothing new.
    pub(super) fn see(&mut self, seen: Placed) -> bool {
        match &mut self.placed {
            Some(known) if known.is_where(&seen) => {
                known.block_hash = known.block_hash.or(seen.block_hash);
                false
            }
            _ => {
                *self = Self { placed: Some(seen), at_bundlers: self.at_bundlers, ..Self::default() };
                true
            }
        }
    }

    /// A node was asked about a place.
    pub(super) fn judge(&mut self, about: &Placed, proof: Proof, now: Instant) -> Verdict {
        // Seen elsewhere meanwhile: that is asked about by itself.
        let Some(placed) = self.placed.as_ref().filter(|placed| placed.is_where(about)) else {
            return Verdict::Unsettled;
        };
        let is_gone = match proof {
            Proof::Holds => return Verdict::Final(placed.outcome.clone()),
            Proof::Silent => return Verdict::Unsettled,
            Proof::OtherBlock => true,
            Proof::Missing => now.duration_since(*self.missing_since.get_or_insert(now)) >= GONE_AFTER,
        };
        self.doubts += 1;
        match is_gone && self.doubts >= DOUBTS {
            true => {
                *self = Self::default();
                Verdict::TakenBack
            }
            false => Verdict::Unsettled,
        }
    }

    /// A bundler has it.
    pub(super) fn kept(&mut self) {
        self.at_bundlers.forgotten = None;
    }

    /// No bundler of those asked knows it. It is taken to be forgotten when they say so again and again for as long as
    /// `patience`; after each such time it is judged anew. Sending it again is right whoever has it; that it is lost, all
    /// of them must say.
    pub(super) fn unknown(&mut self, now: Instant, patience: Duration, asked: Asked) -> Course {
        if self.placed.is_some() || (self.at_bundlers.sent_again && asked == Asked::Some) {
            return Course::Wait;
        }
        let (since, times) = self.at_bundlers.forgotten.get_or_insert((now, 0));
        *times += 1;
        if *times < FORGOTTEN || now.duration_since(*since) < patience {
            return Course::Wait;
        }
        self.at_bundlers.forgotten = None;
        match std::mem::replace(&mut self.at_bundlers.sent_again, true) {
            false => Course::SendAgain,
            true => Course::Lost,
        }
    }

    /// It could not be sent again: nobody was reached.
    pub(super) fn not_sent_again(&mut self) {
        self.at_bundlers.sent_again = false;
    }

    /// Whoever followed it asked for it to be sent anew.
    pub(super) fn begin_again(&mut self) {
        self.at_bundlers = AtBundlers::default();
    }

    /// The node itself says that the block is gone. True when that was the operation's.
    pub(super) fn removed(&mut self, transaction_hash: B256, block: u64, block_hash: Option<B256>) -> bool {
        let gone = self.placed.as_ref().is_some_and(|placed| {
            placed.outcome.transaction_hash() == transaction_hash && placed.is_in(block, block_hash)
        });
        if gone {
            *self = Self::default();
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::U256;
    use proptest::prelude::*;
    use use_aa_protocol::rpc::GasFees;

    use super::{super::operation::Operation, *};

    fn placed(block: u64) -> Placed {
        let receipt = UserOpReceipt {
            user_op_hash: B256::repeat_byte(1),
            sender: Default::default(),
            success: true,
            reason: None,
            transaction_hash: B256::repeat_byte(7),
            block_number: block,
            actual_gas_cost: Default::default(),
            actual_gas_used: Default::default(),
        };
        Placed {
            outcome: Outcome::Mined(Box::new(receipt)),
            block,
            block_hash: Some(B256::with_last_byte(block as u8)),
        }
    }

    /// Something that is heard of an operation.
    #[derive(Clone, Copy, Debug)]
    enum Heard {
        /// The bundler: accepted, in a transaction, stuck.
        Submitted,
        Bundled,
        Stuck,
        /// In block 10, or after a reorganisation in block 11.
        Seen(u64),
        Asked(Proof),
        /// Bundlers know it, or do not.
        Kept,
        Unknown(Asked),
        /// Milliseconds.
        Time(u64),
    }

    const PATIENCE: Duration = Duration::from_millis(1_000);

    fn heard() -> impl Strategy<Value = Heard> {
        prop_oneof![
            Just(Heard::Submitted),
            Just(Heard::Bundled),
            Just(Heard::Stuck),
            Just(Heard::Seen(10)),
            Just(Heard::Seen(10)),
            Just(Heard::Seen(11)),
            Just(Heard::Asked(Proof::Holds)),
            Just(Heard::Asked(Proof::Silent)),
            Just(Heard::Asked(Proof::Missing)),
            Just(Heard::Asked(Proof::OtherBlock)),
            Just(Heard::Kept),
            Just(Heard::Unknown(Asked::All)),
            Just(Heard::Unknown(Asked::All)),
            Just(Heard::Unknown(Asked::Some)),
            (0u64..900).prop_map(Heard::Time),
            (0u64..900).prop_map(Heard::Time),
        ]
    }

    fn rank(update: &UserOpUpdate) -> u8 {
        match update {
            UserOpUpdate::Submitted => 0,
            UserOpUpdate::Stuck { .. } | UserOpUpdate::Bundled { .. } => 1,
            UserOpUpdate::Dropped { .. } => 2,
            UserOpUpdate::Included { .. } => 3,
            _ => 4,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        /// Whatever is heard in whatever order: nothing goes back without proof, nothing follows the end, and once the
        /// answers are right the operation ends. It is sent again once for each time that it was in no block, when it was
        /// forgotten for long enough; only then, forgotten again, it is lost, and a block wins over that.
        #[test]
        fn no_order_of_answers_makes_it_flap_or_hang(story in prop::collection::vec(heard(), 0..80)) {
            let operation = Operation::new(B256::repeat_byte(1), None);
            let mut now = Instant::now();
            let (mut taken_back, mut others, mut missing) = (0, 0, Vec::<Instant>::new());
            // Since when bundlers do not know it without a break, how often they said so, and how often it was sent again.
            let (mut unknown, mut sent_again) = (None::<(Instant, u32)>, 0);
            // And before it was last taken back.
            let mut again_before = 0;
            let mut told = Vec::new();
            let end = [Heard::Seen(10), Heard::Asked(Proof::Holds)];
            for heard in story.into_iter().chain(end) {
                match heard {
                    Heard::Submitted => operation.tell(UserOpUpdate::Submitted),
                    Heard::Bundled => operation.tell(UserOpUpdate::Bundled { transaction_hash: B256::repeat_byte(7) }),
                    Heard::Stuck => {
                        let fees =
                            GasFees { max_fee_per_gas: U256::ZERO, max_priority_fee_per_gas: U256::ZERO };
                        operation.tell(UserOpUpdate::Stuck { seconds: 5, fees });
                    }
                    Heard::Seen(block) => {
                        let placed = placed(block);
                        if operation.facts().standing.see(placed) {
                            (others, missing, unknown) = (0, Vec::new(), None);
                            let transaction_hash = B256::repeat_byte(7);
                            operation.tell(UserOpUpdate::Included { transaction_hash, block_number: block });
                        }
                    }
                    Heard::Asked(proof) => {
                        let Some(about) = operation.facts().standing.placed().cloned() else { continue };
                        others += u32::from(proof == Proof::OtherBlock);
                        if proof == Proof::Missing {
                            missing.push(now);
                        }
                        let verdict = operation.facts().standing.judge(&about, proof, now);
                        match verdict {
                            Verdict::Final(outcome) => operation.tell(outcome.update()),
                            Verdict::TakenBack => {
                                taken_back += 1;
                                let long = missing.first().is_some_and(|first| now - *first >= GONE_AFTER);
                                prop_assert!(others + missing.len() as u32 >= DOUBTS && (others >= 1 || long));
                                (others, missing, unknown, again_before) = (0, Vec::new(), None, sent_again);
                                operation.take_back();
                            }
                            Verdict::Unsettled => {}
                        }
                    }
                    Heard::Kept => {
                        operation.facts().standing.kept();
                        unknown = None;
                    }
                    Heard::Unknown(asked) => {
                        let is_placed = operation.is_placed();
                        let course = operation.facts().standing.unknown(now, PATIENCE, asked);
                        if is_placed {
                            prop_assert_eq!(course, Course::Wait, "the chain knows more than a bundler");
                            continue;
                        }
                        if asked == Asked::Some && sent_again > again_before {
                            prop_assert_eq!(course, Course::Wait, "another one may have it");
                            continue;
                        }
                        let (since, times) = unknown.get_or_insert((now, 0));
                        *times += 1;
                        let is_forgotten = *times >= FORGOTTEN && now - *since >= PATIENCE;
                        prop_assert_eq!(course != Course::Wait, is_forgotten);
                        if is_forgotten {
                            unknown = None;
                        }
                        match course {
                            Course::Wait => {}
                            Course::SendAgain => sent_again += 1,
                            Course::Lost => {
                                prop_assert!(sent_again > 0);
                                operation.tell(UserOpUpdate::Dropped { reason: "forgotten".into() });
                            }
                        }
                        prop_assert!(sent_again <= 1 + taken_back, "{sent_again} times");
                    }
                    Heard::Time(ms) => now += Duration::from_millis(ms),
                }
                let last = operation.progress.borrow().last().cloned();
                if let Some(last) = last && told.last() != Some(&last) {
                    told.push(last);
                }
            }
            let back = told.windows(2).filter(|pair| rank(&pair[1]) < rank(&pair[0])).count();
            prop_assert!(back <= taken_back, "{told:?}");
            prop_assert!(matches!(told.last(), Some(UserOpUpdate::Confirmed { .. })), "{told:?}");
            let ends = told.iter().filter(|update| matches!(update, UserOpUpdate::Confirmed { .. })).count();
            let dropped = told.iter().filter(|update| matches!(update, UserOpUpdate::Dropped { .. })).count();
            prop_assert!(ends == 1 && dropped <= sent_again, "{told:?}");
        }
    }

    #[test]
    fn forgotten_for_a_moment_is_not_forgotten() {
        let (mut standing, now) = (Standing::default(), Instant::now());
        let at = |ms: u64| now + Duration::from_millis(ms);
        let mut heard = |ms: u64| standing.unknown(at(ms), PATIENCE, Asked::All);
        assert_eq!([0, 999, 999].map(&mut heard), [Course::Wait; 3], "not for long");
        standing.kept();
        let mut heard = |ms: u64| standing.unknown(at(ms), PATIENCE, Asked::All);
        assert_eq!([1_000, 3_000].map(&mut heard), [Course::Wait; 2], "not often");
        assert_eq!(heard(3_001), Course::SendAgain);
        assert_eq!([3_002, 3_003, 4_001].map(&mut heard), [Course::Wait; 3]);
        assert_eq!(heard(4_002), Course::Lost);
        // Nobody was reached: that was no sending.
        standing.not_sent_again();
        let mut heard = |ms: u64| standing.unknown(at(ms), PATIENCE, Asked::Some);
        assert_eq!([5_000, 5_500, 6_000].map(&mut heard), [Course::Wait, Course::Wait, Course::SendAgain]);
        // Not all of them could be asked: that is enough for sending it again, not for calling it lost.
        assert_eq!([7_000, 8_000, 9_000, 10_000].map(&mut heard), [Course::Wait; 4]);
        let mut heard = |ms: u64| standing.unknown(at(ms), PATIENCE, Asked::All);
        assert_eq!([11_000, 11_500, 12_000].map(&mut heard), [Course::Wait, Course::Wait, Course::Lost]);
    }

    #[test]
    fn two_empty_answers_are_no_reorganisation() {
        let (mut standing, now) = (Standing::default(), Instant::now());
        assert!(standing.see(placed(10)) && !standing.see(placed(10)));
        let soon = now + Duration::from_millis(500);
        assert_eq!(standing.judge(&placed(10), Proof::Missing, now), Verdict::Unsettled);
        assert_eq!(standing.judge(&placed(10), Proof::Missing, soon), Verdict::Unsettled);
        assert_eq!(standing.judge(&placed(11), Proof::Holds, soon), Verdict::Unsettled, "about another place");
        assert_eq!(standing.judge(&placed(10), Proof::Holds, soon), Verdict::Final(placed(10).outcome));
        assert_eq!(standing.judge(&placed(10), Proof::OtherBlock, soon), Verdict::TakenBack);
        assert_eq!(standing.placed(), None);
        // Of another block at that height: nothing of ours is gone.
        standing.see(placed(10));
        let transaction = B256::repeat_byte(7);
        assert!(!standing.removed(transaction, 9, None) && !standing.removed(transaction, 10, Some(B256::ZERO)));
        assert!(standing.removed(transaction, 10, placed(10).block_hash));
    }
}
