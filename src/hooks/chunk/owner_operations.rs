//! All operations that the owner signs but grants: one frame for them.

use super::{Outcome, following, session_client_of, used_addresses};
use crate::{
    hooks::{Progress, UserOpStatus, context::ConnectedOwner, operations::OwnerOperation},
    protocol::user_op_response::UserOpResponse,
};

pub async fn send(owner: ConnectedOwner, operation: OwnerOperation, progress: Progress) -> Outcome<UserOpResponse> {
    progress.set(UserOpStatus::Preparing);
    let client = session_client_of(&owner, Some(&progress)).await?;
    let (kind, addresses) = (operation.kind(), used_addresses::of_operation(&operation));
    let response = operation.send(&client).await?;
    progress.set(UserOpStatus::Submitted);
    used_addresses::note(client.account, addresses);
    following::sent(client.account, kind, &response);
    Ok(response)
}
