//! A node's share of a key, in a type that nobody can print.
//!
//! The `Debug` of `dkls23`'s types prints the share itself. So they never leave this module's wrapper as they are, and
//! every buffer that holds one is wiped when it is dropped.

use std::fmt;

use alloy::primitives::{Address, B256, keccak256};
use dkls23::{
    protocols::{Abort, AbortKind, AbortReason, PartyIndex},
    secp256k1::{Party, PublicKeyPackage},
};
use k256::{AffinePoint, elliptic_curve::group::GroupEncoding};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::run_error::RunError;
use use_aa_protocol::distributed_key::address_of_public_key;

/// Bytes that are wiped when dropped.
pub type SecretBytes = Zeroizing<Vec<u8>>;

/// One node's share of a key, with what is public about all shares.
#[derive(Serialize, Deserialize)]
pub struct KeyShare {
    /// The share itself and the node's setup with each other node.
    pub(super) party: Party,
    /// Public key and the public half of each node's share.
    pub(super) package: PublicKeyPackage,
    /// How often the shares were renewed.
    pub(super) epoch: u64,
}

impl fmt::Debug for KeyShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyShare(of {}, epoch {})", self.party.party_index, self.epoch)
    }
}

impl KeyShare {
    /// The key's public half, compressed (33 bytes).
    pub fn public_key(&self) -> [u8; 33] {
        compressed(self.package.verifying_key())
    }

    /// The key's address.
    pub fn address(&self) -> Option<Address> {
        address_of_public_key(&self.public_key()).ok()
    }

    /// How many nodes must sign, t.
    pub fn threshold(&self) -> u8 {
        self.party.parameters.threshold
    }

    /// How many nodes hold a share, n.
    pub fn nodes(&self) -> u8 {
        self.party.parameters.share_count
    }

    /// What all nodes of one epoch have in common: public key, public halves of the shares, the protocol's run.
    pub fn fingerprint(&self) -> B256 {
        let mut bytes = b"use-aa dan epoch 1".to_vec();
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.party.session_id);
        self.write_public_halves(&mut bytes);
        keccak256(bytes)
    }

    /// The same without the protocol's run, which a share that was just rebuilt does not know.
    pub(super) fn epoch_mark(&self) -> B256 {
        let mut bytes = b"use-aa dan epoch mark 1".to_vec();
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        self.write_public_halves(&mut bytes);
        keccak256(bytes)
    }

    fn write_public_halves(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.public_key());
        for index in (1..=self.nodes()).filter_map(|index| PartyIndex::new(index).ok()) {
            if let Some(point) = self.package.verifying_share(index) {
                bytes.extend_from_slice(&compressed(point));
            }
        }
    }

    /// How often the shares were renewed.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// For the vault.
    pub fn encode(&self) -> Result<SecretBytes, RunError> {
        encode(self)
    }

    /// From the vault.
    pub fn decode(bytes: &[u8]) -> Result<Self, RunError> {
        postcard::from_bytes(bytes).map_err(|_| RunError::Internal("a share that cannot be read".into()))
    }
}

fn compressed(point: &AffinePoint) -> [u8; 33] {
    let mut bytes = [0; 33];
    bytes.copy_from_slice(&point.to_bytes());
    bytes
}

/// One message or record as bytes. Its length is measured first: a growing buffer would leave copies behind.
pub(super) fn encode<T: Serialize>(value: &T) -> Result<SecretBytes, RunError> {
    let failed = |_| RunError::Internal("a message that cannot be written".into());
    let length = postcard::experimental::serialized_size(value).map_err(failed)?;
    let mut bytes = Zeroizing::new(vec![0; length]);
    postcard::to_slice(value, &mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// A message of another node; anything but exactly one value is that node's fault.
pub(super) fn decode<T: DeserializeOwned>(from: u8, bytes: &[u8]) -> Result<T, RunError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        _ => Err(RunError::cheated(from, "a message that cannot be read")),
    }
}

/// The protocol's own index of a node.
pub(super) fn index(node: u8) -> Result<PartyIndex, RunError> {
    PartyIndex::new(node).map_err(|_| RunError::Internal("node 0".into()))
}

/// Why the protocol stopped; its texts name steps and nodes, never values.
pub(super) fn aborted(abort: Abort) -> RunError {
    match abort.kind {
        AbortKind::BanCounterparty(node) => RunError::Ban { node: node.as_u8(), reason: abort.description() },
        AbortKind::Recoverable => match abort.reason {
            AbortReason::CommitmentMismatch { counterparty: node }
            | AbortReason::ZeroShareDecommitFailed { counterparty: node }
            | AbortReason::ChainCodeCommitmentFailed { party: node } => {
                RunError::cheated(node.as_u8(), "an opening that does not fit its commitment")
            }
            AbortReason::ProofVerificationFailed { counterparty: node } => {
                RunError::cheated(node.as_u8(), "a proof that does not hold")
            }
            AbortReason::TrivialInstancePoint { counterparty: node } => {
                RunError::cheated(node.as_u8(), "a point at infinity")
            }
            _ => RunError::Aborted(abort.description()),
        },
    }
}
