//! Distributed keys: the page's port to the nodes, and what the gateways need of it.

use std::cell::RefCell;

use alloy::primitives::Address;
use async_trait::async_trait;

use super::Outcome;
use crate::{
    actions::{
        ports::DistributedKeys,
        send_with_distributed_session::{
            PreparedDistributedUse, complete_send_with_distributed_session, prepare_send_with_distributed_session,
            revoke_at_nodes,
        },
        send_with_session::SendWithSessionRequest,
    },
    client::{relay::ServerRelay, session_store::local::LocalSessionStore, time::now_millis},
    protocol::{
        distributed_key::{
            KeyAttestation, KeyNetwork, KeyOffer, NodeNonce, Revocation, SignOutcome, SignRequest, SignedGrant,
        },
        user_op_response::UserOpResponse,
    },
};

/// An offer that lives less than this is not used again, seconds: a person must read and sign.
const TIME_TO_SIGN: u64 = 240;

thread_local! {
    /// A key that was offered to this page and not taken: whoever opens the review twice needs no second one.
    static OFFER: RefCell<Option<KeyOffer>> = const { RefCell::new(None) };
}

/// The nodes, through our server.
pub(super) struct PageKeys;

#[async_trait(?Send)]
impl DistributedKeys for PageKeys {
    async fn network(&self) -> Outcome<KeyNetwork> {
        ServerRelay.network().await
    }

    async fn offer(&self) -> Outcome<KeyOffer> {
        // The nodes' clock, not the chain's.
        let now = now_millis() / 1_000;
        let known = OFFER.with_borrow(Clone::clone).filter(|offer| offer.expires > now + TIME_TO_SIGN);
        if let Some(known) = known {
            return Ok(known);
        }
        let offer = ServerRelay.offer().await?;
        OFFER.set(Some(offer.clone()));
        Ok(offer)
    }

    async fn bind(&self, grant: &SignedGrant, nonces: &[NodeNonce]) -> Outcome<Vec<KeyAttestation>> {
        // However it ends: the nonces are used.
        OFFER.set(None);
        ServerRelay.bind(grant, nonces).await
    }

    async fn challenge(&self, threshold: u8) -> Outcome<Vec<NodeNonce>> {
        ServerRelay.challenge(threshold).await
    }

    async fn sign(
        &self,
        request: &SignRequest,
        nonces: &[NodeNonce],
        session_key_address: Address,
    ) -> Outcome<SignOutcome> {
        ServerRelay.sign(request, nonces, session_key_address).await
    }

    async fn revoke(&self, revocation: &Revocation) -> Outcome<()> {
        ServerRelay.revoke(revocation).await
    }
}

pub async fn network() -> Outcome<KeyNetwork> {
    PageKeys.network().await
}

pub async fn prepare_use(request: SendWithSessionRequest) -> Outcome<PreparedDistributedUse> {
    prepare_send_with_distributed_session(&ServerRelay, &LocalSessionStore, request).await
}

pub async fn complete_use(prepared: &PreparedDistributedUse) -> Outcome<UserOpResponse> {
    complete_send_with_distributed_session(&ServerRelay, &PageKeys, prepared).await
}

pub async fn revoke(account: Address, session_id: String) -> Outcome<()> {
    revoke_at_nodes(&LocalSessionStore, &PageKeys, account, &session_id).await
}
