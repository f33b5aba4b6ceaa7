//! New shares for a key, committed by all nodes or by none (two-phase commit).
//!
//! A node **prepares**: it writes the new share beside the old one (`.staged`) and tells the others so. Only when all n
//! have prepared does it **commit**: the new share replaces the old. A node that prepared and does not hear from all is
//! in doubt; it asks the others what they have:
//!
//! * somebody uses the new share: all had prepared, so it commits;
//! * somebody has not prepared it: nobody can have committed, and the answer is a promise not to prepare any more, so
//!   it drops the new share;
//! * all others have prepared, too: it commits;
//! * otherwise somebody is missing: it goes on with the old share, which still signs with others in doubt, and asks
//!   again later.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, PoisonError},
    time::Duration,
};

use alloy::primitives::B256;
use tokio::{sync::mpsc, time::timeout};

use super::{Node, now, now_ms};
use crate::{
    api::{HeldKey, KEYS_AT_ONCE, KeysAnswer, NodeRefusal, RefreshAnswer, RefreshRequest, RunKind},
    key_generation::confirm,
    keys::{Key, KeyRecord},
    message::Message,
    refresh::{be_helped, help, refresh},
    run::{Network, Run, RunError, RunName},
    share::{KeyShare, SecretBytes},
    vault::{Slot, VaultError},
};
use use_aa_protocol::distributed_key::verify_grant;

/// Longest time for a refresh.
const LIMIT: Duration = Duration::from_secs(120);
/// Longest wait for the others' answers about their shares.
const ANSWERS: Duration = Duration::from_secs(3);

fn internal(error: &dyn std::fmt::Display) -> RunError {
    RunError::Internal(error.to_string())
}

impl Node {
    /// Keys behind this id, for the operator.
    pub async fn held(self: &Arc<Self>, after: B256) -> Result<KeysAnswer, NodeRefusal> {
        let shares: HashSet<B256> =
            self.blocking(|node| Ok(node.vault.list(Slot::Share)?)).await?.into_iter().collect();
        let mut keys: Vec<_> = self.keys.records().into_iter().filter(|(id, _)| *id > after).collect();
        keys.sort_by_key(|(id, _)| *id);
        let held = |(key_id, record): (B256, KeyRecord)| HeldKey {
            key_id,
            address: record.address,
            valid_until: record.grant.map(|signed| signed.grant.valid_until),
            revoked: record.revoked,
            share: shares.contains(&key_id),
        };
        Ok(KeysAnswer { node: self.config.id, keys: keys.into_iter().take(KEYS_AT_ONCE).map(held).collect() })
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
        let result = match self.runs.open(name, LIMIT) {
            Ok(mut run) => {
                let result = self.renew_together(&mut run, &key, share, repair).await;
                result.inspect_err(|error| run.tell(error))
            }
            Err(error) => Err(error),
        };
        *key.renewal.lock().await = Default::default();
        match result {
            Ok(epoch) => Ok(RefreshAnswer { node: self.config.id, key_id, epoch }),
            Err(error) => {
                let refusal = self.ended(error).await;
                self.settle(&key).await;
                Err(refusal)
            }
        }
    }

