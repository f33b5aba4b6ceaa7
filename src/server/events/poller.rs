//! One poller per operation: asks the bundler, hears from the log watcher, decides what waiters are told.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use alloy::primitives::B256;

use super::{
    super::{bundler::ssr::BundlerStatus, receipt},
    Inner, Operation, logs, start_log_watcher,
};
use crate::{
    error::AppError,
    protocol::{
        addresses::ENTRY_POINT,
        rpc::{UserOpReceipt, UserOpUpdate},
    },
};

/// How long an operation that the bundler gave up may still turn up in the logs.
const LAST_LOOK: Duration = Duration::from_millis(400);
/// How far back the logs are read for a hash that this server did not send, blocks.
const LOOK_BACK: u64 = 2_000;

/// Follows one operation to its end, then forgets it after a while.
pub(super) async fn run(inner: Arc<Inner>, operation: Arc<Operation>) {
    let mut poller =
        Poller { inner: &inner, operation: &operation, transaction: None, vouched: None, waited_for: Instant::now() };
    let end = poller.follow().await;
    let failure = match end {
        End::Final(update) => {
            push(&operation, update);
            None
        }
        End::Failed(error) => Some(error),
        End::Abandoned => {
            inner.forget(&mut inner.registry(), &operation);
            return;
        }
    };
    if failure.is_some() {
        operation.progress.send_modify(|progress| progress.failure = failure);
    }
    let keep = if operation.progress.borrow().failure.is_some() { Duration::ZERO } else { inner.pace.remembered };
    loop {
        tokio::time::sleep(keep).await;
        let mut registry = inner.registry();
        if operation.progress.receiver_count() == 0 || keep.is_zero() {
            inner.forget(&mut registry, &operation);
            return;
        }
    }
}

/// How following ends.
enum End {
    Final(UserOpUpdate),
    Failed(AppError),
    Abandoned,
}

struct Poller<'a> {
    inner: &'a Arc<Inner>,
    operation: &'a Operation,
    /// The transaction that the bundler named last.
    transaction: Option<B256>,
    /// When the bundler last said that it has the operation.
    vouched: Option<Instant>,
    /// When somebody was last seen waiting.
    waited_for: Instant,
}

