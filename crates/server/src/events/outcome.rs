//! What the chain says of operations: mined, replaced, deep enough, taken back.

use std::sync::Arc;

use alloy::primitives::B256;
use serde_json::json;
use tokio::time::Instant;

use super::{
    super::{
        node::hex,
        receipt::{self, Removed, Sighting},
    },
    Deepening, Inner, Registry,
    operation::Operation,
    standing::{Outcome, Placed, Proof, Verdict},
};
use use_aa_protocol::rpc::UserOpUpdate;

impl Inner {
    /// Operations that were seen in blocks, in any order, as often as they are seen.
    pub(super) fn seen(self: &Arc<Self>, sightings: Vec<Sighting>) {
        for Sighting { entry_point, nonce, receipt, block_hash } in sightings {
            let key = (entry_point, receipt.sender, nonce);
            let (operation, others) = {
                let registry = self.registry();
                let others = registry.by_nonce.get(&key).into_iter().flatten();
                let others: Vec<_> = others
                    .filter(|hash| **hash != receipt.user_op_hash)
                    .filter_map(|hash| registry.operations.get(hash).cloned())
                    .collect();
                (registry.operations.get(&receipt.user_op_hash).cloned(), others)
            };
            let (by, transaction_hash, block) = (receipt.user_op_hash, receipt.transaction_hash, receipt.block_number);
            if let Some(operation) = operation {
                self.settle(&operation, Placed { outcome: Outcome::Mined(Box::new(receipt)), block, block_hash });
            }
            for other in others {
                let outcome = Outcome::Replaced { by, transaction_hash };
                self.settle(&other, Placed { outcome, block, block_hash });
            }
        }
    }

    /// Tells of an outcome, at once as final when one block is enough.
    fn settle(self: &Arc<Self>, operation: &Operation, placed: Placed) {
        let mut registry = self.registry();
        if operation.is_settled() {
            return;
        }
        let Placed { outcome, block, .. } = placed.clone();
        let transaction_hash = outcome.transaction_hash();
        let (is_news, is_told) = {
            let mut facts = operation.facts();
            match facts.standing.see(placed) {
                true => (true, facts.transaction.replace(transaction_hash) == Some(transaction_hash)),
                false => (false, true),
            }
        };
        if is_news {
            // Before anybody is told: who then asks for the account must not get an answer that is on its way.
            self.node.news();
        }
        if is_news && matches!(outcome, Outcome::Mined(_)) {
            if !is_told {
                operation.tell(UserOpUpdate::Bundled { transaction_hash });
            }
            operation.tell(UserOpUpdate::Included { transaction_hash, block_number: block });
        }
        match self.pace.confirmations {
            0 | 1 => operation.tell(outcome.update()),
            more => {
                let deepening = Deepening { height: block.saturating_add(more - 1), asking: false };
                if is_news {
                    registry.deepening.insert(operation.user_op_hash, deepening);
                } else {
                    // Who is in a block is always among those that get deeper: nobody else looks after it.
                    registry.deepening.entry(operation.user_op_hash).or_insert(deepening);
                }
                self.watch_chain(&mut registry);
                drop(registry);
                if is_news {
                    self.look_now.notify_one();
                }
            }
        }
    }

    /// The chain is this high: outcomes that are deep enough are checked once more, then told.
    pub(super) fn at_height(self: &Arc<Self>, head: u64) {
        let ready: Vec<Arc<Operation>> = {
            let Registry { deepening, operations, .. } = &mut *self.registry();
            deepening.retain(|hash, _| operations.contains_key(hash));
            let ready = deepening.iter_mut().filter(|(_, one)| one.height <= head && !one.asking);
            ready
                .filter_map(|(hash, one)| {
                    one.asking = true;
                    operations.get(hash).cloned()
                })
                .collect()
        };
        for operation in ready {
            let inner = self.clone();
            tokio::spawn(async move { inner.confirm(&operation).await });
        }
    }

    /// Asks whether an outcome still holds. Until that is known the operation stays among those that get deeper.
    async fn confirm(self: &Arc<Self>, operation: &Operation) {
        let Some(placed) = self.place_to_confirm(operation) else { return };
        let proof = self.proof(operation.user_op_hash, &placed).await;
        let mut registry = self.registry();
        let verdict = operation.facts().standing.judge(&placed, proof, Instant::now());
        match verdict {
            Verdict::Final(outcome) => {
                operation.tell(outcome.update());
                registry.deepening.remove(&operation.user_op_hash);
            }
            Verdict::TakenBack => {
                self.taken_back(&mut registry, operation);
                drop(registry);
                self.missed();
            }
            Verdict::Unsettled => {
                if let Some(one) = registry.deepening.get_mut(&operation.user_op_hash) {
                    one.asking = false;
                }
            }
        }
    }

