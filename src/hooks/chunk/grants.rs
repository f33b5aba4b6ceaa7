//! Grants of sessions: built ahead while the person reads the review, then signed and sent.

use super::{Outcome, distributed::telling, following, session_client_of, used_addresses};
use crate::{
    actions::{
        create_session::PreparedCreateSession, create_session_with_distributed_key::PreparedDistributedGrant,
        session_client::SessionClient,
    },
    client::session_store::{key_vault, persistence},
    hooks::{
        Progress, UserOpStatus, built_ahead::BuiltAhead, context::ConnectedOwner, distributed,
        operations::GrantVariables,
    },
    protocol::user_op_response::UserOpResponse,
};

thread_local! {
    static AHEAD: BuiltAhead<(ConnectedOwner, GrantVariables), PreparedGrant> = const { BuiltAhead::new() };
}

pub async fn prepare(owner: ConnectedOwner, variables: GrantVariables) -> Outcome<()> {
    let from = (owner, variables);
    if !BuiltAhead::has(&AHEAD, |known| *known == from, |_| true) {
        let (owner, variables) = from.clone();
        let work = BuiltAhead::keep(&AHEAD, from, build_grant(owner, variables));
        key_vault::warm_up().await?;
        work.await?;
    }
    Ok(())
}

async fn build_grant(owner: ConnectedOwner, variables: GrantVariables) -> Outcome<PreparedGrant> {
    let client = session_client_of(&owner, None).await?;
    prepare_grant(&client, variables).await
}

pub async fn grant(owner: ConnectedOwner, variables: GrantVariables, progress: Progress) -> Outcome<UserOpResponse> {
    progress.set(UserOpStatus::Preparing);
    persistence::ask_once();
    let (kind, addresses) = (variables.kind(), used_addresses::of_grant(&variables));
    let ahead = match BuiltAhead::take(&AHEAD, |(known, from)| *known == owner && *from == variables) {
        // What could not be built ahead is built again: the reason may be gone.
        Some(work) => telling(kind, &progress, work).await.ok(),
        None => None,
    };
    let client = session_client_of(&owner, Some(&progress)).await?;
    let prepared = match ahead {
        Some(prepared) => prepared,
        None => telling(kind, &progress, prepare_grant(&client, variables)).await?,
    };
    let response = telling(kind, &progress, prepared.complete(&client)).await?;
    progress.set(UserOpStatus::Submitted);
    used_addresses::note(client.account, addresses);
    following::sent(client.account, kind, &response);
    Ok(response)
}

async fn prepare_grant(client: &SessionClient, variables: GrantVariables) -> Outcome<PreparedGrant> {
    match variables {
        GrantVariables::Sessions(variables) => {
            client.prepare_create_session(variables).await.map(Box::new).map(PreparedGrant::Own)
        }
        GrantVariables::Batch(variables) => {
            client.prepare_create_batch_session(variables).await.map(Box::new).map(PreparedGrant::Own)
        }
        GrantVariables::Distributed(variables) => {
            distributed::prepare_grant(client.clone(), variables).await.map(PreparedGrant::Distributed)
        }
    }
}

/// A grant that lacks the owner's signature.
#[derive(Clone)]
enum PreparedGrant {
    /// The session key is made here.
    Own(Box<PreparedCreateSession>),
    /// Nodes share it.
    Distributed(Box<PreparedDistributedGrant>),
}

impl PreparedGrant {
    async fn complete(self, client: &SessionClient) -> Outcome<UserOpResponse> {
        match self {
            Self::Own(prepared) => client.complete_create_session(*prepared).await,
            Self::Distributed(prepared) => distributed::complete_grant(client.clone(), prepared).await,
        }
    }
}
