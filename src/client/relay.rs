//! [`ServerRelay`]: chain, bundler and paymaster through the functions of our server.

use std::cell::RefCell;

use alloy::primitives::{Address, B256, U256};
use async_trait::async_trait;
use futures::stream::LocalBoxStream;
use serde_json::Value;

use super::{
    patience::{in_time, within},
    status, time,
};
use crate::{
    actions::ports::{DistributedKeys, Relay},
    api,
    error::AppError,
    protocol::{
        distributed_key::{
            KeyAttestation, KeyNetwork, KeyOffer, NodeNonce, Revocation, SignOutcome, SignRequest, SignedGrant,
        },
        paymaster::{FeeQuotes, FeeQuotesRequest},
        rpc::{
            AccountState, ChainInfo, GasEstimate, GasFees, SimulationType, SponsorContext, Sponsorship, UserOpUpdate,
        },
        session::{PublishedLeaves, SessionUses},
        user_operation::UserOperation,
    },
};

/// The server waits up to a minute for a distributed key to be made. Milliseconds.
const MAKING_PATIENCE: u64 = 75_000;

thread_local! {
    static CHAIN_INFO: RefCell<Option<ChainInfo>> = const { RefCell::new(None) };
}

/// The relay of the page; all instances are the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerRelay;

/// The server's chain and services; asked once in the life of the page.
pub async fn chain_info() -> Result<ChainInfo, AppError> {
    if let Some(known) = CHAIN_INFO.with_borrow(Clone::clone) {
        return Ok(known);
    }
    let info = in_time(api::chain_info()).await?;
    CHAIN_INFO.set(Some(info.clone()));
    Ok(info)
}

/// The state of an account, without the rest of the relay: for code of the first load. What stands behind the owner's
/// address comes with it.
pub async fn account_state(
    account: Address,
    nonce_key: U256,
    owner: Option<Address>,
) -> Result<AccountState, AppError> {
    let state = in_time(api::account_state(account, nonce_key, owner)).await?;
    time::told(state.clocks);
    Ok(state)
}

/// How often the account's sessions were used lately.
pub async fn session_uses(account: Address) -> Result<SessionUses, AppError> {
    in_time(api::session_uses::session_uses(account)).await
}

#[async_trait(?Send)]
impl Relay for ServerRelay {
    async fn chain_info(&self) -> Result<ChainInfo, AppError> {
        chain_info().await
    }

    async fn account_state(&self, account: Address, nonce_key: U256) -> Result<AccountState, AppError> {
        account_state(account, nonce_key, None).await
    }

    async fn read(&self, method: &str, params: Value) -> Result<Value, AppError> {
        in_time(api::read_chain(method.to_owned(), params)).await
    }

    async fn gas_fees(&self) -> Result<GasFees, AppError> {
        in_time(api::gas_fees()).await
    }

    async fn estimate(
        &self,
        user_operation: &UserOperation,
        state_override: Option<Value>,
    ) -> Result<GasEstimate, AppError> {
        in_time(api::estimate_user_operation_gas(user_operation.clone(), state_override)).await
    }

    async fn sponsor(&self, user_operation: &UserOperation, context: &SponsorContext) -> Result<Sponsorship, AppError> {
        in_time(api::sponsor_user_operation(user_operation.clone(), context.clone())).await
    }

    async fn fee_quotes(
        &self,
        user_operation: &UserOperation,
        request: &FeeQuotesRequest,
    ) -> Result<FeeQuotes, AppError> {
        in_time(api::fee_quotes(user_operation.clone(), request.clone())).await
    }

    async fn publish_sessions(&self, account: Address, leaves: &PublishedLeaves) -> Result<(), AppError> {
        in_time(api::publish_sessions(account, leaves.clone())).await
    }

    async fn published_sessions(&self, account: Address, root: B256) -> Result<Option<PublishedLeaves>, AppError> {
        in_time(api::published_sessions(account, root)).await
    }

    async fn send(
        &self,
        user_operation: &UserOperation,
        simulation_type: Option<SimulationType>,
    ) -> Result<B256, AppError> {
        in_time(api::send_user_operation(user_operation.clone(), simulation_type)).await
    }

    async fn sent_operation(&self, user_op_hash: B256) -> Result<Option<UserOperation>, AppError> {
        in_time(api::sent_operation(user_op_hash)).await
    }

    fn watch(&self, user_op_hash: B256) -> LocalBoxStream<'static, Result<UserOpUpdate, AppError>> {
        status::watch_operation(user_op_hash)
    }
}

#[async_trait(?Send)]
impl DistributedKeys for ServerRelay {
    async fn network(&self) -> Result<KeyNetwork, AppError> {
        in_time(api::key_network()).await
    }

    async fn offer(&self) -> Result<KeyOffer, AppError> {
        within(MAKING_PATIENCE, api::offer_distributed_key()).await
    }

    async fn bind(&self, grant: &SignedGrant, nonces: &[NodeNonce]) -> Result<Vec<KeyAttestation>, AppError> {
        in_time(api::bind_distributed_key(grant.clone(), nonces.to_vec())).await
    }

    async fn challenge(&self, threshold: u8) -> Result<Vec<NodeNonce>, AppError> {
        in_time(api::signing_challenge(threshold)).await
    }

    async fn sign(
        &self,
        request: &SignRequest,
        nonces: &[NodeNonce],
        session_key_address: Address,
    ) -> Result<SignOutcome, AppError> {
        in_time(api::sign_with_distributed_key(request.clone(), nonces.to_vec(), session_key_address)).await
    }

    async fn revoke(&self, revocation: &Revocation) -> Result<(), AppError> {
        in_time(api::revoke_distributed_key(revocation.clone())).await
    }
}
