//! [`use_create_session`].

use super::{
    CreateSessionVariables, MutationOptions, OperationKind, UseMutationReturn, UserOpResponse,
    operations::GrantVariables, use_operation::use_grant,
};

/// Grants sessions: one key is made in this browser, and the owner signs one operation that allows it what the
/// policies say. Resolves when the bundler has the operation; follow it with
/// [`use_user_op_wait`](super::use_user_op_wait). The sessions are stored before it is sent, as pending, and become
/// active when it succeeds, also when nobody waits and across reloads.
///
/// `prepare` builds the operation while the person still reads the review: `mutate` with the same variables then
/// only signs and sends.
///
/// The policies limit calls, not fees: whoever has the key decides what its operations cost, and can take as fees what the
/// account holds to pay them with ([`use_fee_funds`](super::use_fee_funds)). `withdraw_native` sends the native
/// currency of it to the owner in the same operation; allowances of tokens stay.
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_create_session.rs"), "```")]
///
/// # Server-Side Rendering
/// Idle. `mutate` and `prepare` are for event handlers, which only run in the browser.
///
/// In React: `useCreateSession`.
pub fn use_create_session() -> UseMutationReturn<CreateSessionVariables, UserOpResponse> {
    use_create_session_with(MutationOptions::default())
}

/// As [`use_create_session`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_create_session_with(
    options: MutationOptions<CreateSessionVariables, UserOpResponse>,
) -> UseMutationReturn<CreateSessionVariables, UserOpResponse> {
    use_grant(options, OperationKind::CreateSession, GrantVariables::Sessions)
}
