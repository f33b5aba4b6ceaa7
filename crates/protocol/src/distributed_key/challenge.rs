//! The joint challenge: one hash over the single-use nonces of the nodes that take part.
//!
//! Each node contributes a nonce and accepts a challenge only when its own nonce is in it, unused; so a request that
//! was signed over a challenge is answered at most once by each honest node, whatever the coordinator does.

use alloy::primitives::{B256, keccak256};
use serde::{Deserialize, Serialize};

use crate::ProtocolError;

/// Most nodes of a network (n ≤ 16).
pub const MAX_NODES: u8 = 16;

/// What a challenge is for. A nonce drawn for one kind is refused for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunKind {
    /// Keys made ahead of any grant.
    Pool,
    /// A key bound to a grant (the owner signs over the challenge).
    KeyGeneration,
    /// A signature (the ephemeral key signs over the challenge).
    Signing,
    /// New shares of the same key.
    Refresh,
    /// The share of a node that lost it.
    Repair,
}

impl RunKind {
    /// The name that goes into hashes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::KeyGeneration => "key-generation",
            Self::Signing => "signing",
            Self::Refresh => "refresh",
            Self::Repair => "repair",
        }
    }
}

/// The nonce of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NodeNonce {
    /// Id of the node, from 1.
    pub node: u8,
    /// 32 random bytes, used once.
    pub nonce: B256,
}

/// Hash over kind, nodes and nonces, in ascending order of the nodes. The nodes named here are the ones that take
/// part; an empty list, an id of 0 or beyond [`MAX_NODES`], or a node named twice is an error.
pub fn joint_challenge(kind: RunKind, nonces: &[NodeNonce]) -> Result<B256, ProtocolError> {
    let mut sorted = nonces.to_vec();
    sorted.sort_by_key(|entry| entry.node);
    let twice = sorted.windows(2).any(|pair| pair[0].node == pair[1].node);
    let known = |entry: &NodeNonce| (1..=MAX_NODES).contains(&entry.node);
    if sorted.is_empty() || twice || !sorted.iter().all(known) {
        let got = nonces.iter().map(|entry| entry.node.to_string()).collect::<Vec<_>>().join(", ");
        return Err(ProtocolError::invalid("nonces", "one nonce of each node, ids from 1 to 16", got));
    }
    let mut bytes = format!("use-aa dan challenge 1\n{}\n", kind.name()).into_bytes();
    for entry in &sorted {
        bytes.push(entry.node);
        bytes.extend_from_slice(entry.nonce.as_slice());
    }
    Ok(keccak256(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn nonce(node: u8, byte: u8) -> NodeNonce {
        NodeNonce { node, nonce: B256::repeat_byte(byte) }
    }

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let challenge = |kind, nonces: &[NodeNonce]| joint_challenge(kind, nonces).unwrap();
        let first = challenge(RunKind::Signing, &[nonce(1, 7), nonce(2, 8)]);
        assert_eq!(first, challenge(RunKind::Signing, &[nonce(2, 8), nonce(1, 7)]));
        assert_ne!(first, challenge(RunKind::KeyGeneration, &[nonce(1, 7), nonce(2, 8)]));
        assert_ne!(first, challenge(RunKind::Signing, &[nonce(1, 8), nonce(2, 7)]));
        assert_ne!(first, challenge(RunKind::Signing, &[nonce(1, 7), nonce(3, 8)]));
        assert_ne!(first, challenge(RunKind::Signing, &[nonce(1, 7)]));
    }

    #[test]
    fn nodes_are_named_once_and_from_1_to_16() {
        for nonces in [vec![], vec![nonce(0, 1)], vec![nonce(17, 1)], vec![nonce(3, 1), nonce(3, 2)]] {
            assert!(joint_challenge(RunKind::Signing, &nonces).is_err(), "{nonces:?}");
        }
        assert!(joint_challenge(RunKind::Signing, &[nonce(16, 1)]).is_ok());
    }
}
