//! What the app server offers a page before the owner signs.

use alloy::primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

use super::{KeyAttestation, NodeNonce, RunKind, joint_challenge};
use crate::ProtocolError;

/// A node of the network, as the page is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NodeIdentity {
    /// Id of the node, from 1.
    pub node: u8,
    /// Its Ed25519 public key.
    pub identity: B256,
}

/// A key that belongs to nobody yet, kept for the requester for a while, and nonces of all nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyOffer {
    /// Its id.
    pub key_id: B256,
    /// Its address. Believed only once all nodes attest it ([`Self::check`]).
    pub session_key_address: Address,
    /// How many nodes must sign.
    pub threshold: u8,
    /// All nodes that hold a share.
    pub nodes: Vec<NodeIdentity>,
    /// One nonce of each node, of kind [`RunKind::KeyGeneration`].
    pub nonces: Vec<NodeNonce>,
    /// When the nonces lapse, unix seconds.
    pub expires: u64,
}

impl KeyOffer {
    /// The challenge that the grant must cover.
    ///
    /// # Errors
    /// When the nonces are not one of each node.
    pub fn challenge(&self) -> Result<B256, ProtocolError> {
        joint_challenge(RunKind::KeyGeneration, &self.nonces)
    }

    /// Do all nodes say that they hold this key, for this grant and with this threshold?
    ///
    /// # Errors
    /// Names the first node of which that cannot be said.
    pub fn check(&self, attestations: &[KeyAttestation], grant_digest: B256) -> Result<(), ProtocolError> {
        for NodeIdentity { node, identity } in &self.nodes {
            let invalid = |got: String| {
                ProtocolError::invalid("attestation", format!("the word of node {node} for this key and grant"), got)
            };
            let attestation = attestations.iter().find(|attestation| attestation.node == *node);
            let attestation = attestation.ok_or_else(|| invalid("none".into()))?;
            let address = attestation.verify(&identity.0)?;
            let says = (attestation.key_id, address, attestation.grant_digest, attestation.threshold);
            let asked = (self.key_id, self.session_key_address, grant_digest, self.threshold);
            if says != asked || usize::from(attestation.nodes) != self.nodes.len() {
                return Err(invalid(format!("its word for key {address}, grant {}", attestation.grant_digest)));
            }
        }
        Ok(())
    }
}

/// How the network of nodes is, as the app server sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyNetwork {
    /// All nodes, n.
    pub nodes: u8,
    /// Nodes that answer.
    pub live: u8,
    /// Nodes that must sign, t.
    pub threshold: u8,
    /// Keys that wait for an owner: with one, nobody waits for a key to be made.
    pub pooled: u32,
    /// A key is being made now.
    pub making: bool,
    /// How far that is; absent while none is made, and of servers before this was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<KeyProgress>,
}

/// How far the making of a key is, for whoever waits for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyProgress {
    /// It was begun so long ago, milliseconds.
    pub elapsed_ms: u64,
    /// The last one took so long, milliseconds; absent while none was made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_ms: Option<u64>,
    /// How many wait for a key.
    pub waiting: u32,
}

/// What came of a request to sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub enum SignOutcome {
    /// The session signature, r‖s‖v.
    Signed {
        /// 65 bytes.
        signature: Bytes,
    },
    /// One of the nodes failed on the way; others may do it. Ask for a new challenge and sign again.
    Again {
        /// What happened.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::hex;
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;
    use crate::distributed_key::address_of_public_key;

    const PUBLIC_KEY: [u8; 33] = hex!("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");

    fn identity(node: u8) -> SigningKey {
        SigningKey::from_bytes(&[node; 32])
    }

    fn attest(node: u8, change: impl FnOnce(&mut KeyAttestation)) -> KeyAttestation {
        let mut attestation = KeyAttestation {
            node,
            key_id: B256::repeat_byte(1),
            public_key: PUBLIC_KEY.into(),
            grant_digest: B256::repeat_byte(2),
            threshold: 2,
            nodes: 3,
            signature: Bytes::new(),
        };
        change(&mut attestation);
        let signature = identity(node).sign(attestation.signed_text().as_bytes());
        attestation.signature = signature.to_bytes().to_vec().into();
        attestation
    }

    #[test]
    fn all_nodes_must_attest_this_key_for_this_grant() {
        let nodes = (1..=3).map(|node| {
            let identity = B256::from(identity(node).verifying_key().to_bytes());
            NodeIdentity { node, identity }
        });
        let offer = KeyOffer {
            key_id: B256::repeat_byte(1),
            session_key_address: address_of_public_key(&PUBLIC_KEY).unwrap(),
            threshold: 2,
            nodes: nodes.collect(),
            nonces: vec![],
            expires: 0,
        };
        let digest = B256::repeat_byte(2);
        let third = |change: fn(&mut KeyAttestation)| vec![attest(1, |_| {}), attest(2, |_| {}), attest(3, change)];
        assert_eq!(offer.check(&third(|_| {}), digest), Ok(()));
        assert!(offer.check(&third(|_| {}), B256::ZERO).is_err());
        assert!(offer.check(&third(|_| {})[..2], digest).is_err());
        let other_key = hex!("02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5");
        let changes: [fn(&mut KeyAttestation); 5] = [
            |a| a.key_id = B256::ZERO,
            |a| a.grant_digest = B256::ZERO,
            |a| a.threshold = 1,
            |a| a.nodes = 4,
            |a| a.node = 2, // node 3's signature under node 2's name
        ];
        for change in changes {
            assert!(offer.check(&third(change), digest).is_err());
        }
        let mut swapped = third(|_| {});
        swapped[2] = attest(3, |a| a.public_key = other_key.into());
        assert!(offer.check(&swapped, digest).is_err());
    }
}
