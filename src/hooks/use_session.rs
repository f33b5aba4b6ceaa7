//! [`use_session`].

use super::{
    MutationOptions, UseMutationReturn, UseSessionVariables, UserOpResponse, operations::UseVariables,
    use_operation::use_session_use,
};

/// Does what a session allows, without the owner: no wallet need be connected. A call that breaks the session's
/// policy is refused here and names the rule; nothing is sent then.
///
/// Without `session_id` and `corresponding_index` the newest usable session is taken; index 0 is the first.
/// `prepare` builds the operation ahead of the click.
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_session.rs"), "```")]
///
/// # Server-Side Rendering
/// Idle. `mutate` and `prepare` are for event handlers, which only run in the browser.
///
/// In React: `useSession`.
pub fn use_session() -> UseMutationReturn<UseSessionVariables, UserOpResponse> {
    use_session_with(MutationOptions::default())
}

/// As [`use_session`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_session_with(
    options: MutationOptions<UseSessionVariables, UserOpResponse>,
) -> UseMutationReturn<UseSessionVariables, UserOpResponse> {
    use_session_use(options, |variables| variables.smart_account_address, UseVariables::Single)
}
