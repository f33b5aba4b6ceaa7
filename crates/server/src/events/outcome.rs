//! What the chain says of operations: mined, replaced, deep enough, taken back.

use std::sync::Arc;

use alloy::primitives::B256;

use super::{
    super::receipt::{self, Sighting},
    Inner, Registry,
    operation::{Operation, Outcome},
};
use use_aa_protocol::rpc::UserOpUpdate;

impl Inner {
    /// Operations that were seen in blocks, in any order, as often as they are seen.
    pub(super) fn seen(self: &Arc<Self>, sightings: Vec<Sighting>) {
        for Sighting { nonce, receipt } in sightings {
            let key = (receipt.sender, nonce);
            let (operation, others) = {
                let registry = self.registry();
                let others = registry.by_nonce.get(&key).into_iter().flatten();
                let others: Vec<_> = others
                    .filter(|hash| **hash != receipt.user_op_hash)
                    .filter_map(|hash| registry.operations.get(hash).cloned())
                    .collect();
                (registry.operations.get(&receipt.user_op_hash).cloned(), others)
            };
            let (by, transaction_hash, height) = (receipt.user_op_hash, receipt.transaction_hash, receipt.block_number);
            if let Some(operation) = operation {
                self.settle(&operation, Outcome::Mined(Box::new(receipt)), height);
            }
            for other in others {
                self.settle(&other, Outcome::Replaced { by, transaction_hash }, height);
            }
        }
    }

    /// Tells of an outcome, at once as final when one block is enough.
    fn settle(&self, operation: &Operation, outcome: Outcome, height: u64) {
        if operation.is_over() {
            return;
        }
        let transaction_hash = outcome.transaction_hash();
        let is_told = {
            let mut facts = operation.facts();
            if facts.outcome.as_ref() == Some(&outcome) {
                return;
            }
            facts.outcome = Some(outcome.clone());
            // Before anybody is told: who then asks for the account must not get an answer that is on its way.
            self.node.news();
            facts.transaction.replace(transaction_hash) == Some(transaction_hash)
        };
        if matches!(outcome, Outcome::Mined(_)) {
            if !is_told {
                operation.tell(UserOpUpdate::Bundled { transaction_hash });
            }
            operation.tell(UserOpUpdate::Included { transaction_hash, block_number: height });
        }
        match self.pace.confirmations {
            0 | 1 => operation.tell(outcome.update()),
            more => {
                self.registry().deepening.push((height.saturating_add(more - 1), operation.user_op_hash));
                self.look_now.notify_one();
            }
        }
    }

    /// The chain is this high: outcomes that are deep enough are checked once more, then told.
    pub(super) fn at_height(self: &Arc<Self>, head: u64) {
        let ready: Vec<Arc<Operation>> = {
            let Registry { deepening, operations, .. } = &mut *self.registry();
            let ready = deepening.extract_if(.., |(height, _)| *height <= head);
            ready.filter_map(|(_, hash)| operations.get(&hash).cloned()).collect()
        };
        for operation in ready {
            let inner = self.clone();
            tokio::spawn(async move { inner.confirm(&operation, head).await });
        }
    }

    /// A reorganisation may have taken the transaction back.
    async fn confirm(&self, operation: &Operation, head: u64) {
        let Some(outcome) = operation.facts().outcome.clone() else { return };
        let Ok(now) = self.node.transaction_receipt(outcome.transaction_hash()).await else {
            // No answer is no proof of anything: once more, with the next look at the chain.
            self.registry().deepening.push((head, operation.user_op_hash));
            return;
        };
        let holds = now.is_some_and(|now| match &outcome {
            Outcome::Mined(receipt) => {
                receipt::from_transaction(operation.user_op_hash, &now).as_ref() == Some(&**receipt)
            }
            Outcome::Replaced { by, .. } => receipt::from_transaction(*by, &now).is_some(),
        });
        let is_current = operation.facts().outcome.as_ref() == Some(&outcome);
        match holds {
            true if is_current => operation.tell(outcome.update()),
            false if is_current => self.take_back(operation),
            // Seen elsewhere meanwhile; that is confirmed by itself.
            _ => {}
        }
    }

    /// Logs that a reorganisation removed.
    pub(super) fn removed(&self, removed: &[(B256, B256)]) {
        for (user_op_hash, transaction_hash) in removed {
            let registry = self.registry();
            let operations: Vec<_> = match registry.operations.get(user_op_hash) {
                Some(operation) => registry
                    .by_nonce
                    .get(&operation.sent.as_ref().map(|sent| (sent.sender, sent.nonce)).unwrap_or_default())
                    .into_iter()
                    .flatten()
                    .filter_map(|hash| registry.operations.get(hash))
                    .chain([operation])
                    .cloned()
                    .collect(),
                None => Vec::new(),
            };
            drop(registry);
            for operation in operations {
                let gone = operation
                    .facts()
                    .outcome
                    .as_ref()
                    .is_some_and(|outcome| outcome.transaction_hash() == *transaction_hash);
                if gone && !operation.is_over() {
                    self.take_back(&operation);
                }
            }
        }
    }

    /// Back to the beginning: the operation is in the mempool again, or in another block.
    fn take_back(&self, operation: &Operation) {
        tracing::info!(user_op_hash = %operation.user_op_hash, "a reorganisation took the operation back");
        {
            let mut facts = operation.facts();
            (facts.transaction, facts.outcome) = (None, None);
        }
        self.node.news();
        self.registry().deepening.retain(|(_, hash)| *hash != operation.user_op_hash);
        operation.tell(UserOpUpdate::Submitted);
        self.look_now.notify_one();
    }
}
