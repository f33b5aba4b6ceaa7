//! Uses of sessions on Nexus accounts: built ahead of the click where the caller asks for it, then signed by the session key
//! and sent.

use alloy::primitives::Address;

use super::{Outcome, following, sessions_of, settle_later};
use crate::{
    actions::{
        account_kind::nexus::{self, NexusSessions},
        scheme_sessions::PreparedUse,
        send_with_batch_session::SendWithBatchSessionRequest,
        send_with_session::SendWithSessionRequest,
    },
    client::session_store::nexus::stored_state,
    hooks::{
        Progress, UserOpStatus,
        built_ahead::BuiltAhead,
        nexus_distributed,
        operations::UseVariables,
        variables::{UseBatchSessionVariables, UseSessionVariables},
    },
    protocol::{
        session_scheme::SessionScheme,
        smart_sessions::{SmartSessions, StoredSession},
        user_op_response::UserOpResponse,
    },
};

type Prepared = PreparedUse<StoredSession>;

thread_local! {
    static AHEAD: BuiltAhead<BuiltFrom, Prepared> = const { BuiltAhead::new() };
}

/// What a use was built from.
struct BuiltFrom {
    account: Address,
    variables: UseVariables,
    /// The choice of the session was made among these.
    sessions: Option<String>,
}

impl BuiltFrom {
    fn is(&self, account: Address, variables: &UseVariables) -> bool {
        let asked = self.account == account && self.variables == *variables;
        asked && stored_state(account, SmartSessions::NAME).is_ok_and(|now| now == self.sessions)
    }
}

/// Whose key signs.
enum Use {
    /// One that is here.
    OwnKey(Box<OwnKeyUse>),
    /// One that nodes share: they sign when it is sent.
    NodesKey(Box<SendWithSessionRequest>),
}

enum OwnKeyUse {
    Single(SendWithSessionRequest),
    Batch(SendWithBatchSessionRequest),
}

impl Use {
    fn of(account: Address, variables: UseVariables) -> Self {
        let single = |variables| {
            let UseSessionVariables { calls, corresponding_index, session_id, options, .. } = variables;
            SendWithSessionRequest { account, calls, session_id, corresponding_index, options }
        };
        match variables {
            UseVariables::Single(variables) => Self::OwnKey(Box::new(OwnKeyUse::Single(single(variables)))),
            UseVariables::Batch(variables) => {
                let UseBatchSessionVariables { calls, corresponding_indexes, session_ids, options, .. } = variables;
                Self::OwnKey(Box::new(OwnKeyUse::Batch(SendWithBatchSessionRequest {
                    account,
                    calls,
                    session_ids,
                    corresponding_indexes,
                    options,
                })))
            }
            UseVariables::Distributed(variables) => Self::NodesKey(Box::new(single(variables))),
        }
    }
}

pub async fn prepare(account: Address, variables: UseVariables) -> Outcome<()> {
    let Use::OwnKey(wanted) = Use::of(account, variables.clone()) else { return Ok(()) };
    let known = sessions_of(account)?;
    if !BuiltAhead::has(&AHEAD, |from| from.is(account, &variables), |built| known.is_ready(built)) {
        let sessions = stored_state(account, SmartSessions::NAME)?;
        let work = async move { build(&known, *wanted).await };
        BuiltAhead::keep(&AHEAD, BuiltFrom { account, variables, sessions }, work).await?;
    }
    Ok(())
}

async fn build(sessions: &NexusSessions, wanted: OwnKeyUse) -> Outcome<Prepared> {
    match wanted {
        OwnKeyUse::Single(request) => nexus::prepare_send_with_session(sessions, request).await,
        OwnKeyUse::Batch(request) => nexus::prepare_send_with_batch_session(sessions, request).await,
    }
}

pub async fn use_sessions_with(
    account: Address,
    variables: UseVariables,
    progress: Progress,
) -> Outcome<UserOpResponse> {
    progress.set(UserOpStatus::Preparing);
    let kind = variables.kind();
    let ahead = BuiltAhead::take(&AHEAD, |from| from.is(account, &variables));
    let wanted = match Use::of(account, variables) {
        Use::OwnKey(wanted) => wanted,
        Use::NodesKey(request) => {
            let response = nexus_distributed::use_session(request).await?;
            progress.set(UserOpStatus::Submitted);
            following::sent(account, kind, &response);
            return Ok(response);
        }
    };
    let sessions = sessions_of(account)?;
    let ahead = match ahead {
        Some(work) => work.await.ok().filter(|built| sessions.is_ready(built)),
        None => None,
    };
    let prepared = match ahead {
        Some(prepared) => prepared,
        None => build(&sessions, *wanted).await?,
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
