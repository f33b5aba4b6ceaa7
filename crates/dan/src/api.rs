//! What the coordinator asks a node over HTTP (JSON, bodies of at most [`MAX_BODY`] bytes), and what the node answers.
//!
//! The coordinator is untrusted: it carries requests that were signed by the owner (grants, revocations) or by the
//! ephemeral key (signatures), and each node decides by itself. The same request goes to **every** node that takes part
//! (all n for keys, t for a signature); the nodes then talk among themselves over their own mesh and each answers.
//!
//! | Endpoint | Who | Request | Answer |
//! |---|---|---|---|
//! | `POST /v1/nonce` | server, operator | [`NonceRequest`] | [`NonceAnswer`] |
//! | `POST /v1/pool` (all n) | server | [`PoolRequest`] | [`PoolAnswer`] |
//! | `GET /v1/pool` | server | | [`PoolAnswer`] |
//! | `POST /v1/keygen` (all n) | server | [`KeygenRequest`] | [`KeyAttestation`] |
//! | `POST /v1/sign` (exactly t) | server | [`SignBody`] | [`SignAnswer`] |
//! | `POST /v1/revoke` (each) | server | [`Revocation`] | [`RevokeAnswer`] |
//! | `GET /v1/keys?after=<key id>` | operator | | [`KeysAnswer`] |
//! | `POST /v1/refresh` (all n) | operator | [`RefreshRequest`] | [`RefreshAnswer`] |
//! | `GET /v1/bans` | operator | | [`BansAnswer`] |
//! | `POST /v1/bans/lift` | operator | [`LiftRequest`] | [`LiftAnswer`] |
//! | `GET /v1/status` | anybody; bans: operator | | [`StatusAnswer`] |
//!
//! **Who asks.** The app server and the operator each have a secret ([`CallerKey`](crate::caller_key::CallerKey)) that
//! they send as `Authorization: Bearer`. Whoever sends none, or another one, is refused before the request's body is
//! read.
//!
//! Every refusal is a [`NodeRefusal`] with a 4xx or 5xx status.
//!
//! **Identity.** A node has one Ed25519 key. Its public half (32 bytes, hex) is what `USE_AA_DAN_NODES` names behind
//! the `#`. It signs [`KeyAttestation`]s, so that the coordinator cannot slip in a key of its own, and (as X25519 key of
//! the same curve) authenticates the node in the mesh. A signature needs no attestation: it recovers to the key's
//! address or it is worthless.

use alloy::primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

pub use use_aa_protocol::distributed_key::{KeyAttestation, NodeNonce, Revocation, RunKind, SignRequest, SignedGrant};

/// Largest body of a request, bytes. Grants for Nexus accounts are the large ones: their policies' data is long.
pub const MAX_BODY: usize = 256 * 1024;

/// Most keys of one [`KeysAnswer`].
pub const KEYS_AT_ONCE: usize = 1000;

/// Asks for a nonce.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct NonceRequest {
    /// What it will be used for. Lives 10 minutes for key generation (a person confirms), else 60 s.
    pub kind: RunKind,
}

/// A fresh nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonceAnswer {
    /// Id of the node, from 1.
    pub node: u8,
    /// The nonce.
    pub nonce: B256,
    /// When it lapses, unix seconds.
    pub expires: u64,
}

/// Asks for keys ahead of any grant.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolRequest {
    /// How many, 1 to 16.
    pub count: u8,
    /// How many nodes must sign with them, t.
    pub threshold: u8,
    /// Nonces of kind `pool` of all n nodes.
    pub nonces: Vec<NodeNonce>,
}

/// A key that nobody has yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PooledKey {
    /// Its id: the same at every node.
    pub key_id: B256,
    /// Its public key, compressed (33 bytes).
    pub public_key: Bytes,
    /// Its address.
    pub address: Address,
    /// How many nodes must sign.
    pub threshold: u8,
}

/// Keys that were made or that are waiting. A key can be bound only when all n nodes list it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolAnswer {
    /// Id of the node, from 1.
    pub node: u8,
    /// The keys, oldest first.
    pub keys: Vec<PooledKey>,
}

/// A key that a node knows, waiting or granted; nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldKey {
    /// Its id.
    pub key_id: B256,
    /// Its address.
    pub address: Address,
    /// End of its grant, unix seconds; none while it waits for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<u64>,
    /// The grant was taken back.
    pub revoked: bool,
    /// The node's share is there.
    pub share: bool,
}

/// Keys of a node, for its operator: up to [`KEYS_AT_ONCE`], in the order of their ids, behind the one asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysAnswer {
    /// Id of the node, from 1.
    pub node: u8,
    /// The keys.
    pub keys: Vec<HeldKey>,
}

/// Binds a pooled key to a grant, once and for ever. Repeating it with the same grant gives the same attestation, with
/// nonces old or new. Without a pooled key: ask for one (`POST /v1/pool`, seconds), then let the owner grant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeygenRequest {
    /// What the owner signed; names the key by id and address.
    pub grant: SignedGrant,
    /// Nonces of kind `key-generation` of all n nodes. The grant covers their joint challenge.
    pub nonces: Vec<NodeNonce>,
}

/// Asks for a signature.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignBody {
    /// What the ephemeral key signed; names the same nodes as the nonces do.
    pub request: SignRequest,
    /// Nonces of kind `signing` of exactly t nodes: the signer set. The request covers their joint challenge.
    pub nonces: Vec<NodeNonce>,
}

