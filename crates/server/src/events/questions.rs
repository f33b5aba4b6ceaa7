//! Asks bundlers where operations are: each operation when it is due, all together no more than a bundler bears.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use alloy::primitives::U256;
use tokio::{sync::Semaphore, time::Instant};

use super::{
    super::{bundler::BundlerStatus, fees},
    Inner,
    ends::{find_in, give_up},
    forgotten,
    operation::Operation,
    standing::Asked,
};
use use_aa_actions::error::AppError;
use use_aa_protocol::rpc::{GasFees, UserOpUpdate};

/// Most questions at the same time.
const AT_ONCE: usize = 32;
/// The least pause between two questions: at most 500 a second.
const BETWEEN: Duration = Duration::from_millis(2);
/// How long is waited for advice on fees.
const ADVICE: Duration = Duration::from_secs(2);
/// Advice on fees is used for this long.
const FEES_ARE_FRESH: Duration = Duration::from_secs(10);

/// Runs until nothing is due any more.
pub(super) async fn run(inner: Arc<Inner>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut allowance = Allowance::new();
    loop {
        let next = {
            let mut registry = inner.registry();
            match registry.due.peek() {
                // Whoever is being asked about comes back.
                None if places.available_permits() < AT_ONCE => Err(Instant::now() + inner.pace.bundled),
                None => {
                    registry.questions_asked = false;
                    return;
                }
                Some(Reverse((at, _))) if *at > Instant::now() => Err(*at),
                Some(_) => Ok(registry.due.pop()),
            }
        };
        let operation = match next {
            Err(at) => {
                tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = inner.due_sooner.notified() => {}
                }
                continue;
            }
            Ok(due) => due.and_then(|Reverse((at, user_op_hash))| {
                inner.operation(user_op_hash).filter(|operation| operation.facts().take_turn(at))
            }),
        };
        let Some(operation) = operation else { continue };
        match look_after(&inner, &operation) {
            Care::Ask => {
                allowance.take().await;
                // Closed never: it is ours.
                let Ok(place) = places.clone().acquire_owned().await else { return };
                let inner = inner.clone();
                tokio::spawn(async move {
                    ask(&inner, &operation).await;
                    inner.schedule(&operation, Instant::now() + pause(&inner, &operation));
                    // Not before: with nothing due and nobody asking, asking ends.
                    drop(place);
                });
            }
            Care::Again(after) => inner.schedule(&operation, Instant::now() + after),
            Care::Forget => inner.forget(&mut inner.registry(), &operation),
        }
    }
}

/// Questions that may be asked: they come back one every [`BETWEEN`], and up to [`AT_ONCE`] are saved.
struct Allowance {
    /// When the allowance is full again.
    full: Instant,
}

impl Allowance {
    fn new() -> Self {
        Self { full: Instant::now() }
    }

    async fn take(&mut self) {
        let saved = BETWEEN * u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        self.full = self.full.max(Instant::now()) + BETWEEN;
        tokio::time::sleep_until(self.full.checked_sub(saved).unwrap_or(self.full)).await;
    }
}

/// What an operation needs that is due.
#[derive(Debug, PartialEq)]
enum Care {
    Ask,
    Again(Duration),
    Forget,
}

/// Until the bundler is asked again; in a transaction it has nothing new to tell, the logs have.
fn pause(inner: &Inner, operation: &Operation) -> Duration {
    let pause = inner.pause(operation);
    if operation.facts().transaction.is_some() { pause.max(inner.pace.bundled) } else { pause }
}

fn look_after(inner: &Inner, operation: &Operation) -> Care {
    let pace = &inner.pace;
    let (waiters, is_over) = (operation.progress.receiver_count(), operation.is_over());
    if operation.is_settled() {
        // Nobody sends it again.
        operation.facts().signed = None;
    }
    if is_over {
        // Kept for those who come late; who waits still has not read to the end.
        let ended = operation.facts().waited_for;
        return match operation.progress.borrow().failure.is_some()
            || (waiters == 0 && ended.elapsed() > pace.remembered)
        {
            true => Care::Forget,
            false => Care::Again(pace.remembered / 4),
        };
    }
    let age = operation.age();
    let mut facts = operation.facts();
    if waiters > 0 {
        facts.waited_for = Instant::now();
    } else if facts.waited_for.elapsed() > pace.abandoned {
        return Care::Forget;
    }
    let known = operation.sent.get().is_some() || facts.vouched.is_some();
    let limit = if known { pace.accepted } else { pace.unknown };
    // With many unknown operations the bundler may not have been asked yet.
    if age > limit && (known || facts.answers >= 2 || age > pace.accepted) {
        let is_mined = facts.standing.placed().is_some();
        drop(facts);
        tracing::info!(user_op_hash = %operation.user_op_hash, is_mined, "waiting is given up");
        operation.fail(AppError::WaitTimedOut { user_op_hash: operation.user_op_hash, seconds: limit.as_secs() });
        return Care::Forget;
    }
    match facts.standing.placed().is_some() {
        // The chain knows more than the bundler.
        true => Care::Again(pace.bundled),
        false => Care::Ask,
    }
}

