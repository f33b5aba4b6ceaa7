//! Nodes that cheated. A failed check of the reused oblivious transfers leaks a little of them each time, so whoever
//! fails it once is not worked with again, not after a restart either, until the operator has looked at the evidence and
//! lifts the ban.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy::primitives::B256;
use serde::{Deserialize, Serialize};

use super::{Node, now};
use crate::{
    api::{Ban, BanEvidence, BansAnswer, LiftAnswer, NodeRefusal},
    keys::KeyError,
    vault::{Slot, Vault, VaultError},
};

/// One ban as written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    /// What failed.
    reason: String,
    /// When, unix seconds.
    at: u64,
    /// In which run; earlier versions did not write it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<BanEvidence>,
}

impl Entry {
    fn of(self, node: u8) -> Ban {
        Ban { node, reason: self.reason, at: self.at, evidence: self.evidence }
    }
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Stored {
    #[serde(default)]
    bans: BTreeMap<u8, Entry>,
}

/// All bans.
#[derive(Default)]
pub struct Bans {
    stored: Mutex<Stored>,
    /// Held while they are written: what is on disk is what was decided last.
    writing: Mutex<()>,
}

impl Bans {
    /// As written down.
    pub fn load(vault: &Vault) -> Result<Self, VaultError> {
        let bytes = vault.read(Slot::Node, B256::ZERO)?.unwrap_or_default();
        // The vault authenticated it: what cannot be read was written by another version.
        let stored = serde_json::from_slice(&bytes).map_err(|_| VaultError::Cipher)?;
        Ok(Self { stored: Mutex::new(stored), writing: Mutex::default() })
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is this node banned?
    pub fn is_banned(&self, node: u8) -> bool {
        self.stored().bans.contains_key(&node)
    }

    /// All of them.
    pub fn list(&self) -> Vec<Ban> {
        self.stored().bans.iter().map(|(node, entry)| entry.clone().of(*node)).collect()
    }

    /// Bans it and writes that down; the first reason stays.
    pub fn add(&self, vault: &Vault, node: u8, reason: &str, evidence: Option<BanEvidence>) -> Result<(), VaultError> {
        let entry = Entry { reason: reason.into(), at: now(), evidence };
        self.stored().bans.entry(node).or_insert(entry);
        self.write(vault)
    }

    /// Lifts a ban and writes that down; where the disk fails, it is back after a restart.
    pub fn lift(&self, vault: &Vault, node: u8) -> Result<Option<Ban>, VaultError> {
        let lifted = self.stored().bans.remove(&node);
        if lifted.is_some() {
            self.write(vault)?;
        }
        Ok(lifted.map(|entry| entry.of(node)))
    }

    fn write(&self, vault: &Vault) -> Result<(), VaultError> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = serde_json::to_vec(&*self.stored()).map_err(|_| VaultError::Cipher)?;
        vault.write(Slot::Node, B256::ZERO, &bytes)
    }
}

impl Node {
    /// Bans a node. In memory it holds even when the disk fails.
    pub(super) async fn ban(self: &Arc<Self>, banned: u8, reason: &str, evidence: Option<BanEvidence>) {
        let (node, reason) = (self.clone(), reason.to_owned());
        tracing::error!(node = self.config.id, banned, %reason, ?evidence, "a node cheated and is banned");
        let written = tokio::task::spawn_blocking(move || node.bans.add(&node.vault, banned, &reason, evidence)).await;
        if !matches!(written, Ok(Ok(()))) {
            tracing::error!(node = self.config.id, banned, "the ban could not be written down");
        }
    }

    /// Whom this node does not work with, for its operator.
    pub fn banned(&self) -> BansAnswer {
        BansAnswer { node: self.config.id, bans: self.bans.list() }
    }

    /// Works with a node again. Lifting what is no ban changes nothing.
    pub async fn unban(self: &Arc<Self>, banned: u8) -> Result<LiftAnswer, NodeRefusal> {
        if !self.config.peers.iter().any(|peer| peer.id == banned) {
            return Err(self.refuse("malformed", format!("there is no other node {banned}")));
        }
        let lifted = self.blocking(move |node| node.bans.lift(&node.vault, banned).map_err(KeyError::from)).await?;
        if let Some(ban) = &lifted {
            tracing::warn!(node = self.config.id, banned, reason = %ban.reason, "the operator lifted a ban");
        }
        Ok(LiftAnswer { node: self.config.id, lifted })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::api::RunKind;

    fn evidence() -> BanEvidence {
        let (run, key_id) = (B256::repeat_byte(1), B256::repeat_byte(2));
        BanEvidence { kind: RunKind::Signing, run, key_id, epoch: 3, round: 2, participants: vec![1, 3, 4] }
    }

    #[test]
    fn a_ban_survives_a_restart_with_its_evidence_and_so_does_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Vault::open(folder.path(), &[1; 32], 1).unwrap();
        let vault = open();
        let bans = Bans::load(&vault).unwrap();
        assert!(!bans.is_banned(4));
        bans.add(&vault, 4, "OT consistency check failed for party 4", Some(evidence())).unwrap();
        // What came first is what it is banned for.
        bans.add(&vault, 4, "something else", None).unwrap();
        drop(vault);
        let vault = open();
        let again = Bans::load(&vault).unwrap();
        assert!(again.is_banned(4) && !again.is_banned(3));
        let [ban] = &again.list()[..] else { panic!("{:?}", again.list()) };
        assert_eq!((ban.node, ban.reason.as_str()), (4, "OT consistency check failed for party 4"));
        assert_eq!(ban.evidence, Some(evidence()));
        assert_eq!(again.lift(&vault, 4).unwrap().as_ref(), Some(ban));
        assert_eq!(again.lift(&vault, 4).unwrap(), None);
        drop(vault);
        assert!(!Bans::load(&open()).unwrap().is_banned(4));
    }

    #[test]
    fn bans_of_earlier_versions_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path(), &[1; 32], 1).unwrap();
        vault.write(Slot::Node, B256::ZERO, br#"{"bans":{"2":{"reason":"it failed","at":1700000000}}}"#).unwrap();
        let [ban] = &Bans::load(&vault).unwrap().list()[..] else { panic!("one ban") };
        assert_eq!((ban.node, ban.at, &ban.evidence), (2, 1_700_000_000, &None));
    }
}