/// A signature over `personal_sign` of the user operation hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignAnswer {
    /// Id of the node, from 1.
    pub node: u8,
    /// As the node computed it from the operation.
    pub user_op_hash: B256,
    /// `r ‖ s ‖ v`, v 27 or 28, s in the lower half. Each signer answers the same.
    pub signature: Bytes,
}

/// The key signs no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RevokeAnswer {
    /// Id of the node, from 1.
    pub node: u8,
    /// Which key.
    pub key_id: B256,
}

/// Asks for new shares of a key (all n nodes online). Nodes that lost their share get it back first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshRequest {
    /// Which key.
    pub key_id: B256,
    /// A node whose share is lost and shall be rebuilt by the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair: Option<u8>,
    /// Nonces of all n nodes, of kind `repair` when a node is repaired, else `refresh`.
    pub nonces: Vec<NodeNonce>,
}

/// The shares are new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefreshAnswer {
    /// Id of the node, from 1.
    pub node: u8,
    /// Which key.
    pub key_id: B256,
    /// How often its shares were renewed.
    pub epoch: u64,
}

/// How a node is; nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusAnswer {
    /// Version of the program.
    pub version: String,
    /// Id of the node, from 1.
    pub node: u8,
    /// Its identity: Ed25519 public key, 32 bytes.
    pub identity: B256,
    /// How many nodes there are, n.
    pub nodes: u8,
    /// Nodes that must sign unless a request says otherwise, t.
    pub threshold: u8,
    /// True once enough peers are connected for a signature.
    pub ready: bool,
    /// The other nodes.
    pub peers: Vec<PeerStatus>,
    /// Keys bound to a grant.
    pub keys: u32,
    /// Keys that wait for a grant.
    pub pooled: u32,
    /// Sessions under way.
    pub sessions: u32,
    /// Bytes of messages sent to other nodes since the start.
    pub mesh_bytes_sent: u64,
}

/// How a node sees another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// Its id, from 1.
    pub node: u8,
    /// A mesh connection is open.
    pub connected: bool,
    /// It cheated, and is not worked with until the operator lifts the ban. Told to the operator only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub banned: Option<bool>,
}

/// Another node that this one does not work with, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Who is banned.
    pub node: u8,
    /// What failed.
    pub reason: String,
    /// When, unix seconds.
    pub at: u64,
    /// In which run; nothing where the ban is older than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<BanEvidence>,
}

/// Where a node cheated, as the one saw it that banned it: enough to find the same run in the logs of the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BanEvidence {
    /// What the nodes were doing.
    pub kind: RunKind,
    /// Id of the run.
    pub run: B256,
    /// Which key.
    pub key_id: B256,
    /// How often its shares had been renewed.
    pub epoch: u64,
    /// Round of the run, from 1.
    pub round: u8,
    /// Who took part.
    pub participants: Vec<u8>,
}

/// The bans of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BansAnswer {
    /// Id of the node that banned them, from 1.
    pub node: u8,
    /// In the order of the banned nodes' ids.
    pub bans: Vec<Ban>,
}

/// Asks a node to work with another one again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiftRequest {
    /// Which one.
    pub node: u8,
}

/// It does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiftAnswer {
    /// Id of the node that lifted the ban, from 1.
    pub node: u8,
    /// The ban that there was; nothing when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Ban>,
}

/// Why a node does not do it.
///
/// | Code | Status | Reason |
/// |---|---|---|
/// | `malformed` | 400, 413 | no JSON of the right form, or too large |
/// | `unauthorized` | 401 | the caller sent no key, or one that is not known here; the message names the variable |
/// | `forbidden` | 403 | the caller's key is for other requests; the message names the right one |
/// | `nonce` | 403 | unknown, used, lapsed or of another kind |
/// | `challenge` | 403 | not the hash of the nonces |
/// | `participants` | 403 | this node is not named, or not all n are where all must be |
/// | `unknown-key`, `key-taken` | 404, 409 | no such key here; bound to another grant |
/// | `peer-down` | 503 | a participant cannot be reached, or was lost on the way |
/// | `peer-banned` | 503 | a participant cheated, now or before |
/// | `peer-refused` | 503 | a participant does not take part; the message names it and its reason |
/// | `disagree` | 503 | a participant was asked something else |
/// | `timeout` | 504 | a participant did not answer in time |
/// | `aborted` | 503 | the protocol stopped; to be tried again |
/// | `share-epoch` | 503 | new shares are being decided on, here or at the node named; to be tried again |
/// | `revoked` | 403 | the grant was taken back |
/// | `no-share` | 503 | the node lost its share: it must be repaired |
/// | `rate-limited`, `busy`, `pool-full` | 429 | too many requests for this key, of all, or keys |
/// | `too-many-keys` | 429 | so many keys are bound, of the account or in all; the message names limit and variable |
/// | `internal` | 500 | this node's own fault |
/// | codes of [`Refusal`](use_aa_protocol::distributed_key::Refusal) | 403 | the grant or the request is refused |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("node {node} refuses ({code}): {message}")]
pub struct NodeRefusal {
    /// Which kind of reason; stable.
    pub code: String,
    /// For people.
    pub message: String,
    /// Id of the node that refuses, from 1.
    pub node: u8,
    /// The other node that it blames: gone, silent, cheating or banned. Its word only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<u8>,
}
