//! Shares of two epochs at one node, and which of them it uses.
//!
//! What one node says of its shares nobody can prove. So no decision takes a share away that others may need: a node keeps
//! the old share until every other node has said that it *uses* the new one, and a node that said so does not drop it.
//! So all honest nodes have the old shares or all have the new ones, whatever the others say, and they find them by
//! asking each other: they use the newest shares that all who take part have.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use alloy::primitives::B256;

use super::{Node, renewal::internal};
use crate::{
    api::NodeRefusal,
    keys::{Key, KeyError},
    run::RunError,
    share::KeyShare,
    vault::Slot,
};

/// How long a signature waits for the others' answers.
const SIGNING: Duration = Duration::from_secs(1);
/// How long a refresh waits for them.
const RENEWING: Duration = Duration::from_secs(3);

/// What a node says of its shares: the fingerprint of those in use, and of others that it has (zero = none).
pub(super) type Report = (B256, B256);

/// The newest of our shares that all of the others have; `shares` is (epoch, fingerprint) of each.
pub(super) fn newest_of_all(shares: &[(u64, B256)], others: &BTreeMap<u8, Report>) -> Option<B256> {
    let of_all = |mark: &B256| others.values().all(|(current, other)| current == mark || other == mark);
    shares.iter().filter(|(_, mark)| of_all(mark)).max().map(|(_, mark)| *mark)
}

impl Node {
    /// Our shares of a key: those in use first, and others. Blocks.
    fn shares(&self, id: B256) -> Result<Vec<Arc<KeyShare>>, KeyError> {
        let mut shares: Vec<_> = self.keys.share(id)?.into_iter().collect();
        for slot in [Slot::Staged, Slot::Previous] {
            let other = self.keys.stored(slot, id)?.map(Arc::new);
            shares.extend(other.filter(|other| shares.iter().all(|share| share.fingerprint() != other.fingerprint())));
        }
        Ok(shares)
    }

    /// The share for a signature with these nodes.
    pub(super) async fn share_with(self: &Arc<Self>, key: &Key, others: Vec<u8>) -> Result<Arc<KeyShare>, RunError> {
        let (node, id) = (self.clone(), key.id);
        if !*key.doubt.borrow() {
            let share = self.workers.run(move || node.keys.share(id)).await?;
            return share.map_err(|error| internal(&error))?.ok_or(RunError::NoShare);
        }
        let shares = self.workers.run(move || node.shares(id)).await?.map_err(|error| internal(&error))?;
        let first = shares.first().cloned().ok_or(RunError::NoShare)?;
        let reports = self.ask(id, &others, SIGNING).await;
        // Who does not answer will not sign either, or has the shares in use.
        Ok(newest(shares, &reports).unwrap_or(first))
    }

    /// The share that a refresh with these nodes renews. For a node to be repaired (`lost`) none, unless it has one that
    /// fits theirs.
    pub(super) async fn base(
        self: &Arc<Self>,
        key: &Key,
        others: Vec<u8>,
        lost: bool,
    ) -> Result<Option<Arc<KeyShare>>, NodeRefusal> {
        let id = key.id;
        // Of a share to be repaired: what cannot be read is as good as lost.
        let shares =
            self.blocking(move |node| if lost { Ok(node.shares(id).unwrap_or_default()) } else { node.shares(id) });
        let shares = shares.await?;
        let Some(first) = shares.first().cloned() else { return Ok(None) };
        if !lost && shares.len() == 1 {
            return Ok(Some(first));
        }
        let reports = self.ask(id, &others, RENEWING).await;
        let found = newest(shares, &reports);
        match lost {
            // One other epoch at all others: what is here fits nothing any more.
            true => Ok((reports.len() < others.len() || !agree(&reports)).then_some(first).or(found)),
            false => Ok(Some(found.unwrap_or(first))),
        }
    }

    /// Of the shares in use and those before, only these stay. Blocks.
    pub(super) fn keep_only(&self, id: B256, base: B256) -> Result<(), KeyError> {
        match self.keys.stored(Slot::Previous, id)? {
            Some(previous) if previous.fingerprint() == base => {
                self.vault.go_back(id)?;
                self.keys.remember(id, Arc::new(previous));
                Ok(())
            }
            _ => Ok(self.vault.remove(Slot::Previous, id)?),
        }
    }
}

fn newest(shares: Vec<Arc<KeyShare>>, others: &BTreeMap<u8, Report>) -> Option<Arc<KeyShare>> {
    let marks: Vec<_> = shares.iter().map(|share| (share.epoch(), share.fingerprint())).collect();
    let newest = newest_of_all(&marks, others)?;
    shares.into_iter().find(|share| share.fingerprint() == newest)
}

/// There are shares that all of them have.
fn agree(reports: &BTreeMap<u8, Report>) -> bool {
    let of_all =
        |mark: B256| !mark.is_zero() && reports.values().all(|(current, other)| [*current, *other].contains(&mark));
    reports.values().next().is_some_and(|(current, other)| of_all(*current) || of_all(*other))
}
