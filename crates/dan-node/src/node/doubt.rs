//! A node with shares of two epochs of a key: it prepared new ones and does not know whether all have, or it uses them and
//! does not know whether all do. It asks the others what they have.
//!
//! * Somebody uses the share that is prepared here: all had prepared, so it commits.
//! * Somebody has not prepared it: it drops the new share. Should others commit it later, they still have the old one.
//! * All others have prepared, too: it commits.
//! * Otherwise somebody is missing: it asks again later.
//!
//! A liar can have it decide wrongly, but not lose what the others need: the old share goes only when all others have said
//! that they use the new one (`epochs.rs`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError},
    time::Duration,
};

use alloy::primitives::B256;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Node, SWEEP, ShareReport, epochs::Report};
use crate::{
    api::NodeRefusal,
    keys::{Key, KeyError},
    message::Message,
    run::Network,
    vault::Slot,
};

/// Longest wait for the others' answers about their shares.
const ANSWERS: Duration = Duration::from_secs(3);
/// Keys that are asked about at the same time: who does not answer must not hold up all of them.
const AT_ONCE: usize = 8;

/// Who waits for answers about a key's shares, and whose: the first answer of each counts.
pub(super) struct Asking {
    answers: mpsc::Sender<ShareReport>,
    missing: BTreeSet<u8>,
}

/// Fingerprints of a node's shares of a key; zero = none.
#[derive(Clone, Copy)]
struct Fingerprints {
    current: B256,
    staged: B256,
    previous: B256,
}

impl Fingerprints {
    /// There are no two epochs.
    fn are_decided(self) -> bool {
        self.staged.is_zero() && self.previous.is_zero()
    }
}

/// Commit what is prepared here, or give it up; nothing while that is open.
fn decision(staged: B256, answers: &BTreeMap<u8, Report>, others: usize) -> Option<bool> {
    let committed = answers.values().any(|(current, _)| *current == staged);
    let refused = answers.values().any(|(current, other)| ![*current, *other].contains(&staged));
    match (committed, refused) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => (answers.len() == others).then_some(true),
    }
}

/// All others have said that they use these shares: nobody needs those before.
fn all_use(current: B256, answers: &BTreeMap<u8, Report>, others: usize) -> bool {
    answers.len() == others && answers.values().all(|(theirs, _)| *theirs == current)
}

impl Node {
    /// Answers a peer's question about our shares of a key.
    pub(super) fn tell(self: Arc<Self>, to: u8, id: B256) {
        // Whoever asks without end waits for the answers.
        let room = self.telling.get(usize::from(to)).and_then(|room| room.clone().try_acquire_owned().ok());
        let Some(room) = room else { return };
        tokio::spawn(async move {
            let _room = room;
            let (mut current, mut other) = (B256::ZERO, B256::ZERO);
            if let Some(key) = self.keys.get(id) {
                let renewal = key.renewal.lock().await;
                let Ok(found) = self.fingerprints(id).await else { return };
                (current, other) = (found.current, if found.staged.is_zero() { found.previous } else { found.staged });
                // A refresh that goes back to the shares before drops those in use: they are not to be counted upon.
                if renewal.running && !other.is_zero() && renewal.base == other {
                    (current, other) = (other, current);
                }
            }
            self.mesh.send(to, &Message::ShareReport { key: id, current, other });
        });
    }

