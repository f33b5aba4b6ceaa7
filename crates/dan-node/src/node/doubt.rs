//! A node that prepared new shares and does not know whether all have: it signs nothing with the key until that is
//! decided, and asks the others what they have.
//!
//! * Somebody uses the new share: all had prepared, so it commits.
//! * Somebody has not prepared it: nobody can have committed, and the answer is a promise not to prepare any more, so it
//!   drops the new share.
//! * All others have prepared, too: it commits.
//! * Otherwise somebody is missing: it stays in doubt, and asks again later.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError},
    time::Duration,
};

use alloy::primitives::B256;
use tokio::{sync::mpsc, time::timeout};

use super::{Node, ShareReport};
use crate::{api::NodeRefusal, keys::Key, message::Message, run::Network, vault::Slot};

/// Longest wait for the others' answers about their shares.
const ANSWERS: Duration = Duration::from_secs(3);
/// How long a request to sign waits for the end of a doubt: usually it lasts some ten milliseconds.
const DECISION: Duration = Duration::from_secs(2);

/// Who waits for the peers' answers about a key's shares, and who has answered: the first answer of each counts.
pub(super) struct Asking {
    answers: mpsc::Sender<ShareReport>,
    heard: BTreeSet<u8>,
}

impl Node {
    /// There is no doubt about the shares of this key, or there is none any more after a moment.
    pub(super) async fn decided(&self, key: &Key) -> Result<(), NodeRefusal> {
        let mut doubt = key.doubt.subscribe();
        let patience = DECISION.min(self.config.signing_timeout / 2);
        match timeout(patience, doubt.wait_for(|in_doubt| !in_doubt)).await.is_ok_and(|decided| decided.is_ok()) {
            true => Ok(()),
            false => {
                Err(self
                    .refuse("share-epoch", "new shares of this key are being decided on; nothing is signed meanwhile"))
            }
        }
    }

    /// Answers a peer's question about our shares of a key.
    pub(super) fn tell(self: Arc<Self>, to: u8, id: B256) {
        // Whoever asks without end waits for the answers.
        let room = self.telling.get(usize::from(to)).and_then(|room| room.clone().try_acquire_owned().ok());
        let Some(room) = room else { return };
        tokio::spawn(async move {
            let _room = room;
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

    /// A peer's answer to [`Self::ask`].
    pub(super) fn told(&self, from: u8, id: B256, current: B256, staged: B256) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asking) = asked.get_mut(&id).filter(|asking| !asking.heard.contains(&from)) {
            asking.heard.insert(from);
            let _ = asking.answers.try_send((from, current, staged));
        }
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
    pub(super) async fn settle(self: &Arc<Self>, key: &Arc<Key>) {
        {
            let renewal = key.renewal.lock().await;
            let id = key.id;
            let staged = self.blocking(move |node| Ok(node.keys.stored(Slot::Staged, id)?.is_some())).await;
            match staged {
                _ if renewal.running => return,
                Ok(true) => {}
                Ok(false) => {
                    key.doubt.send_replace(false);
                    return;
                }
                Err(_) => return,
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
        let commit = match (committed || (everybody && !refused), refused) {
            (true, _) => true,
            (false, true) => false,
            (false, false) => return,
        };
        let id = key.id;
        let done = self.blocking(move |node| {
            match node.keys.stored(Slot::Staged, id)? {
                Some(new) if commit => {
                    node.vault.promote(id)?;
                    node.keys.remember(id, Arc::new(new));
                }
                _ => node.vault.remove(Slot::Staged, id)?,
            }
            Ok(())
        });
        if done.await.is_ok() {
            key.doubt.send_replace(false);
            let outcome = if commit { "committed" } else { "given up" };
            tracing::info!(node = self.config.id, key = %id, was = %current, outcome, "a refresh was decided");
        }
    }

    /// What the other nodes have of a key: fingerprints in use and prepared.
    async fn ask(self: &Arc<Self>, id: B256) -> BTreeMap<u8, (B256, B256)> {
        let (answers, mut receiver) = mpsc::channel(32);
        let asking = Asking { answers, heard: BTreeSet::new() };
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(id, asking);
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
