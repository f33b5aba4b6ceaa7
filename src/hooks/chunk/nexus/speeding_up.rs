//! Overtakes operations of Nexus accounts that are stuck, or were dropped.

use super::{Outcome, client_of, following, sessions_of, settle_later};
use crate::{
    actions::account_kind::nexus::NexusSessions,
    client::operation_log::{self, OperationKind},
    error::AppError,
    hooks::{Progress, UserOpStatus, context::ConnectedOwner, nexus_distributed},
    protocol::{rpc::GasFees, user_op_response::UserOpResponse, user_operation::UserOperation},
};

/// Says why it cannot be overtaken, where that is known before anybody is asked to sign.
pub async fn can_speed_up(operation: UserOperation) -> Outcome<()> {
    sessions_that_sent(&operation)?.check_speed_up(&operation).await
}

fn sessions_that_sent(operation: &UserOperation) -> Outcome<NexusSessions> {
    sessions_of(operation.sender).map_err(|error| match error {
        AppError::SessionNotFound { .. } => {
            AppError::invalid("stuck.sender", "an account that is known to this browser", operation.sender)
        }
        other => other,
    })
}

/// `stuck` is what the bundler answered to the operation.
pub async fn speed_up(
    owner: Option<ConnectedOwner>,
    stuck: UserOpResponse,
    operation: UserOperation,
    fees: GasFees,
    progress: Progress,
) -> Outcome<UserOpResponse> {
    let account = operation.sender;
    let sessions = sessions_that_sent(&operation)?;
    let used = NexusSessions::used_in(&operation);
    let faster = match used {
        Some(id) => {
            progress.set(UserOpStatus::AwaitingSignature);
            match sessions.is_at_nodes(id).await? {
                true => nexus_distributed::speed_up_use(Box::new(operation), fees).await?,
                false => sessions.speed_up_use(None, &operation, &fees).await?,
            }
        }
        None => {
            let client = client_of(&owner.ok_or(AppError::NoSmartAccount)?, Some(&progress)).await?;
            sessions.speed_up(&client, &operation, &fees).await?
        }
    };
    progress.set(UserOpStatus::Submitted);
    let faster = UserOpResponse { session: stuck.session, ..faster };
    let kind = operation_log::kind_of(account, stuck.user_op_hash).unwrap_or(match used {
        Some(_) => OperationKind::UseSession,
        None => OperationKind::SendTransaction,
    });
    following::sent(account, kind, &faster);
    settle_later(account, &faster);
    Ok(faster)
}
