//! [`use_revoke_sessions`].

use super::{
    MutationOptions, RevokeSessionsVariables, UseMutationReturn, UserOpResponse, operations::OwnerOperation,
    use_operation::use_owner_operation,
};

/// Takes sessions back: the owner signs an operation that sets a root without them; with
/// [`SessionsToRevoke::All`](super::SessionsToRevoke) the zero root, which ends also those of other devices.
///
/// Sessions of Nexus accounts stand under no root, each ends for itself. More than
/// [`MOST_ENDED_AT_ONCE`](super::MOST_ENDED_AT_ONCE) take several operations, each signed and waited for in turn:
/// [`Continuing`](super::UserOpStatus::Continuing) tells how far it is, and `RevokedInPart` what is done and what is not when
/// one fails. The same variables once more go on with what is left.
///
/// Resolves when the bundler has the operation (of several: the last). Follow it with [`use_user_op_wait`](super::use_user_op_wait): a status
/// changes when the chain has changed, not before. Then [`use_revocation_proof`](super::use_revocation_proof) shows
/// that the chain refuses the session.
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_revoke_sessions.rs"), "```")]
///
/// # Server-Side Rendering
/// Idle. `mutate` is for event handlers, which only run in the browser.
///
/// In React: nothing; ours.
pub fn use_revoke_sessions() -> UseMutationReturn<RevokeSessionsVariables, UserOpResponse> {
    use_revoke_sessions_with(MutationOptions::default())
}

/// As [`use_revoke_sessions`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_revoke_sessions_with(
    options: MutationOptions<RevokeSessionsVariables, UserOpResponse>,
) -> UseMutationReturn<RevokeSessionsVariables, UserOpResponse> {
    use_owner_operation(options, OwnerOperation::RevokeSessions)
}