/// Asks once and tells what is new.
async fn ask(inner: &Arc<Inner>, operation: &Operation) {
    let user_op_hash = operation.user_op_hash;
    let is_stranger = operation.sent.get().is_none();
    if is_stranger && operation.facts().answers == 0 {
        // It may be long done.
        if let Ok(Some(told)) = inner.bundler.receipt(user_op_hash).await
            && find_in(inner, operation, told.transaction_hash).await
        {
            return;
        }
    }
    let status = match inner.bundler.status(user_op_hash).await {
        Ok(status) => status,
        Err(error) => {
            // The chain's logs may still tell; time-out is the worst that happens.
            tracing::debug!(%user_op_hash, %error, "asking the bundler");
            return;
        }
    };
    let answers = operation.facts().answers.saturating_add(1);
    operation.facts().answers = answers;
    match status {
        BundlerStatus::Unknown => forgotten::unknown(inner, operation, Asked::All).await,
        BundlerStatus::UnknownToThoseAsked(_) => forgotten::unknown(inner, operation, Asked::Some).await,
        BundlerStatus::Silent => {}
        BundlerStatus::Waiting => {
            accepted(operation);
            if is_stranger {
                forgotten::get_to_know(inner, operation).await;
            }
            call_stuck(inner, operation).await;
        }
        BundlerStatus::Bundled(transaction_hash) => {
            accepted(operation);
            // The log watcher is quicker for what was sent from here just now; for the rest, look.
            let first_seen = operation.facts().transaction.replace(transaction_hash) != Some(transaction_hash);
            if first_seen {
                operation.facts().called_stuck = false;
                operation.tell(UserOpUpdate::Bundled { transaction_hash });
            }
            if is_stranger || !first_seen {
                find_in(inner, operation, transaction_hash).await;
            }
        }
        // The chain tells how it ended, not the bundler: a session counts as granted by that.
        BundlerStatus::Done(told) => {
            accepted(operation);
            find_in(inner, operation, told.transaction_hash).await;
        }
        BundlerStatus::Dropped { reason, transaction_hash } => {
            let found = match transaction_hash {
                Some(transaction_hash) => find_in(inner, operation, transaction_hash).await,
                None => false,
            };
            if !found {
                give_up(inner, operation, reason).await;
            }
        }
    }
}

fn accepted(operation: &Operation) {
    let is_news = {
        let mut facts = operation.facts();
        facts.standing.kept();
        facts.vouched.replace(Instant::now()).is_none()
    };
    if is_news && operation.progress.borrow().last().is_none() {
        operation.tell(UserOpUpdate::Submitted);
    }
}

/// It waits for long and no bundle has it: says so, once, with the fees that a replacement needs.
async fn call_stuck(inner: &Inner, operation: &Operation) {
    let Some(sent) = operation.sent.get() else { return };
    let age = operation.age();
    if age < inner.pace.stuck || std::mem::replace(&mut operation.facts().called_stuck, true) {
        return;
    }
    // That it is stuck is told in time, whoever is slow to say what it costs.
    let advised = tokio::time::timeout(ADVICE, advised(inner)).await.ok().flatten();
    let fees = replacement_fees(&sent.fees, advised);
    operation.tell(UserOpUpdate::Stuck { seconds: age.as_secs(), fees });
}

async fn advised(inner: &Inner) -> Option<GasFees> {
    let known = || inner.fees.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((at, fees)) = known().clone()
        && at.elapsed() < FEES_ARE_FRESH
    {
        return Some(fees);
    }
    let fees = match fees::advised(&inner.node, &inner.bundler).await {
        Ok(fees) => fees,
        Err(_) => inner.node.market().await.ok()?.advice(),
    };
    *known() = Some((Instant::now(), fees.clone()));
    Some(fees)
}

/// The least fees that a bundler takes for a replacement (10 % more of both), or today's if they are higher.
fn replacement_fees(own: &GasFees, advised: Option<GasFees>) -> GasFees {
    let bumped = own.bumped();
    let Some(advised) = advised else { return bumped };
    let larger = |a: U256, b: U256| a.max(b);
    GasFees {
        max_fee_per_gas: larger(bumped.max_fee_per_gas, advised.max_fee_per_gas),
        max_priority_fee_per_gas: larger(bumped.max_priority_fee_per_gas, advised.max_priority_fee_per_gas),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_more_than_so_many_questions_a_second() {
        let mut allowance = Allowance::new();
        let begun = Instant::now();
        for _ in 0..AT_ONCE {
            allowance.take().await;
        }
        assert!(begun.elapsed() <= BETWEEN, "a few at once do not wait: {:?}", begun.elapsed());
        for _ in 0..500 {
            allowance.take().await;
        }
        let took = begun.elapsed().as_secs_f64();
        assert!((0.99..1.1).contains(&took), "{took}");
    }

    #[test]
    fn a_replacement_pays_a_tenth_more_or_what_is_asked_today() {
        let fees = |fee: u64, tip: u64| GasFees {
            max_fee_per_gas: U256::from(fee),
            max_priority_fee_per_gas: U256::from(tip),
        };
        assert_eq!(replacement_fees(&fees(100, 15), None), fees(110, 17));
        assert_eq!(replacement_fees(&fees(100, 15), Some(fees(500, 1))), fees(500, 17));
    }
}
