//! Distributed session keys: who may have one made, and what its nodes may sign (docs/protocol.md U16 to U21).
//!
//! A session key is shared by `n` nodes, `t` of which sign together; nobody ever holds it. The page holds an
//! ephemeral Ed25519 key that authenticates its requests. On chain nothing is new: the leaf is an ABI leaf for the
//! shared key's address, or on Nexus a Smart Session of that key. Pure rules only, the same for page, server and nodes; sockets, randomness and clocks are
//! elsewhere.
//!
//! # How a key comes to its owner
//!
//! 1. All nodes make keys ahead of time that belong to nobody. The app server, which is not trusted, keeps a pool
//!    of their ids and addresses and offers one ([`KeyOffer`]) together with single-use nonces of all nodes.
//! 2. The page builds its leaves for that address and the owner signs a [`Grant`] over everything that counts.
//! 3. Each node verifies it by itself ([`verify_grant`]), checks that its own nonce is in it and unspent and that id
//!    and address are those of a key of its own, binds the key to this grant, once and for ever, and says so
//!    ([`KeyAttestation`]). The page goes on only when all n nodes have said so.
//!
//! # How a user operation is signed
//!
//! The page asks for the nonces of exactly `t` nodes, signs a [`SignRequest`] with the ephemeral key, and each of these
//! nodes checks it by itself ([`authorize_sign_by`]) before it takes part.

use alloy::{
    primitives::{Address, hex},
    signers::k256::ecdsa::VerifyingKey,
};

use super::ProtocolError;

mod attestation;
mod challenge;
mod ephemeral_key;
mod grant;
mod grant_text;
mod module_info;
mod nexus;
mod offer;
mod operation_cost;
mod permissions;
mod refusal;
mod revocation;
mod sign_request;
#[cfg(test)]
mod tests;
mod typed_data;
pub mod use_aa;

pub use attestation::KeyAttestation;
pub use challenge::{MAX_NODES, NodeNonce, RunKind, joint_challenge};
pub use ephemeral_key::EphemeralKey;
pub use grant::{GRANT_VERSION, Grant, GrantedLeaf, MAX_LEAVES, MAX_LIFETIME, SignedGrant, policy_hash, verify_grant};
pub use module_info::{DanModuleInfo, clear_text_key, is_distributed, remove_clear_text_key};
pub use nexus::{NEXUS_GRANT_VERSION, NexusGrant, NexusProof, sessions_hash};
pub use offer::{KeyNetwork, KeyOffer, KeyProgress, NodeIdentity, SignOutcome};
pub use operation_cost::{
    CostRules, DEFAULT_MAX_OPERATION_COST, default_operation_cost, default_operation_cost_with_data,
};
pub use permissions::permissions;
pub use refusal::Refusal;
pub use revocation::{Revocation, RevokedBy, RevokedGrant, verify_revocation};
pub use sign_request::{SignRequest, authorize_sign, authorize_sign_by};
pub use typed_data::TypedData;

/// Ethereum address of a public key, compressed (33 bytes) or not (65 bytes). `@biconomy/use-aa` hashes a stray
/// space for uncompressed keys and gets a wrong address (10-D4).
pub fn address_of_public_key(public_key: &[u8]) -> Result<Address, ProtocolError> {
    VerifyingKey::from_sec1_bytes(public_key).map(|key| Address::from_public_key(&key)).map_err(|_| {
        ProtocolError::invalid("publicKey", "a secp256k1 public key, 33 or 65 bytes", hex::encode_prefixed(public_key))
    })
}
