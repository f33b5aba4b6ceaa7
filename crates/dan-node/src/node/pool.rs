//! Keys made ahead of any grant (all n nodes).

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use alloy::primitives::B256;
use zeroize::Zeroizing;

use super::{Node, evidence, now, now_ms};
use crate::{
    api::{NodeRefusal, PoolAnswer, PoolRequest, PooledKey, RunKind},
    key_generation::generate,
    keys::KeyRecord,
    run::{RunError, RunName},
    vault::Slot,
};

/// Most keys of one request.
const MAX_COUNT: u8 = 16;
/// Longest time for one key; two seconds of all processors are usual.
const LIMIT: Duration = Duration::from_secs(120);

impl Node {
    /// Keys that wait for a grant.
    pub fn pool(&self) -> PoolAnswer {
        let mut waiting = self.keys.pick(|key_id, record| {
            let is_waiting = record.grant.is_none() && !record.revoked;
            is_waiting.then(|| (record.created, pooled(key_id, record)))
        });
        waiting.sort_by_key(|(created, key)| (*created, key.key_id));
        PoolAnswer { node: self.config.id, keys: waiting.into_iter().map(|(_, key)| key).collect() }
    }

    /// Makes keys, one after the other.
    pub async fn fill_pool(self: &Arc<Self>, request: PoolRequest) -> Result<PoolAnswer, NodeRefusal> {
        let PoolRequest { count, threshold, nonces } = &request;
        if !(1..=MAX_COUNT).contains(count) || !(2..=self.config.nodes()).contains(threshold) {
            let reason = format!("1 to {MAX_COUNT} keys, of 2 to {} nodes each", self.config.nodes());
            return Err(self.refuse("malformed", reason));
        }
        let (own, challenge) = self.challenge(RunKind::Pool, nonces)?;
        let everybody = self.everybody(nonces)?;
        let Some(mut place) = self.place(usize::from(*count)) else {
            return Err(self.refuse("pool-full", format!("at most {} keys wait here", self.config.max_pool)));
        };
        self.nonces.spend(RunKind::Pool, &own, now()).map_err(|error| self.by_nonce(error))?;
        let mut keys = Vec::new();
        for number in 0..*count {
            let digest = B256::with_last_byte(*threshold);
            let name = RunName::new(RunKind::Pool.name(), challenge, number, B256::ZERO, digest, &everybody);
            // The run's binding is the key's id: the same at every node, and nowhere else.
            let key_id = name.binding;
            let made = self.make(name, *threshold).await?;
            place.taken();
            keys.push(pooled(key_id, &made));
        }
        Ok(PoolAnswer { node: self.config.id, keys })
    }

    async fn make(self: &Arc<Self>, name: RunName, threshold: u8) -> Result<KeyRecord, NodeRefusal> {
        let key_id = name.binding;
        let mut run = match self.runs.open(name, LIMIT) {
            Ok(run) => run,
            Err(error) => return Err(self.ended(error, None).await),
        };
        let result = async {
            let share = Arc::new(generate(&mut run, &self.workers, threshold).await?);
            let address = share.address().ok_or_else(|| RunError::Internal("a key without address".into()))?;
            let public_key = share.public_key().to_vec().into();
            let record = KeyRecord { public_key, address, threshold, created: now_ms(), grant: None, revoked: false };
            let (node, kept) = (self.clone(), record.clone());
            let saved = tokio::task::spawn_blocking(move || {
                let bytes: Zeroizing<Vec<u8>> = share.encode()?;
                let failed = |error: &dyn std::fmt::Display| RunError::Internal(error.to_string());
                node.vault.write(Slot::Share, key_id, &bytes).map_err(|error| failed(&error))?;
                // The record last: it is what makes the key exist.
                node.keys.save(&node.keys.entry(key_id), kept).map_err(|error| failed(&error))
            });
            saved.await.map_err(|error| RunError::Internal(error.to_string()))??;
            Ok(record)
        };
        match result.await {
            Ok(record) => Ok(record),
            Err(error) => {
                run.tell(&error);
                Err(self.ended(error, Some(evidence(&run, RunKind::Pool, key_id, 0))).await)
            }
        }
    }

    /// Room for so many keys more, beside those that wait and those that are being made.
    fn place(self: &Arc<Self>, count: usize) -> Option<Place> {
        let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if self.keys.counts().waiting + *making + count > self.config.max_pool as usize {
            return None;
        }
        *making += count;
        Some(Place { node: self.clone(), count })
    }
}

/// Room that is kept for keys until they are there, or are not going to be.
struct Place {
    node: Arc<Node>,
    count: usize,
}

impl Place {
    /// One of them is there.
    fn taken(&mut self) {
        self.give_back(1);
    }

    fn give_back(&mut self, count: usize) {
        let count = count.min(self.count);
        self.count -= count;
        *self.node.making.lock().unwrap_or_else(PoisonError::into_inner) -= count;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.give_back(self.count);
    }
}

fn pooled(key_id: B256, record: &KeyRecord) -> PooledKey {
    PooledKey { key_id, public_key: record.public_key.clone(), address: record.address, threshold: record.threshold }
}
