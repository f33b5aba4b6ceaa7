//! Nodes that cheated. A failed check of the reused oblivious transfers leaks a little of them each time, so whoever
//! fails it once is never worked with again, not after a restart either.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use alloy::primitives::B256;
use serde::{Deserialize, Serialize};

use super::{Node, now};
use crate::vault::{Slot, Vault, VaultError};

/// One ban.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Ban {
    /// What failed.
    reason: String,
    /// When, unix seconds.
    at: u64,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Stored {
    #[serde(default)]
    bans: BTreeMap<u8, Ban>,
}

/// All bans.
#[derive(Default)]
pub struct Bans(Mutex<Stored>);

impl Bans {
    /// As written down.
    pub fn load(vault: &Vault) -> Result<Self, VaultError> {
        let bytes = vault.read(Slot::Node, B256::ZERO)?.unwrap_or_default();
        // The vault authenticated it: what cannot be read was written by another version.
        let stored = serde_json::from_slice(&bytes).map_err(|_| VaultError::Cipher)?;
        Ok(Self(Mutex::new(stored)))
    }

    /// Is this node banned?
    pub fn is_banned(&self, node: u8) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bans.contains_key(&node)
    }

    /// Bans it and writes that down.
    pub fn add(&self, vault: &Vault, node: u8, reason: &str) -> Result<(), VaultError> {
        let bytes = {
            let mut stored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            stored.bans.entry(node).or_insert_with(|| Ban { reason: reason.into(), at: now() });
            serde_json::to_vec(&*stored).map_err(|_| VaultError::Cipher)?
        };
        vault.write(Slot::Node, B256::ZERO, &bytes)
    }
}

impl Node {
    /// Bans a node. In memory it holds even when the disk fails.
    pub(super) async fn ban(self: &Arc<Self>, banned: u8, reason: &str) {
        let (node, reason) = (self.clone(), reason.to_owned());
        tracing::error!(node = self.config.id, banned, %reason, "a node cheated and is banned");
        let written = tokio::task::spawn_blocking(move || node.bans.add(&node.vault, banned, &reason)).await;
        if !matches!(written, Ok(Ok(()))) {
            tracing::error!(node = self.config.id, banned, "the ban could not be written down");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_ban_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path(), &[1; 32], 1).unwrap();
        let bans = Bans::load(&vault).unwrap();
        assert!(!bans.is_banned(4));
        bans.add(&vault, 4, "OT consistency check failed for party 4").unwrap();
        drop(vault);
        let vault = Vault::open(folder.path(), &[1; 32], 1).unwrap();
        let again = Bans::load(&vault).unwrap();
        assert!(again.is_banned(4) && !again.is_banned(3));
    }
}
