//! What a node that lost its share writes down about the key: what the others know of it.

use std::collections::BTreeMap;

use alloy::primitives::B256;

use super::{Node, now_ms, renewal::internal};
use crate::{
    keys::KeyRecord,
    run::RunError,
    share::{KeyShare, SecretBytes},
};
use use_aa_protocol::distributed_key::{Refusal, verify_grant};

impl Node {
    /// The one grant that the key's owner signed; `known` is what was left here. Nodes renew no revoked key: one that says
    /// it is revoked and helps with it is not believed, and the repair ends.
    ///
    /// A helper is at fault when it shows what no owner signed, and for nothing else: honest nodes may have heard of
    /// different things.
    pub(super) fn rebuilt_record(
        &self,
        key_id: B256,
        share: &KeyShare,
        known: Option<KeyRecord>,
        records: &BTreeMap<u8, SecretBytes>,
    ) -> Result<KeyRecord, RunError> {
        let address = share.address().ok_or_else(|| internal(&"a key without address"))?;
        let public_key = share.public_key().to_vec().into();
        let (threshold, revoked) = (share.threshold(), known.as_ref().is_some_and(|record| record.revoked));
        let grant = known.and_then(|record| record.grant);
        let mut own = KeyRecord { public_key, address, threshold, created: now_ms(), grant, revoked };
        for (node, bytes) in records {
            let unreadable = |_| RunError::cheated(*node, "a record that cannot be read");
            let record: KeyRecord = serde_json::from_slice(bytes).map_err(unreadable)?;
            if record.revoked {
                return Err(RunError::Aborted(format!("node {node} says that this key was revoked, and renews it")));
            }
            let Some(signed) = record.grant else { continue };
            // Nodes verified it when they bound it; by now all of it may be over, and then it simply signs nothing.
            verify_grant(&signed, signed.last_moment()).map_err(|refusal| unproven(*node, &refusal))?;
            if signed.grant.key_id != key_id || self.fits(&own, &signed).is_err() {
                return Err(RunError::cheated(*node, "the grant of another key"));
            }
            if own.grant.as_ref().is_some_and(|known| known.grant != signed.grant) {
                // Two requests for the same key, each at some nodes first. No page got all attestations of either.
                let reason = format!("node {node} bound this key to another grant than other nodes: it is of no use");
                return Err(RunError::Aborted(reason));
            }
            own.grant = Some(signed);
        }
        Ok(own)
    }
}

/// A grant that does not hold: made up, or one that this version of the program would not bind any more.
fn unproven(node: u8, refusal: &Refusal) -> RunError {
    match refusal {
        Refusal::UnknownVersion { .. } | Refusal::PolicyRefused { .. } => {
            RunError::Aborted(format!("the grant that node {node} bound is refused here: {refusal}"))
        }
        _ => RunError::cheated(node, "a grant that its owner did not sign"),
    }
}
