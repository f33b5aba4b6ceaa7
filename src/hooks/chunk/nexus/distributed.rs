//! Sessions of Nexus accounts whose key nodes share.

use alloy::primitives::Address;

use super::account::{client_of, sessions_of};
use crate::{
    actions::{account_kind::nexus, create_session::CreateSessionVariables, send_with_session::SendWithSessionRequest},
    client::{operation_log::OperationKind, session_store::nexus::NexusStore},
    hooks::{
        Progress,
        chunk::{
            Outcome,
            distributed::{PageKeys, telling},
        },
        context::ConnectedOwner,
    },
    protocol::{rpc::GasFees, user_op_response::UserOpResponse, user_operation::UserOperation},
};

pub async fn grant(
    owner: ConnectedOwner,
    variables: CreateSessionVariables,
    progress: Progress,
) -> Outcome<(Address, UserOpResponse)> {
    let client = client_of(&owner, Some(&progress)).await?;
    let (sessions, account) = (sessions_of(client.account)?, NexusStore.account(client.account)?);
    let granting = nexus::create_session_with_distributed_key(&sessions, &client, &account, &PageKeys, variables);
    let response = telling(OperationKind::CreateDistributedSession, &progress, granting).await?;
    Ok((client.account, response))
}

pub async fn use_session(request: SendWithSessionRequest) -> Outcome<UserOpResponse> {
    nexus::send_with_distributed_session(&sessions_of(request.account)?, &PageKeys, request).await
}

pub async fn speed_up_use(operation: UserOperation, fees: GasFees) -> Outcome<UserOpResponse> {
    sessions_of(operation.sender)?.speed_up_use(Some(&PageKeys), &operation, &fees).await
}

pub async fn revoke_at_nodes(account: Address, session_id: String) -> Outcome<()> {
    sessions_of(account)?.revoke_at_nodes(&PageKeys, &session_id).await
}
