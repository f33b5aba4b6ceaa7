//! What a node says about a key, signed with its identity (Ed25519): the coordinator carries it and cannot change it.
//!
//! A client takes a key's address only when **all n** nodes attest the same one for its own grant. Fewer than t of them
//! may be dishonest, so at least n − t + 1 honest nodes hold shares of exactly this key, bound to exactly this grant.

use alloy::primitives::{Address, B256, Bytes};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::address_of_public_key;
use crate::ProtocolError;

/// A node's word that it holds a share of this key and will use it for this grant only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyAttestation {
    /// Id of the node, from 1.
    pub node: u8,
    /// Which key.
    pub key_id: B256,
    /// Its public key, compressed (33 bytes).
    pub public_key: Bytes,
    /// What the owner signed (EIP-712 digest of the grant).
    pub grant_digest: B256,
    /// How many nodes must sign.
    pub threshold: u8,
    /// How many nodes hold a share.
    pub nodes: u8,
    /// Ed25519 over [`Self::signed_text`] by the node's identity, 64 bytes.
    pub signature: Bytes,
}

impl KeyAttestation {
    /// The text under the signature.
    pub fn signed_text(&self) -> String {
        let Self { node, key_id, public_key, grant_digest, threshold, nodes, .. } = self;
        format!("use-aa dan key 1\n{node}\n{key_id}\n{public_key}\n{grant_digest}\n{threshold}\n{nodes}\n")
    }

    /// Checks the signature with the node's identity (32 bytes) and gives the key's address.
    pub fn verify(&self, identity: &[u8; 32]) -> Result<Address, ProtocolError> {
        let wrong =
            || ProtocolError::invalid("attestation", "the signature of the node", format!("node {}", self.node));
        let key = VerifyingKey::from_bytes(identity).map_err(|_| wrong())?;
        let signature = Signature::from_slice(&self.signature).map_err(|_| wrong())?;
        key.verify_strict(self.signed_text().as_bytes(), &signature).map_err(|_| wrong())?;
        address_of_public_key(&self.public_key)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{address, hex};
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    #[test]
    fn any_changed_field_breaks_the_signature() {
        let identity = SigningKey::from_bytes(&[7; 32]);
        // Public key of the private key 1: the generator.
        let public_key = hex!("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
        let mut attestation = KeyAttestation {
            node: 2,
            key_id: B256::repeat_byte(1),
            public_key: public_key.into(),
            grant_digest: B256::repeat_byte(2),
            threshold: 3,
            nodes: 5,
            signature: Bytes::new(),
        };
        attestation.signature = identity.sign(attestation.signed_text().as_bytes()).to_bytes().to_vec().into();
        let verifying = identity.verifying_key().to_bytes();
        let expected = address!("7e5f4552091a69125d5dfcb7b8c2659029395bdf");
        assert_eq!(attestation.verify(&verifying), Ok(expected));
        assert!(attestation.verify(&SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes()).is_err());
        let changes: [fn(&mut KeyAttestation); 6] = [
            |a| a.node = 3,
            |a| a.key_id = B256::ZERO,
            |a| a.public_key = hex!("02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5").into(),
            |a| a.grant_digest = B256::ZERO,
            |a| a.threshold = 2,
            |a| a.nodes = 4,
        ];
        for change in changes {
            let mut changed = attestation.clone();
            change(&mut changed);
            assert!(changed.verify(&verifying).is_err(), "{changed:?}");
        }
    }
}
