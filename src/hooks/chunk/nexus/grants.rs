//! Grants on Nexus accounts: built ahead while the person reads the review, then signed and sent.

use std::cell::RefCell;

use futures::FutureExt;

use super::{Eventually, Outcome, client_of, following, on_approval, sessions_of, settle_later, used_addresses};
use crate::{
    actions::{
        account_kind::nexus,
        enable_mode::EnableMode,
        scheme_sessions::{PreparedGrant, SessionGrants},
    },
    client::session_store::{key_vault, persistence},
    error::AppError,
    hooks::{Progress, UserOpStatus, context::ConnectedOwner, nexus_distributed, operations::GrantVariables},
    protocol::{kind::AccountKind, smart_sessions::StoredSession, user_op_response::UserOpResponse},
};

type Prepared = PreparedGrant<StoredSession>;

thread_local! {
    /// The grant that was built ahead, with what it was built from. Used once.
    static AHEAD: RefCell<Option<(ConnectedOwner, GrantVariables, Eventually<Prepared>)>> =
        const { RefCell::new(None) };
}

/// Drops what was built ahead: it may hold a key, or the nonce of another operation.
pub fn forget() {
    AHEAD.set(None);
}

pub async fn prepare(owner: ConnectedOwner, variables: GrantVariables) -> Outcome<()> {
    let known = AHEAD.with_borrow(|grant| {
        grant.as_ref().is_some_and(|(known, from, work)| {
            *known == owner && *from == variables && work.peek().is_none_or(|built| built.as_ref().is_ok_and(is_fresh))
        })
    });
    if !known {
        if variables.enable() == EnableMode::WithFirstUse {
            // Nothing to build: the person signs, and that is all.
            return key_vault::warm_up().await;
        }
        if matches!(variables, GrantVariables::Distributed(_)) {
            // Its key is offered by the nodes when it is granted.
            return key_vault::warm_up().await;
        }
        let work = build(owner.clone(), variables.clone()).boxed_local().shared();
        AHEAD.set(Some((owner, variables, work.clone())));
        key_vault::warm_up().await?;
        work.await?;
    }
    Ok(())
}

async fn build(owner: ConnectedOwner, variables: GrantVariables) -> Outcome<Prepared> {
    let client = client_of(&owner, None).await?;
    sessions_of(client.account)?.prepare_grant(&client, grants_of(variables)?).await
}

fn is_fresh(prepared: &Prepared) -> bool {
    prepared.operation().is_fresh()
}

fn grants_of(variables: GrantVariables) -> Outcome<SessionGrants> {
    match variables {
        GrantVariables::Sessions(variables) => nexus::session_grants(variables),
        GrantVariables::Batch(variables) => nexus::batch_session_grants(variables),
        GrantVariables::Distributed(_) => {
            Err(AppError::kind_cannot(AccountKind::Nexus, "sessions with distributed keys"))
        }
    }
}

pub async fn grant(owner: ConnectedOwner, variables: GrantVariables, progress: Progress) -> Outcome<UserOpResponse> {
    progress.set(UserOpStatus::Preparing);
    persistence::ask_once();
    let (kind, addresses) = (variables.kind(), used_addresses::of_grant(&variables));
    if let GrantVariables::Distributed(variables) = variables {
        let (account, response) = nexus_distributed::grant(owner, Box::new(variables), progress.clone()).await?;
        progress.set(UserOpStatus::Submitted);
        used_addresses::note(account, addresses);
        following::sent(account, kind, &response);
        settle_later(account, &response);
        return Ok(response);
    }
    let ahead = AHEAD.take().filter(|(known, from, _)| *known == owner && *from == variables);
    let ahead = match ahead {
        // What could not be built ahead is built again: the reason may be gone.
        Some((.., work)) => work.await.ok().filter(is_fresh),
        None => None,
    };
    let client = client_of(&owner, Some(&progress)).await?;
    let sessions = sessions_of(client.account)?;
    let granted = match ahead {
        Some(prepared) => sessions.complete_grant(&client, prepared).await?,
        None => {
            let on_approval = on_approval(client.account, &progress);
            sessions.grant_several_with(&client, grants_of(variables)?, &on_approval).await?
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