    /// Takes the key for a refresh: none is under way or in doubt, and a share is there or, when it is to be rebuilt,
    /// is not.
    async fn may_renew(
        self: &Arc<Self>,
        key_id: B256,
        repair: Option<u8>,
    ) -> Result<(Arc<Key>, Option<Arc<KeyShare>>), NodeRefusal> {
        let lost = repair == Some(self.config.id);
        let key = if lost { self.keys.entry(key_id) } else { self.known(key_id)? };
        self.settle(&key).await;
        let mut renewal = key.renewal.lock().await;
        let (share, staged) = self
            .blocking(move |node| {
                // A share that cannot be read is as good as lost.
                let share = if lost { node.keys.share(key_id).ok().flatten() } else { node.keys.share(key_id)? };
                Ok((share, node.keys.stored(Slot::Staged, key_id)?.is_some()))
            })
            .await?;
        if renewal.running || staged {
            return Err(self.refuse("busy", "a refresh of this key is under way or not decided yet"));
        }
        match (lost, share) {
            (true, Some(_)) => Err(self.refuse("malformed", "this node has its share: nothing to repair")),
            (false, None) => Err(self.refuse("no-share", "this node lost its share of the key")),
            (_, share) => {
                renewal.running = true;
                renewal.forbidden = false;
                drop(renewal);
                Ok((key, share))
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
                let record = self.rebuilt_record(key.id, &share, &records)?;
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
        confirm(run, new.fingerprint()).await?;
        self.commit(key, new.clone()).await?;
        Ok(new.epoch)
    }

    /// What to write down about a key whose record was lost: the one grant that its owner signed, revoked if any helper
    /// knows so.
    fn rebuilt_record(
        &self,
        key_id: B256,
        share: &KeyShare,
        records: &BTreeMap<u8, SecretBytes>,
    ) -> Result<KeyRecord, RunError> {
        let address = share.address().ok_or_else(|| internal(&"a key without address"))?;
        let public_key = share.public_key().to_vec().into();
        let threshold = share.threshold();
        let mut own = KeyRecord { public_key, address, threshold, created: now_ms(), grant: None, revoked: false };
        for (node, bytes) in records {
            let unreadable = |_| RunError::cheated(*node, "a record that cannot be read");
            let record: KeyRecord = serde_json::from_slice(bytes).map_err(unreadable)?;
            own.revoked |= record.revoked;
            let Some(signed) = record.grant else { continue };
            // Verified as of its own time: it may be over by now, and then simply signs nothing.
            let valid = verify_grant(&signed, signed.grant.valid_until.saturating_sub(1)).is_ok();
            let fits = signed.grant.key_id == key_id && self.fits(&own, &signed).is_ok();
            if !(valid && fits) || own.grant.as_ref().is_some_and(|known| known.grant != signed.grant) {
                return Err(RunError::cheated(*node, "another grant"));
            }
            own.grant = Some(signed);
        }
        Ok(own)
    }

    /// Writes the new share beside the old one, unless somebody was promised that this does not happen.
    async fn prepare(self: &Arc<Self>, key: &Arc<Key>, new: &Arc<KeyShare>) -> Result<(), RunError> {
        let renewal = key.renewal.lock().await;
        if renewal.forbidden {
            return Err(RunError::Aborted("another node gave the refresh up".into()));
        }
        let (node, id, new) = (self.clone(), key.id, new.clone());
        let written = tokio::task::spawn_blocking(move || {
            let bytes = new.encode()?;
            node.vault.write(Slot::Staged, id, &bytes).map_err(|error| internal(&error))
        });
        let result = written.await.map_err(|error| internal(&error))?;
        drop(renewal);
        result
    }

    async fn commit(self: &Arc<Self>, key: &Arc<Key>, new: Arc<KeyShare>) -> Result<(), RunError> {
        let _turn = key.renewal.lock().await;
        let (node, id) = (self.clone(), key.id);
        let committed = tokio::task::spawn_blocking(move || {
            node.vault.promote(id)?;
            node.keys.remember(id, new);
            Ok::<_, VaultError>(())
        });
        committed.await.map_err(|error| internal(&error))?.map_err(|error| internal(&error))
    }

    /// Answers a peer's question about our shares of a key.
    pub(super) fn tell(self: Arc<Self>, to: u8, id: B256) {
        tokio::spawn(async move {
            let (mut current, mut staged) = (B256::ZERO, B256::ZERO);
            if let Some(key) = self.keys.get(id) {
                let mut renewal = key.renewal.lock().await;
                let Ok(found) = self.fingerprints(id).await else { return };
                (current, staged) = found;
                // The promise.
                renewal.forbidden |= renewal.running && staged.is_zero();
            }
            self.mesh.send(to, &Message::ShareReport { key: id, current, staged });
        });
    }

    async fn fingerprints(self: &Arc<Self>, id: B256) -> Result<(B256, B256), NodeRefusal> {
        self.blocking(move |node| {
            let current = node.keys.share(id)?.map(|share| share.fingerprint());
            let staged = node.keys.stored(Slot::Staged, id)?.map(|share| share.fingerprint());
            Ok((current.unwrap_or_default(), staged.unwrap_or_default()))
        })
        .await
    }

    /// Decides every refresh that is in doubt, as far as it can be decided now.
    pub(super) async fn settle_all(self: &Arc<Self>) {
        let Ok(in_doubt) = self.blocking(|node| Ok(node.vault.list(Slot::Staged)?)).await else { return };
        for id in in_doubt {
            self.settle(&self.keys.entry(id)).await;
        }
    }

    /// Decides a refresh that is in doubt, if there is one and it can be decided now.
    async fn settle(self: &Arc<Self>, key: &Arc<Key>) {
        {
            let renewal = key.renewal.lock().await;
            let id = key.id;
            let staged = self.blocking(move |node| Ok(node.keys.stored(Slot::Staged, id)?.is_some())).await;
            if renewal.running || !matches!(staged, Ok(true)) {
                return;
            }
        }
        // Not held while the others are asked: they may ask us.
        let answers = self.ask(key.id).await;
        let renewal = key.renewal.lock().await;
        let Ok((current, staged)) = self.fingerprints(key.id).await else { return };
        if renewal.running || staged.is_zero() {
            return;
        }
        let committed = answers.values().any(|(theirs, _)| *theirs == staged);
        let refused = answers.values().any(|(_, theirs)| *theirs != staged);
        let everybody = answers.len() + 1 == usize::from(self.config.nodes());
        // A node that lost its share has nothing to go back to, but it is decided like the others.
        let id = key.id;
        let outcome = match (committed || (everybody && !refused), refused) {
            (true, _) => "committed",
            (false, true) => "given up",
            (false, false) => return,
        };
        let done = self.blocking(move |node| {
            match outcome {
                "committed" => node.vault.promote(id)?,
                _ => node.vault.remove(Slot::Staged, id)?,
            }
            node.keys.forget(id);
            Ok(())
        });
        if done.await.is_ok() {
            tracing::info!(node = self.config.id, key = %id, was = %current, outcome, "a refresh was decided");
        }
    }

    /// What the other nodes have of a key: fingerprints in use and prepared.
    async fn ask(self: &Arc<Self>, id: B256) -> BTreeMap<u8, (B256, B256)> {
        let (sender, mut receiver) = mpsc::channel(32);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        let asked =
            self.config.peers.iter().filter(|peer| self.mesh.send(peer.id, &Message::ShareQuery { key: id })).count();
        let mut answers = BTreeMap::new();
        let _ = timeout(ANSWERS, async {
            while answers.len() < asked {
                let Some((node, current, staged)) = receiver.recv().await else { return };
                answers.insert(node, (current, staged));
            }
        })
        .await;
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        answers
    }
}
