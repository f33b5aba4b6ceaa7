//! New shares for a key, committed by all nodes or by none (two-phase commit).
//!
//! A node **prepares**: it writes the new share beside the old one (`.staged`) and tells the others so. Only when all n
//! have prepared does it **commit**: the new share is the one in use, and the old one stays beside it (`.previous`) until
//! all are known to use the new one. A node that prepared and does not hear from all is in doubt (`doubt.rs`).

use std::{collections::HashSet, sync::Arc, time::Duration};

use alloy::primitives::B256;

use super::{Node, evidence, now};
use crate::{
    api::{HeldKey, KEYS_AT_ONCE, KeysAnswer, NodeRefusal, RefreshAnswer, RefreshRequest, RunKind},
    key_generation::confirm,
    keys::{Key, KeyRecord},
    refresh::{be_helped, help, refresh},
    run::{Run, RunError, RunName},
    share::KeyShare,
    vault::{Slot, VaultError},
};

/// Longest time for a refresh.
const LIMIT: Duration = Duration::from_secs(120);
/// Longest wait for the others to prepare, once this node has: then it asks them.
const CONFIRMING: Duration = Duration::from_secs(30);

pub(super) fn internal(error: &dyn std::fmt::Display) -> RunError {
    RunError::Internal(error.to_string())
}

/// A revocation may come in the middle: then the shares are gone, and no new ones are wanted.
fn not_revoked(key: &Key) -> Result<(), RunError> {
    match key.record().as_ref().is_some_and(|record| record.revoked) {
        true => Err(RunError::Aborted("the grant was revoked".into())),
        false => Ok(()),
    }
}

impl Node {
    /// Keys behind this id, for the operator.
    pub async fn held(self: &Arc<Self>, after: B256) -> Result<KeysAnswer, NodeRefusal> {
        let shares: HashSet<B256> =
            self.blocking(|node| Ok(node.vault.list(Slot::Share)?)).await?.into_iter().collect();
        let held = |key_id: B256, record: &KeyRecord| HeldKey {
            key_id,
            address: record.address,
            valid_until: record.grant.as_ref().map(|signed| signed.grant.valid_until),
            revoked: record.revoked,
            share: shares.contains(&key_id),
        };
        let mut keys = self.keys.pick(|key_id, record| (key_id > after).then(|| held(key_id, record)));
        keys.sort_by_key(|key| key.key_id);
        keys.truncate(KEYS_AT_ONCE);
        Ok(KeysAnswer { node: self.config.id, keys })
    }

    /// Renews the shares of a key; rebuilds that of `repair` first.
    pub async fn renew(self: &Arc<Self>, request: RefreshRequest) -> Result<RefreshAnswer, NodeRefusal> {
        let RefreshRequest { key_id, repair, nonces } = request;
        let kind = if repair.is_some() { RunKind::Repair } else { RunKind::Refresh };
        let (own, challenge) = self.challenge(kind, &nonces)?;
        let everybody = self.everybody(&nonces)?;
        if repair.is_some_and(|target| !everybody.contains(&target)) {
            return Err(self.refuse("participants", "there is no such node to repair"));
        }
        self.nonces.spend(kind, &own, now()).map_err(|error| self.by_nonce(error))?;
        let digest = B256::with_last_byte(repair.unwrap_or_default());
        let name = RunName::new(kind.name(), challenge, 0, key_id, digest, &everybody);
        let decided = self.may_renew(key_id, repair).await;
        let (key, share) = decided.inspect_err(|refusal| self.runs.refuse(&name, &refusal.code, &refusal.message))?;
        let epoch = share.as_ref().map(|share| share.epoch()).unwrap_or_default();
        let result = match self.runs.open(name, LIMIT) {
            Ok(mut run) => {
                let result = self.renew_together(&mut run, &key, share, repair).await;
                result.map_err(|error| {
                    run.tell(&error);
                    (error, Some(evidence(&run, kind, key_id, epoch)))
                })
            }
            Err(error) => Err((error, None)),
        };
        key.renewal.lock().await.end();
        match result {
            Ok(epoch) => Ok(RefreshAnswer { node: self.config.id, key_id, epoch }),
            Err((error, evidence)) => {
                let refusal = self.ended(error, evidence).await;
                self.settle(&key).await;
                Err(refusal)
            }
        }
    }

