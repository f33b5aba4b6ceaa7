//! Binds a key to one grant, for ever, and revokes it.

use std::sync::Arc;

use alloy::primitives::{Address, B256, Bytes};

use super::{Node, now};
use crate::{
    api::{KeyAttestation, KeygenRequest, NodeRefusal, Revocation, RevokeAnswer, RunKind},
    keys::{Key, KeyRecord},
};
use use_aa_protocol::distributed_key::{SignedGrant, verify_grant, verify_revocation};

impl Node {
    /// Binds a key to a grant. Verified here and by nobody else: signature, account, policy, time (`verify_grant`),
    /// challenge of unspent nonces of all nodes, and that id, address, t and n are those of a key of this node.
    pub async fn bind(self: &Arc<Self>, request: KeygenRequest) -> Result<KeyAttestation, NodeRefusal> {
        let KeygenRequest { grant: signed, nonces } = request;
        let grant = verify_grant(&signed, now()).map_err(|refusal| self.by_rule(&refusal))?;
        let key = self.known(grant.key_id)?;
        // One at a time: nothing can come between the look and the write.
        let _turn = key.renewal.lock().await;
        let Some(record) = key.record().clone() else { return Err(self.unknown(key.id)) };
        self.fits(&record, &signed)?;
        match &record.grant {
            Some(bound) if bound.grant == grant => return self.attest(&record, bound),
            Some(_) => return Err(self.refuse("key-taken", format!("key {} belongs to another grant", key.id))),
            None => {}
        }
        let (own, challenge) = self.challenge(RunKind::KeyGeneration, &nonces)?;
        self.everybody(&nonces)?;
        if challenge != grant.challenge {
            return Err(self.refuse("challenge", "the owner signed over another challenge"));
        }
        let _counted = self.binding.lock().await;
        self.has_room_for(grant.account)?;
        self.nonces.spend(RunKind::KeyGeneration, &own, now()).map_err(|error| self.by_nonce(error))?;
        let bound = KeyRecord { grant: Some(signed.clone()), ..record };
        let (kept, saved) = (key.clone(), bound.clone());
        self.blocking(move |node| node.keys.save(&kept, saved)).await?;
        tracing::info!(node = self.config.id, key = %key.id, account = %grant.account, "a key was granted");
        self.attest(&bound, &signed)
    }

    /// May one more key be bound for this account? Revoked ones count: their grants are kept, too.
    fn has_room_for(&self, account: Address) -> Result<(), NodeRefusal> {
        let (of_account, all) = self.keys.bound(account);
        let limits = [
            (of_account, self.config.max_keys_per_account, "of one account", "USE_AA_DAN_MAX_KEYS_PER_ACCOUNT"),
            (all, self.config.max_keys, "of all accounts", "USE_AA_DAN_MAX_KEYS"),
        ];
        match limits.into_iter().find(|(bound, most, ..)| *bound >= *most as usize) {
            None => Ok(()),
            Some((bound, most, whose, variable)) => {
                let reason = format!(
                    "{bound} keys {whose} are bound here, at most {most} may be ({variable}); each is removed a day after \
                     its grant has ended"
                );
                Err(self.refuse("too-many-keys", reason))
            }
        }
    }

    /// Does the grant name this very key, as it is?
    pub(super) fn fits(&self, record: &KeyRecord, signed: &SignedGrant) -> Result<(), NodeRefusal> {
        let grant = &signed.grant;
        let named = (grant.session_key_address, grant.threshold, grant.nodes);
        match named == (record.address, record.threshold, self.config.nodes()) {
            true => Ok(()),
            false => Err(self.refuse("other-key", "the grant names another address, t or n than the key has")),
        }
    }

    fn attest(&self, record: &KeyRecord, signed: &SignedGrant) -> Result<KeyAttestation, NodeRefusal> {
        let mut attestation = KeyAttestation {
            node: self.config.id,
            key_id: signed.grant.key_id,
            public_key: record.public_key.clone(),
            grant_digest: signed.digest().map_err(|error| self.internal(&error))?,
            threshold: record.threshold,
            nodes: self.config.nodes(),
            signature: Bytes::new(),
        };
        attestation.signature = self.config.identity.sign(&attestation.signed_text()).to_vec().into();
        Ok(attestation)
    }

    /// Takes a grant back, for ever: the shares go, the record stays until the grant is long over. Repeating it changes
    /// nothing.
    pub async fn revoke(self: &Arc<Self>, revocation: Revocation) -> Result<RevokeAnswer, NodeRefusal> {
        let key = self.known(revocation.key_id)?;
        let _turn = key.renewal.lock().await;
        let Some(record) = key.record().clone() else { return Err(self.unknown(key.id)) };
        let Some(signed) = &record.grant else { return Err(self.unknown(key.id)) };
        verify_revocation(&signed.grant, &revocation).map_err(|refusal| self.by_rule(&refusal))?;
        let (kept, revoked) = (key.clone(), KeyRecord { revoked: true, ..record.clone() });
        // First the record: a crash in between leaves a share that signs nothing, and repeating removes it.
        self.blocking(move |node| {
            if !record.revoked {
                node.keys.save(&kept, revoked)?;
            }
            node.keys.forget_shares(kept.id)
        })
        .await?;
        key.doubt.send_replace(false);
        tracing::info!(node = self.config.id, key = %key.id, "a key was revoked; its shares are removed");
        Ok(RevokeAnswer { node: self.config.id, key_id: revocation.key_id })
    }

    pub(super) fn known(&self, id: B256) -> Result<Arc<Key>, NodeRefusal> {
        self.keys.get(id).ok_or_else(|| self.unknown(id))
    }

    pub(super) fn unknown(&self, id: B256) -> NodeRefusal {
        self.refuse("unknown-key", format!("no key {id} is held here"))
    }
}
