//! Distributed keys: the page's port to the nodes, and what the gateways need of it.

use std::{cell::RefCell, pin::pin, rc::Rc};

use alloy::primitives::Address;
use async_trait::async_trait;
use futures::future::{Either, select};

use super::Outcome;
use crate::{
    actions::{
        create_session::CreateSessionVariables,
        create_session_with_distributed_key::PreparedDistributedGrant,
        ports::DistributedKeys,
        send_with_distributed_session::{
            PreparedDistributedUse, complete_send_with_distributed_session, prepare_send_with_distributed_session,
            revoke_at_nodes,
        },
        send_with_session::SendWithSessionRequest,
        session_client::SessionClient,
    },
    client::{
        operation_log::OperationKind,
        relay::ServerRelay,
        session_store::local::LocalSessionStore,
        time::{now_millis, sleep},
    },
    hooks::{
        Progress,
        key_requests::{KeyRequest, waits_for_a_key},
    },
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

/// How often is looked whether a key is being waited for, milliseconds.
const LOOK: u64 = 400;

/// Does `work`, and tells meanwhile when it waits for a key that is still being made; of a grant of this kind.
pub async fn telling<T>(kind: OperationKind, progress: &Progress, work: impl Future<Output = T>) -> T {
    if kind != OperationKind::CreateDistributedSession {
        return work.await;
    }
    let mut work = pin!(work);
    let mut told = false;
    loop {
        let pause = pin!(sleep(LOOK));
        match select(work, pause).await {
            Either::Left((done, _)) => return done,
            Either::Right(((), rest)) => work = rest,
        }
        if waits_for_a_key() != told {
            told = !told;
            progress.set_awaits_key(told);
        }
    }
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
        let request = KeyRequest::begin();
        let offer = ServerRelay.offer().await?;
        drop(request);
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

pub async fn prepare_grant(
    client: SessionClient,
    variables: CreateSessionVariables,
) -> Outcome<Box<PreparedDistributedGrant>> {
    let client = client.with_distributed_keys(Rc::new(PageKeys));
    client.prepare_create_session_with_distributed_key(variables).await.map(Box::new)
}

pub async fn complete_grant(client: SessionClient, prepared: PreparedDistributedGrant) -> Outcome<UserOpResponse> {
    let client = client.with_distributed_keys(Rc::new(PageKeys));
    client.complete_create_session_with_distributed_key(prepared).await
}

pub async fn prepare_use(request: SendWithSessionRequest) -> Outcome<Box<PreparedDistributedUse>> {
    prepare_send_with_distributed_session(&ServerRelay, &LocalSessionStore, request).await.map(Box::new)
}

pub async fn complete_use(prepared: &PreparedDistributedUse) -> Outcome<UserOpResponse> {
    complete_send_with_distributed_session(&ServerRelay, &PageKeys, prepared).await
}

pub async fn revoke(account: Address, session_id: String) -> Outcome<()> {
    revoke_at_nodes(&LocalSessionStore, &PageKeys, account, &session_id).await
}
