//! Uses of sessions: built ahead of the click where the caller asks for it, then signed by the session key and sent.

use alloy::primitives::Address;

use super::{Outcome, following};
use crate::{
    actions::{
        prepare_user_operation::PreparedUserOperation,
        send_with_batch_session::{SendWithBatchSessionRequest, prepare_send_with_batch_session},
        send_with_distributed_session::PreparedDistributedUse,
        send_with_session::{
            PreparedSessionUse, SendWithSessionRequest, complete_send_with_session, prepare_send_with_session,
        },
    },
    client::{
        relay::ServerRelay,
        session_store::local::{LocalSessionStore, StoredState},
        time::now_seconds,
    },
    hooks::{
        Progress, UserOpStatus,
        built_ahead::BuiltAhead,
        distributed,
        operations::UseVariables,
        variables::{UseBatchSessionVariables, UseSessionVariables},
    },
    protocol::{
        session::{SessionLeaf, SessionStatus},
        user_op_response::UserOpResponse,
    },
};

thread_local! {
    static AHEAD: BuiltAhead<BuiltFrom, PreparedUse> = const { BuiltAhead::new() };
}

/// What a use was built from.
struct BuiltFrom {
    account: Address,
    variables: UseVariables,
    /// Its proof is that of these sessions.
    sessions: StoredState,
}

impl BuiltFrom {
    fn is(&self, account: Address, variables: &UseVariables) -> bool {
        let asked = self.account == account && self.variables == *variables;
        asked && StoredState::now(account).is_ok_and(|now| now == self.sessions)
    }
}

pub async fn prepare(account: Address, variables: UseVariables) -> Outcome<()> {
    if !BuiltAhead::has(&AHEAD, |from| from.is(account, &variables), is_usable_now) {
        let work = build_use(account, variables.clone());
        let sessions = StoredState::now(account)?;
        BuiltAhead::keep(&AHEAD, BuiltFrom { account, variables, sessions }, work).await?;
    }
    Ok(())
}

async fn build_use(account: Address, variables: UseVariables) -> Outcome<PreparedUse> {
    match variables {
        UseVariables::Single(variables) => {
            let request = single_request(account, variables);
            prepare_send_with_session(&ServerRelay, &LocalSessionStore, request)
                .await
                .map(Box::new)
                .map(PreparedUse::Own)
        }
        UseVariables::Batch(UseBatchSessionVariables {
            calls, corresponding_indexes, session_ids, options, ..
        }) => {
            let request = SendWithBatchSessionRequest { account, calls, session_ids, corresponding_indexes, options };
            prepare_send_with_batch_session(&ServerRelay, &LocalSessionStore, request)
                .await
                .map(Box::new)
                .map(PreparedUse::Own)
        }
        UseVariables::Distributed(variables) => {
            distributed::prepare_use(single_request(account, variables)).await.map(PreparedUse::Distributed)
        }
    }
}

fn single_request(account: Address, variables: UseSessionVariables) -> SendWithSessionRequest {
    let UseSessionVariables { calls, corresponding_index, session_id, options, .. } = variables;
    SendWithSessionRequest { account, calls, session_id, corresponding_index, options }
}

/// A use of sessions that lacks the session key's signature.
#[derive(Clone)]
enum PreparedUse {
    /// The key is stored here.
    Own(Box<PreparedSessionUse>),
    /// Nodes share it.
    Distributed(Box<PreparedDistributedUse>),
}

impl PreparedUse {
    fn operation(&self) -> &PreparedUserOperation {
        match self {
            Self::Own(prepared) => prepared.operation(),
            Self::Distributed(prepared) => prepared.operation(),
        }
    }

    fn is_active_at(&self, now: u64) -> bool {
        let is_active = |leaf: &SessionLeaf| leaf.status_at(now) == SessionStatus::Active;
        match self {
            Self::Own(prepared) => prepared.leaves().all(is_active),
            Self::Distributed(prepared) => prepared.leaves().all(is_active),
        }
    }

    async fn complete(&self) -> Outcome<UserOpResponse> {
        match self {
            Self::Own(prepared) => complete_send_with_session(&ServerRelay, prepared).await,
            Self::Distributed(prepared) => distributed::complete_use(prepared.clone()).await,
        }
    }
}

fn is_usable_now(prepared: &PreparedUse) -> bool {
    prepared.operation().is_fresh() && prepared.is_active_at(now_seconds())
}

pub async fn use_sessions_with(
    account: Address,
    variables: UseVariables,
    progress: Progress,
) -> Outcome<UserOpResponse> {
    progress.set(UserOpStatus::Preparing);
    let kind = variables.kind();
    let ahead = match BuiltAhead::take(&AHEAD, |from| from.is(account, &variables)) {
        Some(work) => work.await.ok().filter(is_usable_now),
        None => None,
    };
    let prepared = match ahead {
        Some(prepared) => prepared,
        None => build_use(account, variables).await?,
    };
    progress.set(UserOpStatus::AwaitingSignature);
    let user_op_hash = prepared.operation().user_op_hash;
    let response = following::noted(account, kind, user_op_hash, prepared.complete()).await?;
    progress.set(UserOpStatus::Submitted);
    following::sent(account, kind, &response);
    Ok(response)
}
