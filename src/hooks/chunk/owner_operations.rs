//! All operations that the owner signs but grants: one frame for them.

use super::{Outcome, client_of, following, used_addresses};
use crate::{
    client::session_store::local::LocalSessionStore,
    hooks::{Progress, UserOpStatus, context::ConnectedOwner, operations::OwnerOperation},
    protocol::user_op_response::UserOpResponse,
};

pub async fn send(owner: ConnectedOwner, operation: OwnerOperation, progress: Progress) -> Outcome<UserOpResponse> {
    progress.set(UserOpStatus::Preparing);
    let client = client_of(&owner, Some(&progress)).await?;
    let (kind, addresses) = (operation.kind(), used_addresses::of_operation(&operation));
    let response = operation.send(&client, &LocalSessionStore).await?;
    progress.set(UserOpStatus::Submitted);
    used_addresses::note(client.account, addresses);
    following::sent(client.account, kind, &response);
    Ok(response)
}
