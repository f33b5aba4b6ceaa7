//! Grants on Nexus accounts: built ahead while the person reads the review, then signed and sent.

use super::{Outcome, client_of, following, on_approval, sessions_of, settle_later, used_addresses};
use crate::{
    actions::{
        account_kind::nexus,
        create_session::CreateSessionVariables,
        enable_mode::EnableMode,
        scheme_sessions::{PreparedGrant, SessionGrants},
    },
    client::session_store::{key_vault, persistence},
    hooks::{
        Progress, UserOpStatus, built_ahead::BuiltAhead, context::ConnectedOwner, nexus_distributed,
        operations::GrantVariables,
    },
    protocol::{smart_sessions::StoredSession, user_op_response::UserOpResponse},
};

type Prepared = PreparedGrant<StoredSession>;

thread_local! {
    static AHEAD: BuiltAhead<(ConnectedOwner, GrantVariables), Prepared> = const { BuiltAhead::new() };
}

/// Drops what was built ahead: it has the nonce that another operation takes.
pub(super) fn forget() {
    BuiltAhead::forget(&AHEAD);
}

/// Whose key the sessions get.
enum Grant {
    /// One that is made here.
    OwnKey(Box<SessionGrants>),
    /// One that nodes share and offer when it is granted.
    NodesKey(Box<CreateSessionVariables>),
}

impl Grant {
    fn of(variables: GrantVariables) -> Outcome<Self> {
        Ok(match variables {
            GrantVariables::Sessions(variables) => Self::OwnKey(Box::new(nexus::session_grants(variables)?)),
            GrantVariables::Batch(variables) => Self::OwnKey(Box::new(nexus::batch_session_grants(variables)?)),
            GrantVariables::Distributed(variables) => Self::NodesKey(Box::new(variables)),
        })
    }
}

pub async fn prepare(owner: ConnectedOwner, variables: GrantVariables) -> Outcome<()> {
    let from = (owner, variables);
    if BuiltAhead::has(&AHEAD, |known| *known == from, is_fresh) {
        return Ok(());
    }
    match Grant::of(from.1.clone())? {
        Grant::OwnKey(grants) if grants.enable == EnableMode::ByOperation => {
            let work = BuiltAhead::keep(&AHEAD, from.clone(), build(from.0, *grants));
            key_vault::warm_up().await?;
            work.await.map(drop)
        }
        // Nothing to build: what the person signs is all, or nodes offer the key.
        Grant::OwnKey(_) | Grant::NodesKey(_) => key_vault::warm_up().await,
    }
}

async fn build(owner: ConnectedOwner, grants: SessionGrants) -> Outcome<Prepared> {
    let client = client_of(&owner, None).await?;
    sessions_of(client.account)?.prepare_grant(&client, grants).await
}

fn is_fresh(prepared: &Prepared) -> bool {
    prepared.operation().is_fresh()
}

pub async fn grant(owner: ConnectedOwner, variables: GrantVariables, progress: Progress) -> Outcome<UserOpResponse> {
    progress.set(UserOpStatus::Preparing);
    persistence::ask_once();
    let (kind, addresses) = (variables.kind(), used_addresses::of_grant(&variables));
    let ahead = BuiltAhead::take(&AHEAD, |(known, from)| *known == owner && *from == variables);
    let grants = match Grant::of(variables)? {
        Grant::OwnKey(grants) => grants,
        Grant::NodesKey(variables) => {
            let (account, response) = nexus_distributed::grant(owner, variables, progress.clone()).await?;
            progress.set(UserOpStatus::Submitted);
            used_addresses::note(account, addresses);
            following::sent(account, kind, &response);
            settle_later(account, &response);
            return Ok(response);
        }
    };
    let ahead = match ahead {
        // What could not be built ahead is built again: the reason may be gone.
        Some(work) => work.await.ok().filter(is_fresh),
        None => None,
    };
    let client = client_of(&owner, Some(&progress)).await?;
    let sessions = sessions_of(client.account)?;
    let granted = match ahead {
        Some(prepared) => sessions.complete_grant(&client, prepared).await?,
        None => {
            let on_approval = on_approval(client.account, &progress);
            sessions.grant_several_with(&client, *grants, &on_approval).await?
        }
    };
    let response = nexus::response_to(client.account, granted);
    used_addresses::note(client.account, addresses);
    if !response.has_operation() {
        return Ok(response);
    }
    progress.set(UserOpStatus::Submitted);
    following::sent(client.account, kind, &response);
    settle_later(client.account, &response);
    Ok(response)
}
