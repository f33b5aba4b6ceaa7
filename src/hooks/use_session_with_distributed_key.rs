//! [`use_session_with_distributed_key`].

use super::{
    MutationOptions, UseMutationReturn, UseSessionVariables, UserOpResponse, operations::UseVariables,
    use_operation::use_session_use,
};

/// Does what a session with a distributed key allows, without the owner: this browser asks, the nodes check the call by
/// themselves and sign together. Any `t` of them suffice; others are asked when some fail on the way. With fewer the
/// error is `TooFewNodes`, at once. A call that breaks the policy is refused here, and would be by every node.
///
/// As [`use_session`](super::use_session) otherwise: without `session_id` and `corresponding_index` the newest usable
/// session with a distributed key is taken; index 0 is the first of these.
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_session_with_distributed_key.rs"), "```")]
///
/// # Server-Side Rendering
/// Idle. `mutate` and `prepare` are for event handlers, which only run in the browser.
///
/// In React: `useSessionWithDistributedKey`.
pub fn use_session_with_distributed_key() -> UseMutationReturn<UseSessionVariables, UserOpResponse> {
    use_session_with_distributed_key_with(MutationOptions::default())
}

/// As [`use_session_with_distributed_key`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_session_with_distributed_key_with(
    options: MutationOptions<UseSessionVariables, UserOpResponse>,
) -> UseMutationReturn<UseSessionVariables, UserOpResponse> {
    use_session_use(options, |variables| variables.smart_account_address, UseVariables::Distributed)
}