    /// A peer's answer to [`Self::ask`].
    pub(super) fn told(&self, from: u8, id: B256, current: B256, other: B256) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        for asking in asked.get_mut(&id).into_iter().flatten() {
            if asking.missing.remove(&from) {
                let _ = asking.answers.try_send((from, current, other));
            }
        }
    }

    async fn fingerprints(self: &Arc<Self>, id: B256) -> Result<Fingerprints, NodeRefusal> {
        self.blocking(move |node| {
            let mark = |slot| -> Result<B256, KeyError> {
                Ok(node.keys.stored(slot, id)?.map(|share| share.fingerprint()).unwrap_or_default())
            };
            let current = node.keys.share(id)?.map(|share| share.fingerprint()).unwrap_or_default();
            // A crash in the middle of a commit leaves the share in use twice.
            let previous = Some(mark(Slot::Previous)?).filter(|previous| *previous != current).unwrap_or_default();
            Ok(Fingerprints { current, staged: mark(Slot::Staged)?, previous })
        })
        .await
    }

    /// Decides again and again what is in doubt.
    pub(super) async fn settle_always(node: std::sync::Weak<Self>) {
        while let Some(node) = node.upgrade() {
            node.settle_all().await;
            drop(node);
            sleep(SWEEP).await;
        }
    }

    async fn settle_all(self: &Arc<Self>) {
        let listed = |node: &Self| {
            let both = [node.vault.list(Slot::Staged)?, node.vault.list(Slot::Previous)?];
            Ok(both.into_iter().flatten().collect::<BTreeSet<_>>())
        };
        let Ok(in_doubt) = self.blocking(listed).await else { return };
        let mut settling = JoinSet::new();
        for id in in_doubt {
            if settling.len() >= AT_ONCE {
                settling.join_next().await;
            }
            let (node, key) = (self.clone(), self.keys.entry(id));
            settling.spawn(async move { node.settle(&key).await });
        }
        settling.join_all().await;
    }

    /// Decides a refresh that is in doubt, if there is one and it can be decided now.
    pub(super) async fn settle(self: &Arc<Self>, key: &Arc<Key>) {
        let begun = {
            let renewal = key.renewal.lock().await;
            if renewal.running {
                return;
            }
            match self.fingerprints(key.id).await {
                Ok(found) if found.are_decided() => {
                    key.doubt.send_replace(false);
                    return;
                }
                Ok(_) => renewal.begun,
                Err(_) => return,
            }
        };
        let others: Vec<u8> = self.config.peers.iter().map(|peer| peer.id).collect();
        // Not held while the others are asked: they may ask us.
        let answers = self.ask(key.id, &others, ANSWERS).await;
        let renewal = key.renewal.lock().await;
        let Ok(Fingerprints { mut current, staged, previous }) = self.fingerprints(key.id).await else { return };
        // What was said before another refresh began may be true no more.
        if renewal.running || renewal.begun != begun {
            return;
        }
        let (was, decided) = (current, decision(staged, &answers, others.len()));
        let commit = match (staged.is_zero(), decided) {
            (false, None) => return,
            (false, Some(commit)) => commit,
            (true, _) => false,
        };
        if commit {
            current = staged;
        }
        let keeps = !all_use(current, &answers, others.len());
        let id = key.id;
        let done = self.blocking(move |node| {
            match node.keys.stored(Slot::Staged, id)? {
                // A node that lost its share has nothing to go back to, but it is decided like the others.
                Some(new) if commit => {
                    node.vault.promote(id)?;
                    node.keys.remember(id, Arc::new(new));
                }
                _ => node.vault.remove(Slot::Staged, id)?,
            }
            if !keeps {
                node.vault.remove(Slot::Previous, id)?;
            }
            Ok(())
        });
        if done.await.is_err() {
            return;
        }
        if !staged.is_zero() {
            let outcome = if commit { "committed" } else { "given up" };
            tracing::info!(node = self.config.id, key = %id, %was, outcome, "a refresh was decided");
        } else if keeps && previous != B256::ZERO {
            let use_others = answers.iter().filter(|(_, (theirs, _))| *theirs != current).map(|(node, _)| *node);
            let use_others: Vec<u8> = use_others.collect();
            tracing::debug!(node = self.config.id, key = %id, ?use_others, "not all use the new shares: the old ones stay");
        }
        // Nothing came of it, or all have it.
        let is_over = !keeps || (!commit && previous.is_zero());
        if is_over {
            key.doubt.send_replace(false);
        }
    }

    /// What these nodes have of a key; nothing of those that cannot be reached.
    pub(super) async fn ask(self: &Arc<Self>, id: B256, others: &[u8], patience: Duration) -> BTreeMap<u8, Report> {
        let (answers, mut receiver) = mpsc::channel(32);
        let asking = Asking { answers: answers.clone(), missing: others.iter().copied().collect() };
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default().push(asking);
        let asked = others.iter().filter(|peer| self.mesh.send(**peer, &Message::ShareQuery { key: id })).count();
        let mut heard = BTreeMap::new();
        let _ = timeout(patience, async {
            while heard.len() < asked {
                let Some((node, current, other)) = receiver.recv().await else { return };
                heard.insert(node, (current, other));
            }
        })
        .await;
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asking) = all.get_mut(&id) {
            asking.retain(|asking| !asking.answers.same_channel(&answers));
            if asking.is_empty() {
                all.remove(&id);
            }
        }
        heard
    }
}

#[cfg(test)]
mod tests;
