//! Brings revoked sessions back: the same leaves, the same key, under the root once more.
//!
//! For the loser of two devices that granted at the same time (its sessions were left out by the other's root), and for
//! a person who revoked too much. It is a grant like any other: the owner signs, and it is followed by
//! [`super::settle_session`].

use super::{
    account::SmartAccountClient,
    clock::unix_seconds,
    create_session::{PreparedCreateSession, complete_create_session, prepare_grant_of},
    grant::{GrantRequest, Material, refuse_what_must_not_be_granted},
    options::BuildUserOpOptions,
    ports::SessionStore,
    reviewed_sessions::ReviewedSessions,
};
use crate::error::AppError;
use use_aa_protocol::{
    lint::LintContext,
    session::{SessionBook, SessionKeyManager, SessionLeaf, SessionStatus},
    user_op_response::UserOpResponse,
};

/// What is to be done; variables of `use_restore_sessions`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RestoreSessionsVariables {
    /// Ids of revoked sessions.
    pub session_ids: Vec<String>,
    /// Without `paymaster_service_data` it is sponsored wherever the server sponsors pages.
    pub options: BuildUserOpOptions,
    /// As in [`CreateSessionVariables`](super::create_session::CreateSessionVariables).
    pub reviewed: Option<ReviewedSessions>,
}

/// The former name of [`RestoreSessionsVariables`].
#[deprecated(note = "is now `RestoreSessionsVariables`")]
pub type RestoreSessionsRequest = RestoreSessionsVariables;

/// Restores sessions: [`prepare_restore_sessions`], then
/// [`complete_create_session`].
///
/// # Errors
/// Those of the two.
pub async fn restore_sessions(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    request: RestoreSessionsVariables,
) -> Result<UserOpResponse, AppError> {
    let prepared = prepare_restore_sessions(client, store, request).await?;
    complete_create_session(client, store, prepared).await
}

/// Builds the operation that brings them back. Writes nothing.
///
/// # Errors
/// `InvalidInput` without any session, or for one that is not revoked; `SessionNotFound`; `SessionExpired` for one whose
/// window is over; `PolicyRefused` for one that the linter stops; those of preparing a grant.
pub async fn prepare_restore_sessions(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    request: RestoreSessionsVariables,
) -> Result<PreparedCreateSession, AppError> {
    let RestoreSessionsVariables { session_ids, options, reviewed } = request;
    let book = store.load(client.account).await?;
    let leaves = session_ids.iter().map(|id| revoked(&book, id)).collect::<Result<Vec<_>, _>>()?;
    // What came from another device was never looked at here.
    refuse_what_must_not_be_granted(
        LintContext { account: client.account, now: unix_seconds(), ..LintContext::default() },
        &leaves,
    )?;
    let first = leaves.first().ok_or_else(|| AppError::invalid("sessionIds", "at least one session id", "none"))?;
    let material = Material { key: None, session_key_address: first.session_key_address, leaves };
    let grant = GrantRequest { options, reviewed, ..GrantRequest::default() };
    prepare_grant_of(client, store, grant, material).await
}

/// A leaf that can come back.
fn revoked(book: &SessionBook, session_id: &str) -> Result<SessionLeaf, AppError> {
    let leaf = book.find(session_id).ok_or_else(|| AppError::SessionNotFound { wanted: session_id.to_owned() })?;
    if leaf.status != SessionStatus::Revoked {
        let got = format!("{session_id}, which is {}", leaf.status.wire_name());
        return Err(AppError::invalid("sessionIds", "ids of revoked sessions", got));
    }
    if leaf.valid_until != 0 && leaf.valid_until <= unix_seconds() {
        return Err(AppError::SessionExpired { session_id: session_id.to_owned(), valid_until: leaf.valid_until });
    }
    let mut leaf = leaf.clone();
    // Nothing is granted to the older manager.
    leaf.set_manager(SessionKeyManager::Current);
    Ok(leaf)
}
