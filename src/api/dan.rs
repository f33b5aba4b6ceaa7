//! The nodes that share distributed session keys: this server carries requests to them and collects what they answer.
//!
//! It is **not trusted**: each node verifies by itself what the owner or the page signed, over nonces of its own. What a
//! dishonest server can do is to do nothing, or to offer keys of nodes of its own (`use_aa_dan_node` says more).

use alloy::primitives::Address;
use leptos::server;

use super::call::FunctionCall;
use crate::{
    error::AppError,
    protocol::distributed_key::{
        KeyAttestation, KeyNetwork, KeyOffer, NodeNonce, Revocation, SignOutcome, SignRequest, SignedGrant,
    },
};

/// How the network of nodes is: shown while a person waits for a key.
#[server(name = GetKeyNetwork, protocol = FunctionCall, prefix = "/api/fn", endpoint = "key_network")]
pub async fn key_network() -> Result<KeyNetwork, AppError> {
    Ok(super::server_state()?.dan()?.network().await)
}

/// A key that belongs to nobody yet, and a nonce of every node. Waits while a key is being made when none is left.
#[server(name = OfferDistributedKey, protocol = FunctionCall, prefix = "/api/fn", endpoint = "offer_distributed_key")]
pub async fn offer_distributed_key() -> Result<KeyOffer, AppError> {
    super::server_state()?.dan()?.offer().await
}

/// Binds an offered key to what the owner signed, at every node.
#[server(name = BindDistributedKey, protocol = FunctionCall, prefix = "/api/fn", endpoint = "bind_distributed_key")]
pub async fn bind_distributed_key(grant: SignedGrant, nonces: Vec<NodeNonce>) -> Result<Vec<KeyAttestation>, AppError> {
    super::server_state()?.dan()?.bind(grant, nonces).await
}

/// Nonces of as many nodes as must sign: those are the signers of the next request.
#[server(name = GetSigningChallenge, protocol = FunctionCall, prefix = "/api/fn", endpoint = "signing_challenge")]
pub async fn signing_challenge(threshold: u8) -> Result<Vec<NodeNonce>, AppError> {
    super::server_state()?.dan()?.challenge(threshold).await
}

/// Has a user operation signed by the nodes that the request names. What they answer recovers to
/// `session_key_address`, or is an error.
#[server(name = SignWithDistributedKey, protocol = FunctionCall, prefix = "/api/fn", endpoint = "sign_with_distributed_key")]
pub async fn sign_with_distributed_key(
    request: SignRequest,
    nonces: Vec<NodeNonce>,
    session_key_address: Address,
) -> Result<SignOutcome, AppError> {
    super::server_state()?.dan()?.sign(request, nonces, session_key_address).await
}

/// Tells every node that a grant is taken back. An error when so few heard it that the others could still sign.
#[server(name = RevokeDistributedKey, protocol = FunctionCall, prefix = "/api/fn", endpoint = "revoke_distributed_key")]
pub async fn revoke_distributed_key(revocation: Revocation) -> Result<(), AppError> {
    super::server_state()?.dan()?.revoke(&revocation).await
}
