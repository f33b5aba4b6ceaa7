//! [`use_create_session_with_distributed_key`].

use super::{
    CreateSessionVariables, MutationOptions, OperationKind, UseMutationReturn, UserOpResponse,
    operations::GrantVariables, use_operation::use_grant,
};

/// Grants sessions whose key nobody holds: nodes share it, and as many as agreed (3 of 5, say) must sign together. This
/// browser keeps only a key with which it may ask them, encrypted; each node checks every call against the policy.
///
/// The wallet is asked twice: for the grant, which it shows in words and each node verifies, and for the operation that
/// puts the sessions under the account's root. Otherwise as [`use_create_session`](super::use_create_session); `prepare`
/// also takes a key out of the server's pool, so that nobody waits while one is made (some seconds; see
/// [`use_key_network`](super::use_key_network)). All nodes must be there. What they can and cannot do:
/// `use_aa::dan`, "Trust model".
///
/// The grant says, too, what the gas of one operation may cost the account (`max_operation_cost`; the nodes sign no dearer
/// one). Tokens that a paymaster may take by an allowance are not limited by it.
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_create_session_with_distributed_key.rs"), "```")]
///
/// # Server-Side Rendering
/// Idle. `mutate` and `prepare` are for event handlers, which only run in the browser.
///
/// In React: `useCreateSessionWithDistributedKey`.
pub fn use_create_session_with_distributed_key() -> UseMutationReturn<CreateSessionVariables, UserOpResponse> {
    use_create_session_with_distributed_key_with(MutationOptions::default())
}

/// As [`use_create_session_with_distributed_key`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_create_session_with_distributed_key_with(
    options: MutationOptions<CreateSessionVariables, UserOpResponse>,
) -> UseMutationReturn<CreateSessionVariables, UserOpResponse> {
    use_grant(options, OperationKind::CreateDistributedSession, GrantVariables::Distributed)
}
