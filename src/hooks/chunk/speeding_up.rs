//! Overtakes an operation that is stuck, or was dropped: the same nonce with higher fees, signed by whoever signed it.

use alloy::primitives::{Address, B256};

use super::{Outcome, following, session_client_of};
use crate::{
    actions::{
        account_kind::{AccountKind, biconomy_v2::BiconomyV2},
        ports::Relay,
        speed_up_user_operation::{check_speed_up, speed_up_session_use},
    },
    client::{
        operation_log::{self, OperationKind},
        relay::{ServerRelay, chain_info},
        session_store::local::LocalSessionStore,
    },
    error::AppError,
    hooks::{Progress, UserOpStatus, context::ConnectedOwner, nexus_gateway},
    protocol::{
        rpc::GasFees, signature::SessionSignature, user_op_response::UserOpResponse, user_operation::UserOperation,
    },
};

/// Says why it cannot be overtaken, where that is known before anybody is asked to sign.
pub async fn can_speed_up(user_op_hash: B256) -> Outcome<()> {
    let operation = sent_operation(user_op_hash).await?;
    match is_of_v2(&operation) {
        true => check_speed_up(&LocalSessionStore, &operation, user_op_hash).await,
        false => nexus_gateway::can_speed_up(Box::new(operation)).await,
    }
}

/// Whichever kind is shown: an operation is of the kind of account that sent it.
fn is_of_v2(operation: &UserOperation) -> bool {
    BiconomyV2::deployed(operation.sender).entry_point() == operation.entry_point
}

async fn sent_operation(user_op_hash: B256) -> Outcome<UserOperation> {
    let operation = ServerRelay.sent_operation(user_op_hash).await?.ok_or_else(|| AppError::UserOpDropped {
        user_op_hash,
        reason: "nobody has it any more, so it cannot be sent again as it was".into(),
    })?;
    let chain = chain_info().await?;
    // The server is not trusted: what is signed is what was sent before.
    if operation.hash(chain.chain_id) != user_op_hash {
        return Err(AppError::Internal { reason: "the server has another operation by this hash".into() });
    }
    Ok(operation)
}

/// `fees` as the server names them for a stuck operation; without them those of now.
pub async fn speed_up(
    owner: Option<ConnectedOwner>,
    stuck: UserOpResponse,
    fees: Option<GasFees>,
    progress: Progress,
) -> Outcome<UserOpResponse> {
    progress.set(UserOpStatus::Preparing);
    let user_op_hash = stuck.user_op_hash;
    let operation = sent_operation(user_op_hash).await?;
    let fees = match fees {
        Some(fees) => fees,
        None => ServerRelay.gas_fees().await?,
    };
    if !is_of_v2(&operation) {
        return nexus_gateway::speed_up(owner, stuck, Box::new(operation), fees, progress).await;
    }
    let account: Address = operation.sender;
    let is_session_use = SessionSignature::read(&operation.signature).is_some();
    let faster = if is_session_use {
        progress.set(UserOpStatus::AwaitingSignature);
        speed_up_session_use(&ServerRelay, &LocalSessionStore, &ServerRelay, &operation, &fees).await?
    } else {
        let client = session_client_of(&owner.ok_or(AppError::NoSmartAccount)?, Some(&progress)).await?;
        client.speed_up(&operation, &fees).await?
    };
    progress.set(UserOpStatus::Submitted);
    let faster = UserOpResponse { session: stuck.session, ..faster };
    let kind = operation_log::kind_of(account, user_op_hash).unwrap_or(match is_session_use {
        true => OperationKind::UseSession,
        false => OperationKind::SendTransaction,
    });
    following::sent(account, kind, &faster);
    Ok(faster)
}
