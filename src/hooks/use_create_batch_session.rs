//! [`use_create_batch_session`].

use super::{
    CreateBatchSessionVariables, MutationOptions, OperationKind, UseMutationReturn, UserOpResponse,
    operations::GrantVariables, use_operation::use_grant,
};

/// Grants sessions that can be used together, several calls in one operation: one key is made in this browser, and
/// the owner signs one operation that allows it what the policies say. Policies for the ABI module and for the ERC-20
/// module may be mixed; what the account lacks (session key manager, batched session router, its own code) the same
/// operation adds. Each session can be used singly, too.
///
/// Resolves when the bundler has the operation; follow it with [`use_user_op_wait`](super::use_user_op_wait), and use
/// the sessions with [`use_batch_session`](super::use_batch_session). Everything else is as in
/// [`use_create_session`](super::use_create_session).
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_create_batch_session.rs"), "```")]
///
/// # Server-Side Rendering
/// Idle. `mutate` and `prepare` are for event handlers, which only run in the browser.
///
/// In React: `useCreateBatchSession`.
pub fn use_create_batch_session() -> UseMutationReturn<CreateBatchSessionVariables, UserOpResponse> {
    use_create_batch_session_with(MutationOptions::default())
}

/// As [`use_create_batch_session`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_create_batch_session_with(
    options: MutationOptions<CreateBatchSessionVariables, UserOpResponse>,
) -> UseMutationReturn<CreateBatchSessionVariables, UserOpResponse> {
    use_grant(options, OperationKind::CreateBatchSession, GrantVariables::Batch)
}
