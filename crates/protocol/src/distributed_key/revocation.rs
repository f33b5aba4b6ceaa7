//! [`Revocation`]: the nodes are told to sign no more.

use alloy::primitives::{Address, B256, Bytes};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Grant, Refusal, TypedData,
    typed_data::{signed_by, typed_data},
};

mod typed {
    #![allow(missing_docs)]
    alloy::sol! {
        /// Field names are what the person reads in the wallet.
        #[derive(Debug)]
        struct RevokeDistributedSession {
            string purpose;
            address account;
            address owner;
            uint64 chainId;
            address sessionKey;
            bytes32 sessionKeyId;
        }
    }
}

/// Who takes the grant back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "camelCase")]
pub enum RevokedBy {
    /// The owner: `eth_signTypedData_v4` of [`Revocation::typed_data`], 65 bytes. Works from any device.
    Owner {
        /// The signature.
        signature: Bytes,
    },
    /// The page that may use it: Ed25519 over [`Revocation::signed_text`] by the ephemeral key, 64 bytes. Needs no wallet.
    EphemeralKey {
        /// The signature.
        signature: Bytes,
    },
}

/// Takes a grant back at the nodes, for ever. It needs no challenge: to repeat it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// Which key.
    pub key_id: B256,
    /// Who says so.
    #[serde(flatten)]
    pub by: RevokedBy,
}

impl Revocation {
    /// What the owner's wallet shows and signs.
    pub fn typed_data(grant: &RevokedGrant) -> TypedData {
        let RevokedGrant { account, owner, chain_id, session_key_address, key_id } = *grant;
        let message = typed::RevokeDistributedSession {
            purpose: "Make the nodes that share this session key sign no more with it.".into(),
            account,
            owner,
            chainId: chain_id,
            sessionKey: session_key_address,
            sessionKeyId: key_id,
        };
        let fields = vec![
            ("purpose", "string", json!(message.purpose)),
            ("account", "address", json!(account)),
            ("owner", "address", json!(owner)),
            ("chainId", "uint64", json!(chain_id)),
            ("sessionKey", "address", json!(session_key_address)),
            ("sessionKeyId", "bytes32", json!(key_id)),
        ];
        typed_data(1, chain_id, &message, fields)
    }

    /// What the ephemeral key signs.
    pub fn signed_text(key_id: B256) -> String {
        format!("use-aa dan revoke 1\n{key_id}\n")
    }
}

/// What a revocation says of the grant; a page knows it without keeping the whole grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedGrant {
    /// Who signed the grant.
    pub owner: Address,
    /// The smart account.
    pub account: Address,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Address of the shared key.
    pub session_key_address: Address,
    /// Its id at the nodes.
    pub key_id: B256,
}

impl From<&Grant> for RevokedGrant {
    fn from(grant: &Grant) -> Self {
        let Grant { owner, account, chain_id, session_key_address, key_id, .. } = *grant;
        Self { owner, account, chain_id, session_key_address, key_id }
    }
}

/// Is this grant taken back by someone who may? Holds also for a grant that is over.
///
/// # Errors
/// `OtherKey`, `NotTheOwner`, `NotTheEphemeralKey`.
pub fn verify_revocation(grant: &Grant, revocation: &Revocation) -> Result<(), Refusal> {
    if revocation.key_id != grant.key_id {
        return Err(Refusal::OtherKey);
    }
    match &revocation.by {
        RevokedBy::Owner { signature } => {
            signed_by(grant.owner, Revocation::typed_data(&grant.into()).digest, signature)
        }
        RevokedBy::EphemeralKey { signature } => {
            let refused = |_| Refusal::NotTheEphemeralKey;
            let key = VerifyingKey::from_bytes(&grant.ephemeral_key.0).map_err(refused)?;
            let signature = Signature::from_slice(signature).map_err(refused)?;
            key.verify_strict(Revocation::signed_text(grant.key_id).as_bytes(), &signature).map_err(refused)
        }
    }
}
