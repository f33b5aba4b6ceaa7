//! The operations that hooks send, by who signs them: a grant, a use of sessions, or anything else of the owner's.

use super::variables::{UseBatchSessionVariables, UseSessionVariables};
use crate::actions::{
    create_batch_session::CreateBatchSessionVariables, create_session::CreateSessionVariables,
    deploy::DeploySmartAccountVariables, restore_sessions::RestoreSessionsVariables,
    revoke_sessions::RevokeSessionsVariables, send_gas_token_transaction::SendGasTokenTransactionVariables,
    send_transaction::SendTransactionVariables, send_withdrawals::SendWithdrawalsVariables,
};
#[cfg(feature = "hydrate")]
use crate::{
    actions::session_client::SessionClient, client::operation_log::OperationKind, error::AppError,
    protocol::user_op_response::UserOpResponse,
};

/// What a grant is made from; the owner signs.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum GrantVariables {
    Sessions(CreateSessionVariables),
    Batch(CreateBatchSessionVariables),
    Distributed(CreateSessionVariables),
}

/// What a use of sessions is made from; the session key signs.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum UseVariables {
    Single(UseSessionVariables),
    Batch(UseBatchSessionVariables),
    Distributed(UseSessionVariables),
}

/// What else the owner signs.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(not(feature = "hydrate"), allow(dead_code))]
pub(super) enum OwnerOperation {
    SendTransaction(SendTransactionVariables),
    SendSponsoredTransaction(SendTransactionVariables),
    SendGasTokenTransaction(SendGasTokenTransactionVariables),
    SendWithdrawals(SendWithdrawalsVariables),
    DeploySmartAccount(DeploySmartAccountVariables),
    RevokeSessions(RevokeSessionsVariables),
    RestoreSessions(RestoreSessionsVariables),
}

#[cfg(feature = "hydrate")]
impl GrantVariables {
    /// As the operation is noted while it is on its way.
    pub fn kind(&self) -> OperationKind {
        match self {
            Self::Sessions(_) => OperationKind::CreateSession,
            Self::Batch(_) => OperationKind::CreateBatchSession,
            Self::Distributed(_) => OperationKind::CreateDistributedSession,
        }
    }
}

#[cfg(feature = "hydrate")]
impl UseVariables {
    /// As the operation is noted while it is on its way.
    pub fn kind(&self) -> OperationKind {
        match self {
            Self::Single(_) => OperationKind::UseSession,
            Self::Batch(_) => OperationKind::UseBatchSession,
            Self::Distributed(_) => OperationKind::UseDistributedSession,
        }
    }
}

#[cfg(feature = "hydrate")]
impl OwnerOperation {
    /// As the operation is noted while it is on its way.
    pub fn kind(&self) -> OperationKind {
        match self {
            Self::DeploySmartAccount(_) => OperationKind::DeploySmartAccount,
            Self::RevokeSessions(_) => OperationKind::RevokeSessions,
            Self::RestoreSessions(_) => OperationKind::RestoreSessions,
            _ => OperationKind::SendTransaction,
        }
    }

    /// The verb of each.
    pub async fn send(self, client: &SessionClient) -> Result<UserOpResponse, AppError> {
        match self {
            Self::SendTransaction(SendTransactionVariables { calls, options }) => {
                client.send_transaction(&calls, &options).await
            }
            Self::SendSponsoredTransaction(SendTransactionVariables { calls, options }) => {
                client.send_sponsored_transaction(&calls, &options).await
            }
            Self::SendGasTokenTransaction(SendGasTokenTransactionVariables { calls, token_param, options }) => {
                client.send_gas_token_transaction(&calls, &token_param, &options).await
            }
            Self::SendWithdrawals(SendWithdrawalsVariables { withdrawal_requests, default_recipient, options }) => {
                client.withdraw(&withdrawal_requests, default_recipient, &options).await
            }
            Self::DeploySmartAccount(DeploySmartAccountVariables { options }) => client.deploy(&options).await,
            Self::RevokeSessions(variables) => client.revoke_sessions(variables).await,
            Self::RestoreSessions(variables) => client.restore_sessions(variables).await,
        }
    }
}
