//! The hooks' verbs on Nexus accounts: actions over the browser's wallet, store and relay.

mod account;
pub mod distributed;
pub mod grants;
pub mod shown;
pub mod speeding_up;
pub mod transfer;
pub mod uses;

use std::rc::Rc;

use alloy::primitives::{Address, U256};
use leptos::task::spawn_local;

use self::account::{client_of, sessions_of};
use super::{Outcome, following, gas_estimate_of, token_fees_of, used_addresses};
use crate::{
    actions::{
        self, account_kind::nexus, fee_funds::FeeFunds, prove_revocation::RevocationProof,
        scheme_sessions::RevocationPart,
    },
    client::{operation_log::OperationKind, relay::ServerRelay},
    error::AppError,
    hooks::{Progress, UserOpStatus, context::ConnectedOwner, operations::OwnerOperation, variables::CostArguments},
    protocol::{
        nexus::ENTRY_POINT,
        paymaster::FeeQuotes,
        policy::SessionPolicy,
        session_scheme::{ActionLimits, SchemeFinding},
        user_op_response::UserOpResponse,
    },
};

/// What a review says of these policies.
pub async fn grant_findings(
    account: Address,
    policies: Vec<(SessionPolicy, ActionLimits)>,
) -> Outcome<Vec<(Option<usize>, SchemeFinding)>> {
    sessions_of(account)?.findings(&policies).await
}

/// Tells that the approval of a fee is on its way, and follows it.
fn on_approval(account: Address, progress: &Progress) -> impl Fn(&UserOpResponse) {
    let progress = progress.clone();
    move |approval| {
        following::sent(account, OperationKind::SendTransaction, approval);
        progress.set(UserOpStatus::AwaitingApproval);
    }
}

pub async fn send_owner_operation(
    owner: ConnectedOwner,
    operation: OwnerOperation,
    progress: Progress,
) -> Outcome<UserOpResponse> {
    progress.set(UserOpStatus::Preparing);
    let (kind, addresses) = (operation.kind(), used_addresses::of_operation(&operation));
    // It takes the nonce that a grant was built with.
    grants::forget();
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
            let (account, progress) = (client.account, progress.clone());
            let on_part = move |part: RevocationPart<'_>| {
                if let Some(sent) = part.sent {
                    following::sent(account, kind, sent);
                    settle_later(account, sent);
                }
                progress.set(UserOpStatus::Continuing { done: part.ended, left: part.left });
            };
            nexus::revoke_sessions_with(&sessions_of(account)?, &client, variables, &on_part).await?
        }
        OwnerOperation::SendGasTokenTransaction(variables) => {
            let on_approval = on_approval(client.account, &progress);
            nexus::send_gas_token_transaction(&client, variables, &on_approval).await?
        }
        OwnerOperation::RestoreSessions(variables) => {
            nexus::restore_sessions(&sessions_of(client.account)?, &client, variables).await?
        }
    };
    progress.set(UserOpStatus::Submitted);
    used_addresses::note(client.account, addresses);
    following::sent(client.account, kind, &response);
    if matches!(kind, OperationKind::RevokeSessions | OperationKind::RestoreSessions) {
        settle_later(client.account, &response);
    }
    Ok(response)
}

pub async fn token_fees(owner: ConnectedOwner, arguments: CostArguments) -> Outcome<FeeQuotes> {
    token_fees_of(&client_of(&owner, None).await?, &arguments).await
}

pub async fn gas_estimate(owner: ConnectedOwner, arguments: CostArguments) -> Outcome<U256> {
    gas_estimate_of(&client_of(&owner, None).await?, &arguments).await
}

/// What the account can be made to pay fees with; its deposit is at its own entry point.
pub async fn fee_funds(account: Address) -> Outcome<FeeFunds> {
    actions::fee_funds::read_fee_funds_at(&ServerRelay, ENTRY_POINT, account).await
}

/// Tries a session that was taken back, of this device or another.
pub async fn prove_revocation(account: Address, session_id: String) -> Outcome<RevocationProof> {
    sessions_of(account)?.prove_revocation(&session_id).await
}

/// Writes what becomes of the operation into the stored sessions, whether or not anybody waits for it.
fn settle_later(account: Address, response: &UserOpResponse) {
    let user_op_hash = response.user_op_hash;
    spawn_local(async move { drop(settle(account, user_op_hash).await) });
}

/// Follows an operation that grants or ends sessions to its end.
///
/// # Errors
/// Why its end was not seen, or not written.
pub async fn settle(account: Address, user_op_hash: alloy::primitives::B256) -> Outcome<()> {
    let response = UserOpResponse { user_op_hash, session: None };
    let outcome = following::wait_for_user_operation(Some(account), response, Rc::new(|_| ())).await;
    match outcome {
        Ok(_) => sessions_of(account)?.settle(user_op_hash, true).await,
        // Only this is an end: what was dropped may still be included.
        Err(AppError::UserOpReverted { .. }) => sessions_of(account)?.settle(user_op_hash, false).await,
        Err(AppError::UserOpDropped { .. }) => sessions_of(account)?.ends_no_more(user_op_hash).await,
        Err(error) => Err(error),
    }
}