    /// Who is in no block any more does not get deeper.
    fn place_to_confirm(&self, operation: &Operation) -> Option<Placed> {
        let mut registry = self.registry();
        let placed = operation.facts().standing.placed().cloned();
        if placed.is_none() {
            registry.deepening.remove(&operation.user_op_hash);
        }
        placed
    }

    /// What the node says of a place now.
    async fn proof(self: &Arc<Self>, user_op_hash: B256, placed: &Placed) -> Proof {
        let transaction_hash = placed.outcome.transaction_hash();
        let mined = match placed.outcome {
            Outcome::Mined(_) => user_op_hash,
            Outcome::Replaced { by, .. } => by,
        };
        let of_mined = |sighting: &Sighting| sighting.receipt.user_op_hash == mined;
        match self.node.transaction_receipt(transaction_hash).await {
            // No answer is no proof of anything.
            Err(_) => Proof::Silent,
            Ok(Some(found)) => {
                let sightings = receipt::sightings_in_transaction(transaction_hash, &found);
                match sightings.into_iter().find(of_mined) {
                    Some(sighting) if placed.is_seen_in(&sighting) => Proof::Holds,
                    elsewhere => {
                        self.seen(elsewhere.into_iter().collect());
                        Proof::OtherBlock
                    }
                }
            }
            Ok(None) => self.proof_of_block(mined, placed).await,
        }
    }

    /// There is no receipt. The node that was asked may lag, while its block and its logs know more.
    async fn proof_of_block(&self, mined: B256, placed: &Placed) -> Proof {
        let block = hex(placed.block);
        let filter = json!({"fromBlock": block, "toBlock": block, "address": receipt::entry_points(),
            "topics": [receipt::topics(), [mined]]});
        let calls = [("eth_getBlockByNumber", json!([block, false])), ("eth_getLogs", json!([filter]))];
        let answers = self.node.batch(&calls).await;
        let Some([block, logs]) = answers.ok().and_then(|answers| <[_; 2]>::try_from(answers).ok()) else {
            return Proof::Silent;
        };
        let logs = logs.ok().and_then(|logs| logs.as_array().cloned());
        let is_seen = |sighting: &Sighting| sighting.receipt.user_op_hash == mined && placed.is_seen_in(sighting);
        if logs.as_ref().is_some_and(|logs| receipt::sightings(logs).iter().any(is_seen)) {
            return Proof::Holds;
        }
        let block_hash = block.ok().and_then(|block| block.get("hash").and_then(receipt::hash));
        match (placed.block_hash, block_hash) {
            // Its hash says what is in it.
            (Some(own), Some(now)) if own == now => Proof::Holds,
            (Some(_), Some(_)) => Proof::OtherBlock,
            (None, _) if logs.is_some() => Proof::Missing,
            // It does not have the block yet.
            _ => Proof::Silent,
        }
    }

    /// Logs that a reorganisation removed.
    pub(super) fn removed(self: &Arc<Self>, removed: &[Removed]) {
        for Removed { user_op_hash, transaction_hash, block_number, block_hash } in removed {
            let mut registry = self.registry();
            let operations: Vec<_> = match registry.operations.get(user_op_hash) {
                Some(operation) => operation
                    .sent
                    .get()
                    .and_then(|sent| registry.by_nonce.get(&sent.place()))
                    .into_iter()
                    .flatten()
                    .filter(|hash| *hash != user_op_hash)
                    .filter_map(|hash| registry.operations.get(hash))
                    .chain([operation])
                    .cloned()
                    .collect(),
                None => Vec::new(),
            };
            let mut is_any = false;
            for operation in operations {
                let gone = !operation.is_settled()
                    && operation.facts().standing.removed(*transaction_hash, *block_number, *block_hash);
                if gone {
                    self.taken_back(&mut registry, &operation);
                    is_any = true;
                }
            }
            drop(registry);
            if is_any {
                self.missed();
            }
        }
    }

