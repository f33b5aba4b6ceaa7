//! The hooks' verbs on Nexus accounts: actions over the browser's wallet, store and relay.

mod account;
pub mod distributed;
pub mod shown;

use std::rc::Rc;

use alloy::primitives::{Address, U256};
use leptos::task::spawn_local;

use self::account::{client_of, sessions_of};
use super::{Outcome, following, used_addresses};
use crate::{
    actions::{
        self, account_kind::nexus, fee_funds::FeeFunds, send_with_batch_session::SendWithBatchSessionRequest,
        send_with_session::SendWithSessionRequest,
    },
    client::{
        relay::ServerRelay,
        session_store::{key_vault, persistence},
    },
    error::AppError,
    hooks::{
        Progress, UserOpStatus,
        context::ConnectedOwner,
        nexus_distributed,
        operations::{GrantVariables, OwnerOperation, UseVariables},
        variables::{CostArguments, UseBatchSessionVariables, UseSessionVariables},
    },
    protocol::{kind::AccountKind, nexus::ENTRY_POINT, user_op_response::UserOpResponse},
};

/// Gets ready for a grant: makes the key that encrypts session keys.
pub async fn prepare_grant() -> Outcome<()> {
    key_vault::warm_up().await
}

pub async fn grant(owner: ConnectedOwner, variables: GrantVariables, progress: Progress) -> Outcome<UserOpResponse> {
    progress.set(UserOpStatus::Preparing);
    persistence::ask_once();
    let (kind, addresses) = (variables.kind(), used_addresses::of_grant(&variables));
    let (account, response) = match variables {
        GrantVariables::Distributed(variables) => {
            nexus_distributed::grant(owner, Box::new(variables), progress.clone()).await?
        }
        variables => grant_here(&owner, variables, &progress).await?,
    };
    progress.set(UserOpStatus::Submitted);
    used_addresses::note(account, addresses);
    following::sent(account, kind, &response);
    settle_later(account, &response);
    Ok(response)
}

/// Grants sessions of a key that this browser holds.
async fn grant_here(
    owner: &ConnectedOwner,
    variables: GrantVariables,
    progress: &Progress,
) -> Outcome<(Address, UserOpResponse)> {
    let client = client_of(owner, Some(progress)).await?;
    let sessions = sessions_of(client.account)?;
    let response = match variables {
        GrantVariables::Batch(variables) => nexus::create_batch_session(&sessions, &client, variables).await?,
        GrantVariables::Sessions(variables) | GrantVariables::Distributed(variables) => {
            nexus::create_session(&sessions, &client, variables).await?
        }
    };
    Ok((client.account, response))
}

fn single_request(account: Address, variables: UseSessionVariables) -> SendWithSessionRequest {
    let UseSessionVariables { calls, corresponding_index, session_id, options, .. } = variables;
    SendWithSessionRequest { account, calls, session_id, corresponding_index, options }
}

pub async fn use_sessions_with(
    account: Address,
    variables: UseVariables,
    progress: Progress,
) -> Outcome<UserOpResponse> {
    progress.set(UserOpStatus::Preparing);
    let kind = variables.kind();
    let response = match variables {
        UseVariables::Single(variables) => {
            nexus::send_with_session(&sessions_of(account)?, single_request(account, variables)).await?
        }
        UseVariables::Batch(UseBatchSessionVariables {
            calls, corresponding_indexes, session_ids, options, ..
        }) => {
            let request = SendWithBatchSessionRequest { account, calls, session_ids, corresponding_indexes, options };
            nexus::send_with_batch_session(&sessions_of(account)?, request).await?
        }
        UseVariables::Distributed(variables) => {
            nexus_distributed::use_session(Box::new(single_request(account, variables))).await?
        }
    };
    progress.set(UserOpStatus::Submitted);
    following::sent(account, kind, &response);
    Ok(response)
}

pub async fn send_owner_operation(
    owner: ConnectedOwner,
    operation: OwnerOperation,
    progress: Progress,
) -> Outcome<UserOpResponse> {
    progress.set(UserOpStatus::Preparing);
    let (kind, addresses) = (operation.kind(), used_addresses::of_operation(&operation));
    let cannot = |what| Err(AppError::kind_cannot(AccountKind::Nexus, what));
    match &operation {
        OwnerOperation::SendGasTokenTransaction(_) => return cannot("gas paid in tokens"),
        OwnerOperation::RestoreSessions(_) => return cannot("bringing back a session that was taken back"),
        _ => {}
    }
    let client = client_of(&owner, Some(&progress)).await?;
    let response = match operation {
        OwnerOperation::SendTransaction(variables) => {
            client.send_transaction(&variables.calls, &variables.options).await?
        }
        OwnerOperation::SendSponsoredTransaction(variables) => {
            client.send_sponsored_transaction(&variables.calls, &variables.options).await?
        }
        OwnerOperation::SendWithdrawals(variables) => {
            let to = variables.default_recipient;
            client.withdraw(&variables.withdrawal_requests, to, &variables.options).await?
        }
        OwnerOperation::DeploySmartAccount(variables) => client.deploy(&variables.options).await?,
        OwnerOperation::RevokeSessions(variables) => {
            nexus::revoke_sessions(&sessions_of(client.account)?, &client, variables).await?
        }
        OwnerOperation::SendGasTokenTransaction(_) | OwnerOperation::RestoreSessions(_) => return cannot("this"),
    };
    progress.set(UserOpStatus::Submitted);
    used_addresses::note(client.account, addresses);
    following::sent(client.account, kind, &response);
    if kind == crate::hooks::OperationKind::RevokeSessions {
        settle_later(client.account, &response);
    }
    Ok(response)
}

pub async fn gas_estimate(owner: ConnectedOwner, arguments: CostArguments) -> Outcome<U256> {
    let client = client_of(&owner, None).await?;
    actions::gas_estimate::get_gas_estimate(&client, &arguments.calls, &arguments.options).await
}

/// What the account can be made to pay fees with; its deposit is at its own entry point.
pub async fn fee_funds(account: Address) -> Outcome<FeeFunds> {
    actions::fee_funds::read_fee_funds_at(&ServerRelay, ENTRY_POINT, account).await
}

/// Writes what becomes of the operation into the stored sessions, whether or not anybody waits for it.
fn settle_later(account: Address, response: &UserOpResponse) {
    let user_op_hash = response.user_op_hash;
    spawn_local(async move { drop(settle(account, user_op_hash).await) });
}

/// Follows an operation that grants or ends sessions to its end.
pub async fn settle(account: Address, user_op_hash: alloy::primitives::B256) -> Outcome<()> {
    let response = UserOpResponse { user_op_hash, session: None };
    let outcome = following::wait_for_user_operation(Some(account), response, Rc::new(|_| ())).await;
    match outcome {
        Ok(_) => sessions_of(account)?.settle(user_op_hash, true).await,
        // Only this is an end: what was dropped may still be included.
        Err(AppError::UserOpReverted { .. }) => sessions_of(account)?.settle(user_op_hash, false).await,
        Err(_) => Ok(()),
    }
}
