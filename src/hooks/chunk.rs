//! What the [gateway](super::gateway) leads to: actions over the browser's wallet, store and relay.

use std::{cell::Cell, rc::Rc};

use alloy::primitives::{Address, Bytes, U256};
use async_trait::async_trait;
use leptos::prelude::*;

use super::{
    Progress, UserOpStatus,
    built_ahead::Eventually,
    context::{ConnectedOwner, SmartAccountContext},
    variables::CostArguments,
};
use crate::{
    actions::{
        self, account::SmartAccountClient, fee_funds::FeeFunds, ports::Wallet, prove_revocation::RevocationProof,
        session_client::SessionClient,
    },
    client::{
        relay::{ServerRelay, chain_info},
        session_store::local::LocalSessionStore,
        wallet::{self, eip1193, info::WalletInfo, registry},
    },
    error::AppError,
    protocol::{distributed_key::TypedData, paymaster::FeeQuotes},
};

pub mod custody;
pub mod distributed;
pub mod following;
pub mod grants;
pub mod nexus;
pub mod owner_operations;
pub mod shown_sessions;
pub mod speeding_up;
mod used_addresses;
pub mod uses;

type Outcome<T> = Result<T, AppError>;

pub async fn token_fees(owner: ConnectedOwner, arguments: CostArguments) -> Outcome<FeeQuotes> {
    token_fees_of(&client_of(&owner, None).await?, &arguments).await
}

/// What an operation of this client's account, of whichever kind, would cost in tokens.
async fn token_fees_of(client: &SmartAccountClient, arguments: &CostArguments) -> Outcome<FeeQuotes> {
    actions::token_fees::get_token_fees(client, &arguments.calls, &arguments.options).await
}

pub async fn gas_estimate(owner: ConnectedOwner, arguments: CostArguments) -> Outcome<U256> {
    gas_estimate_of(&client_of(&owner, None).await?, &arguments).await
}

/// The same in gas.
async fn gas_estimate_of(client: &SmartAccountClient, arguments: &CostArguments) -> Outcome<U256> {
    actions::gas_estimate::get_gas_estimate(client, &arguments.calls, &arguments.options).await
}

pub async fn fee_funds(account: Address) -> Outcome<FeeFunds> {
    actions::fee_funds::read_fee_funds(&ServerRelay, account).await
}

pub async fn prove_revocation(account: Address, session_id: String) -> Outcome<RevocationProof> {
    actions::prove_revocation::prove_revocation(&ServerRelay, &LocalSessionStore, account, &session_id).await
}

/// Brings the wallet to the server's chain, and tells the page where it is then.
pub async fn switch_chain(context: SmartAccountContext, wallet: WalletInfo) -> Outcome<()> {
    let chain = chain_info().await?;
    let Some(provider) = registry::provider(wallet.id()) else { return Ok(()) };
    eip1193::switch_chain(&provider, &chain).await?;
    let chain_id = eip1193::chain_id(&provider).await?;
    // Another wallet may be connected by now.
    if context.connected.try_get_untracked().flatten() == Some(wallet) {
        context.wallet_chain.try_set(Some(chain_id));
    }
    Ok(())
}

async fn client_of(owner: &ConnectedOwner, progress: Option<&Progress>) -> Outcome<SmartAccountClient> {
    Ok(SmartAccountClient::new(wallet_of(owner, progress).await?, Rc::new(ServerRelay)))
}

async fn wallet_of(owner: &ConnectedOwner, progress: Option<&Progress>) -> Outcome<Rc<dyn Wallet>> {
    let chain = chain_info().await?;
    let wallet = wallet::port(&owner.wallet, owner.address, chain.chain_id)?;
    Ok(match progress {
        Some(progress) => Rc::new(ReportingWallet { wallet, progress: progress.clone(), again: Cell::new(false) }),
        None => wallet,
    })
}

/// The same with this browser's sessions.
async fn session_client_of(owner: &ConnectedOwner, progress: Option<&Progress>) -> Outcome<SessionClient> {
    let client = client_of(owner, progress).await?;
    Ok(client.with_sessions(Rc::new(LocalSessionStore)))
}

/// Tells when the person is asked to sign.
struct ReportingWallet {
    wallet: Rc<dyn Wallet>,
    progress: Progress,
    /// The next request is for the same with higher fees.
    again: Cell<bool>,
}

impl ReportingWallet {
    fn report(&self) {
        let again = self.again.replace(false);
        self.progress.set(if again { UserOpStatus::AwaitingHigherFees } else { UserOpStatus::AwaitingSignature });
    }
}

#[async_trait(?Send)]
impl Wallet for ReportingWallet {
    fn address(&self) -> Address {
        self.wallet.address()
    }

    async fn chain_id(&self) -> Outcome<u64> {
        self.wallet.chain_id().await
    }

    async fn sign_message(&self, message: &[u8]) -> Outcome<Bytes> {
        self.report();
        self.wallet.sign_message(message).await
    }

    async fn sign_typed_data(&self, typed_data: &TypedData) -> Outcome<Bytes> {
        self.report();
        self.wallet.sign_typed_data(typed_data).await
    }

    fn signs_again(&self) {
        self.again.set(true);
    }
}