    /// Takes the key for a refresh: none is under way or in doubt, and a share is there or, when it is to be rebuilt,
    /// is not, or is of an epoch that no other node has any more.
    async fn may_renew(
        self: &Arc<Self>,
        key_id: B256,
        repair: Option<u8>,
    ) -> Result<(Arc<Key>, Option<Arc<KeyShare>>), NodeRefusal> {
        let lost = repair == Some(self.config.id);
        let key = if lost { self.keys.entry(key_id) } else { self.known(key_id)? };
        if key.record().as_ref().is_some_and(|record| record.is_over(Self::long_over(now()))) {
            return Err(self.refuse("grant-expired", "the key's grant is long over; the key is being removed"));
        }
        if key.record().as_ref().is_some_and(|record| record.revoked) {
            return Err(self.refuse("revoked", "the grant was revoked: its shares are removed, not renewed"));
        }
        self.settle(&key).await;
        let begun = key.renewal.lock().await.begun;
        let others = self.config.peers.iter().map(|peer| peer.id).filter(|id| Some(*id) != repair).collect();
        let base = self.base(&key, others, lost).await?;
        let mut renewal = key.renewal.lock().await;
        let staged = self.blocking(move |node| Ok(node.keys.stored(Slot::Staged, key_id)?.is_some())).await?;
        if renewal.running || renewal.begun != begun || staged {
            return Err(self.refuse("busy", "a refresh of this key is under way or not decided yet"));
        }
        match (lost, base) {
            (true, Some(_)) => Err(self.refuse("malformed", "this node has its share: nothing to repair")),
            (false, None) => Err(self.refuse("no-share", "this node lost its share of the key")),
            (_, base) => {
                renewal.begin(base.as_ref().map(|share| share.fingerprint()).unwrap_or_default());
                drop(renewal);
                Ok((key, base))
            }
        }
    }

    async fn renew_together(
        self: &Arc<Self>,
        run: &mut Run,
        key: &Arc<Key>,
        share: Option<Arc<KeyShare>>,
        repair: Option<u8>,
    ) -> Result<u64, RunError> {
        let share = match (share, repair) {
            (Some(share), Some(target)) => {
                let record = key.record().clone().ok_or(RunError::NoShare)?;
                let record = serde_json::to_vec(&record).map_err(|error| internal(&error))?;
                help(run, &self.workers, share.clone(), target, &record).await?;
                share
            }
            (Some(share), None) => share,
            (None, _) => {
                let (share, records) = be_helped(run, &self.workers).await?;
                // No revocation comes between the look and the write.
                let _turn = key.renewal.lock().await;
                not_revoked(key)?;
                let known = key.record().clone();
                let record = self.rebuilt_record(key.id, &share, known, &records)?;
                let (node, key) = (self.clone(), key.clone());
                // Without its share the record does no harm; without its record the share could not be found.
                let saved = tokio::task::spawn_blocking(move || node.keys.save(&key, record)).await;
                saved.map_err(|error| internal(&error))?.map_err(|error| internal(&error))?;
                Arc::new(share)
            }
        };
        let new = Arc::new(refresh(run, &self.workers, share).await?);
        self.prepare(key, &new).await?;
        // From here on only what the others have decides.
        run.hurry(CONFIRMING);
        confirm(run, new.fingerprint()).await?;
        self.commit(key, new.clone()).await?;
        Ok(new.epoch)
    }

    /// Writes the new share beside the old one.
    async fn prepare(self: &Arc<Self>, key: &Arc<Key>, new: &Arc<KeyShare>) -> Result<(), RunError> {
        let renewal = key.renewal.lock().await;
        not_revoked(key)?;
        let base = renewal.base;
        // Before it is there: nobody reads the old share when the new one may be in use. Decided by `settle` if this fails.
        key.doubt.send_replace(true);
        let (node, id, new) = (self.clone(), key.id, new.clone());
        let written = tokio::task::spawn_blocking(move || {
            let bytes = new.encode()?;
            // All have said by now which shares they renew: these all have, and no others are needed.
            node.keep_only(id, base).map_err(|error| internal(&error))?;
            node.vault.write(Slot::Staged, id, &bytes).map_err(|error| internal(&error))
        });
        let result = written.await.map_err(|error| internal(&error))?;
        drop(renewal);
        result
    }

    async fn commit(self: &Arc<Self>, key: &Arc<Key>, new: Arc<KeyShare>) -> Result<(), RunError> {
        let _turn = key.renewal.lock().await;
        not_revoked(key)?;
        let (node, id) = (self.clone(), key.id);
        let committed = tokio::task::spawn_blocking(move || {
            node.vault.promote(id)?;
            node.keys.remember(id, new);
            Ok::<_, VaultError>(())
        });
        committed.await.map_err(|error| internal(&error))?.map_err(|error| internal(&error))
    }
}