impl Poller<'_> {
    async fn follow(&mut self) -> End {
        if self.operation.sent {
            push(self.operation, UserOpUpdate::Submitted);
        } else if let Some(receipt) = self.look_back().await
            && let Some(end) = self.settle(receipt).await
        {
            return end;
        }
        let mut sighting = self.operation.sighting.subscribe();
        loop {
            if let Some(end) = self.out_of_time() {
                return end;
            }
            let found = tokio::select! {
                biased;
                seen = seen(&mut sighting) => seen,
                found = async {
                    let found = self.ask_bundler().await;
                    if matches!(found, Asked::Nothing) {
                        tokio::time::sleep(self.pause()).await;
                    }
                    found
                } => match found {
                    Asked::Nothing => None,
                    Asked::Receipt(receipt) => Some(*receipt),
                    Asked::Dropped(reason) => match self.last_look(&mut sighting).await {
                        Some(receipt) => Some(receipt),
                        None => return End::Final(UserOpUpdate::Dropped { reason }),
                    },
                },
            };
            if let Some(receipt) = found
                && let Some(end) = self.settle(receipt).await
            {
                return end;
            }
        }
    }

    /// Until the bundler is asked again; in a transaction it has nothing new to tell, the logs have.
    fn pause(&self) -> Duration {
        let pause = self.inner.pause(self.operation);
        if self.transaction.is_some() { pause.max(self.inner.pace.bundled) } else { pause }
    }

    fn out_of_time(&mut self) -> Option<End> {
        let pace = &self.inner.pace;
        let age = self.operation.since.elapsed();
        if self.operation.progress.receiver_count() > 0 {
            self.waited_for = Instant::now();
        } else if self.waited_for.elapsed() > pace.abandoned {
            return Some(End::Abandoned);
        }
        let known = self.operation.sent || self.vouched.is_some();
        let limit = if known { pace.accepted } else { pace.unknown };
        (age > limit).then(|| {
            let user_op_hash = self.operation.user_op_hash;
            End::Failed(AppError::WaitTimedOut { user_op_hash, seconds: limit.as_secs() })
        })
    }

    async fn ask_bundler(&mut self) -> Asked {
        let user_op_hash = self.operation.user_op_hash;
        let status = match self.inner.bundler.status(user_op_hash).await {
            Ok(status) => status,
            Err(error) => {
                // The chain's logs may still tell; time-out is the worst that happens.
                tracing::debug!(%user_op_hash, %error, "asking the bundler");
                return Asked::Nothing;
            }
        };
        match status {
            BundlerStatus::Unknown => match self.vouched {
                Some(last) if last.elapsed() > self.inner.pace.unknown => {
                    Asked::Dropped("the bundler does not know the operation any more".into())
                }
                _ => Asked::Nothing,
            },
            BundlerStatus::Waiting => {
                self.accepted();
                Asked::Nothing
            }
            BundlerStatus::Bundled(transaction_hash) => {
                self.accepted();
                // The log watcher is quicker for what was sent from here just now; for the rest, look.
                let first_seen = self.transaction.replace(transaction_hash) != Some(transaction_hash);
                if first_seen {
                    push(self.operation, UserOpUpdate::Bundled { transaction_hash });
                    if self.operation.sent {
                        return Asked::Nothing;
                    }
                }
                self.in_transaction(transaction_hash).await
            }
            // The chain tells how it ended, not the bundler: a session counts as granted by that.
            BundlerStatus::Done(receipt) => {
                self.accepted();
                self.transaction = Some(receipt.transaction_hash);
                self.in_transaction(receipt.transaction_hash).await
            }
            BundlerStatus::Dropped { reason, transaction_hash } => {
                if let Some(hash) = transaction_hash
                    && let Asked::Receipt(receipt) = self.in_transaction(hash).await
                {
                    return Asked::Receipt(receipt);
                }
                Asked::Dropped(reason)
            }
        }
    }

    fn accepted(&mut self) {
        if self.vouched.replace(Instant::now()).is_none() && self.operation.progress.borrow().updates.is_empty() {
            push(self.operation, UserOpUpdate::Submitted);
        }
    }

    /// Looks for the operation in a transaction's receipt.
    async fn in_transaction(&self, transaction_hash: B256) -> Asked {
        let found = self.inner.node.transaction_receipt(transaction_hash).await.ok().flatten();
        match found.and_then(|found| receipt::from_transaction(self.operation.user_op_hash, &found)) {
            Some(receipt) => Asked::Receipt(Box::new(receipt)),
            None => Asked::Nothing,
        }
    }

    /// An operation that was not sent from here may be long done.
    async fn look_back(&self) -> Option<UserOpReceipt> {
        let user_op_hash = self.operation.user_op_hash;
        if let Ok(Some(told)) = self.inner.bundler.receipt(user_op_hash).await
            && let Asked::Receipt(receipt) = self.in_transaction(told.transaction_hash).await
        {
            return Some(*receipt);
        }
        let head = self.inner.node.block_number().await.ok()?;
        let from_block = head.saturating_sub(LOOK_BACK);
        let logs = self.inner.node.head_and_logs(from_block, ENTRY_POINT, &logs::filters(&[user_op_hash])).await;
        receipt::from_logs(&logs.ok()?.1).remove(&user_op_hash)
    }

    /// The chain has the last word on an operation that the bundler gave up.
    async fn last_look(
        &self,
        sighting: &mut tokio::sync::watch::Receiver<Option<UserOpReceipt>>,
    ) -> Option<UserOpReceipt> {
        tokio::time::timeout(LAST_LOOK, seen(sighting)).await.ok()?
    }

    /// Tells of a mined operation and waits until it is deep enough; `None` when the chain took it back.
    async fn settle(&mut self, receipt: UserOpReceipt) -> Option<End> {
        let UserOpReceipt { transaction_hash, block_number, .. } = receipt;
        let bundled = UserOpUpdate::Bundled { transaction_hash };
        if !self.operation.progress.borrow().updates.contains(&bundled) {
            push(self.operation, bundled);
        }
        push(self.operation, UserOpUpdate::Included { transaction_hash, block_number });
        let deep_enough = block_number.saturating_add(self.inner.pace.confirmations.saturating_sub(1));
        if deep_enough > block_number {
            loop {
                if let Some(end) = self.out_of_time() {
                    return Some(end);
                }
                tokio::time::sleep(self.inner.pause(self.operation).max(self.inner.pace.bundled / 2)).await;
                if self.inner.node.block_number().await.is_ok_and(|head| head >= deep_enough) {
                    break;
                }
            }
            // A node that does not answer is no proof of a reorganisation.
            if let Ok(now) = self.inner.node.transaction_receipt(transaction_hash).await {
                let now = now.and_then(|now| receipt::from_transaction(self.operation.user_op_hash, &now));
                if now.as_ref() != Some(&receipt) {
                    tracing::info!(user_op_hash = %self.operation.user_op_hash, "a reorganisation took the operation back");
                    self.take_back();
                    return None;
                }
            }
        }
        Some(End::Final(match receipt.success {
            true => UserOpUpdate::Confirmed { receipt },
            false => UserOpUpdate::Reverted { receipt },
        }))
    }

    /// Back to the beginning: the operation is in the mempool again, or in another block.
    fn take_back(&mut self) {
        self.transaction = None;
        self.operation.sighting.send_replace(None);
        push(self.operation, UserOpUpdate::Submitted);
        start_log_watcher(self.inner, &mut self.inner.registry());
    }
}

/// What asking the bundler brought.
enum Asked {
    Nothing,
    Receipt(Box<UserOpReceipt>),
    Dropped(String),
}

/// Waits until the log watcher has seen the operation.
async fn seen(sighting: &mut tokio::sync::watch::Receiver<Option<UserOpReceipt>>) -> Option<UserOpReceipt> {
    sighting.wait_for(Option::is_some).await.ok()?.clone()
}

fn push(operation: &Operation, update: UserOpUpdate) {
    operation.progress.send_modify(|progress| progress.updates.push(update));
}
