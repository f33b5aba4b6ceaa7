//! Uses of sessions on Nexus accounts: built ahead of the click where the caller asks for it, then signed by the session key
//! and sent.

use std::cell::RefCell;

use alloy::primitives::Address;
use futures::FutureExt;

use super::{Eventually, Outcome, following, sessions_of, settle_later};
use crate::{
    actions::{
        account_kind::nexus::{self, NexusSessions},
        scheme_sessions::PreparedUse,
        send_with_batch_session::SendWithBatchSessionRequest,
        send_with_session::SendWithSessionRequest,
    },
    client::session_store::nexus::stored_state,
    error::AppError,
    hooks::{
        Progress, UserOpStatus, nexus_distributed,
        operations::UseVariables,
        variables::{UseBatchSessionVariables, UseSessionVariables},
    },
    protocol::{
        kind::AccountKind,
        session_scheme::SessionScheme,
        smart_sessions::{SmartSessions, StoredSession},
        user_op_response::UserOpResponse,
    },
};

type Prepared = PreparedUse<StoredSession>;

thread_local! {
    /// The use that was built ahead. Used once.
    static AHEAD: RefCell<Option<UseAhead>> = const { RefCell::new(None) };
}

/// A use that was built ahead.
struct UseAhead {
    account: Address,
    variables: UseVariables,
    /// The choice of the session was made among these.
    sessions: Option<String>,
    work: Eventually<Prepared>,
}

impl UseAhead {
    fn is_for(&self, account: Address, variables: &UseVariables) -> bool {
        let asked = self.account == account && self.variables == *variables;
        asked && stored_state(account, SmartSessions::NAME).is_ok_and(|now| now == self.sessions)
    }
}

pub async fn prepare(account: Address, variables: UseVariables) -> Outcome<()> {
    if matches!(variables, UseVariables::Distributed(_)) {
        // The nodes sign when it is sent.
        return Ok(());
    }
    let sessions = sessions_of(account)?;
    let known = AHEAD.with_borrow(|ahead| {
        ahead.as_ref().is_some_and(|ahead| {
            ahead.is_for(account, &variables)
                && ahead.work.peek().is_none_or(|built| built.as_ref().is_ok_and(|built| sessions.is_ready(built)))
        })
    });
    if !known {
        let stored = stored_state(account, SmartSessions::NAME)?;
        let asked = variables.clone();
        let work = async move { build(&sessions, account, asked).await }.boxed_local().shared();
        AHEAD.set(Some(UseAhead { account, variables, sessions: stored, work: work.clone() }));
        work.await?;
    }
    Ok(())
}

async fn build(sessions: &NexusSessions, account: Address, variables: UseVariables) -> Outcome<Prepared> {
    match variables {
        UseVariables::Single(variables) => {
            nexus::prepare_send_with_session(sessions, single_request(account, variables)).await
        }
        UseVariables::Batch(UseBatchSessionVariables {
            calls, corresponding_indexes, session_ids, options, ..
        }) => {
            let request = SendWithBatchSessionRequest { account, calls, session_ids, corresponding_indexes, options };
            nexus::prepare_send_with_batch_session(sessions, request).await
        }
        UseVariables::Distributed(_) => {
            Err(AppError::kind_cannot(AccountKind::Nexus, "sessions with distributed keys"))
        }
    }
}

fn single_request(account: Address, variables: UseSessionVariables) -> SendWithSessionRequest {
    let UseSessionVariables { calls, corresponding_index, session_id, options, .. } = variables;
    SendWithSessionRequest { account, calls, session_id, corresponding_index, options }
}

pub async fn use_sessions_with(
    account: Address,
    variables: UseVariables,
    progress: Progress,
) -> Outcome<UserOpResponse> {
    progress.set(UserOpStatus::Preparing);
    let kind = variables.kind();
    if let UseVariables::Distributed(variables) = variables {
        let response = nexus_distributed::use_session(Box::new(single_request(account, variables))).await?;
        progress.set(UserOpStatus::Submitted);
        following::sent(account, kind, &response);
        return Ok(response);
    }
    let sessions = sessions_of(account)?;
    let ahead = match AHEAD.take().filter(|ahead| ahead.is_for(account, &variables)) {
        Some(ahead) => ahead.work.await.ok().filter(|built| sessions.is_ready(built)),
        None => None,
    };
    let prepared = match ahead {
        Some(prepared) => prepared,
        None => build(&sessions, account, variables).await?,
    };
    progress.set(UserOpStatus::AwaitingSignature);
    let user_op_hash = prepared.operation().user_op_hash;
    let response = following::noted(account, kind, user_op_hash, sessions.complete_use(&prepared)).await?;
    progress.set(UserOpStatus::Submitted);
    following::sent(account, kind, &response);
    if prepared.enables() {
        settle_later(account, &response);
    }
    Ok(response)
}