    /// Back to the beginning: the operation is in the mempool again, or in another block. Whoever pushes logs may have
    /// pushed it already, so the caller lets the chain be read again.
    fn taken_back(self: &Arc<Self>, registry: &mut Registry, operation: &Operation) {
        tracing::info!(user_op_hash = %operation.user_op_hash, "a reorganisation took the operation back");
        operation.take_back();
        self.node.news();
        registry.deepening.remove(&operation.user_op_hash);
        self.watch_chain(registry);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::{
        sync::{Mutex, mpsc},
        task::{Context, Wake, Waker},
        thread::JoinHandle,
        time::Duration,
    };

    use use_aa_protocol::{entry_point::EntryPoint, rpc::UserOpReceipt};

    use super::{super::tests::watcher_with, *};

    const HASH: B256 = B256::repeat_byte(1);
    const TRANSACTION: B256 = B256::repeat_byte(7);

    fn sighting(block: u64) -> Sighting {
        let receipt = UserOpReceipt {
            user_op_hash: HASH,
            sender: Default::default(),
            success: true,
            reason: None,
            transaction_hash: TRANSACTION,
            block_number: block,
            actual_gas_cost: Default::default(),
            actual_gas_used: Default::default(),
        };
        let entry_point = EntryPoint::V06;
        Sighting { entry_point, nonce: Default::default(), receipt, block_hash: Some(block_hash(block)) }
    }

    fn block_hash(block: u64) -> B256 {
        B256::with_last_byte(block as u8)
    }

    fn removed(block: u64) -> Removed {
        let (user_op_hash, transaction_hash, block_hash) = (HASH, TRANSACTION, Some(block_hash(block)));
        Removed { user_op_hash, transaction_hash, block_number: block, block_hash }
    }

    /// In the very moment in which a waiter is told that an operation was taken back, another task sees it again.
    struct SeesItAgain {
        inner: Arc<Inner>,
        runtime: tokio::runtime::Handle,
        seeing: Mutex<Option<JoinHandle<()>>>,
    }

    impl Wake for SeesItAgain {
        fn wake(self: Arc<Self>) {
            let (inner, runtime) = (self.inner.clone(), self.runtime.clone());
            let (done, is_done) = mpsc::channel();
            let other = std::thread::spawn(move || {
                let _runtime = runtime.enter();
                inner.seen(vec![sighting(11)]);
                let _ = done.send(());
            });
            *self.seeing.lock().unwrap() = Some(other);
            // It gets all the time it needs, unless it has to wait for whoever takes back.
            let _ = is_done.recv_timeout(Duration::from_millis(300));
        }
    }

    #[tokio::test]
    async fn what_is_mined_again_while_it_is_taken_back_is_followed_to_its_end() {
        let watcher = watcher_with(3);
        let inner = watcher.inner.clone();
        let operation = watcher.follow(HASH, None).unwrap();
        inner.seen(vec![sighting(10)]);
        let mut progress = operation.progress.subscribe();
        let waker = Arc::new(SeesItAgain {
            inner: inner.clone(),
            runtime: tokio::runtime::Handle::current(),
            seeing: Mutex::default(),
        });
        let mut waiting = Box::pin(progress.changed());
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&Waker::from(waker.clone()))).is_pending());
        inner.removed(&[removed(10)]);
        waker.seeing.lock().unwrap().take().expect("the waiter was told").join().unwrap();
        assert_eq!(inner.registry().deepening.get(&HASH).map(|one| one.height), Some(13), "still looked after");
        assert!(operation.is_placed());
        let included = UserOpUpdate::Included { transaction_hash: TRANSACTION, block_number: 11 };
        assert_eq!(operation.progress.borrow().last(), Some(&included), "and not told to be gone");
    }

    #[tokio::test]
    async fn who_is_in_a_block_gets_deeper_and_who_is_in_none_does_not() {
        let watcher = watcher_with(3);
        let inner = watcher.inner.clone();
        let operation = watcher.follow(HASH, None).unwrap();
        // The same sighting again brings back what is missing, and leaves alone what is being asked about.
        inner.seen(vec![sighting(10)]);
        inner.registry().deepening.get_mut(&HASH).unwrap().asking = true;
        inner.seen(vec![sighting(10)]);
        assert!(inner.registry().deepening[&HASH].asking);
        inner.registry().deepening.clear();
        inner.seen(vec![sighting(10)]);
        assert_eq!(inner.registry().deepening[&HASH].height, 12);
        // It is to be confirmed, and is gone before anybody is asked.
        operation.facts().standing = Default::default();
        inner.registry().deepening.get_mut(&HASH).unwrap().asking = true;
        inner.confirm(&operation).await;
        assert!(inner.registry().deepening.is_empty());
    }
}
