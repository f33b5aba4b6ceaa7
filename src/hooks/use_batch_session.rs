//! [`use_batch_session`].

use super::{
    MutationOptions, UseBatchSessionVariables, UseMutationReturn, UserOpResponse, operations::UseVariables,
    use_operation::use_session_use,
};

/// Does several calls in one operation, all or nothing, each allowed by a session of its own, without the owner: no
/// wallet need be connected. A call that breaks its session's policy is refused here and names call and rule;
/// nothing is sent then. One call is a batch, too.
///
/// Without `session_ids` and `corresponding_indexes` the newest usable sessions are taken that allow the calls. All
/// sessions of a batch must have been granted with one key, by
/// [`use_create_batch_session`](super::use_create_batch_session). `prepare` builds the operation ahead of the click.
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_batch_session.rs"), "```")]
///
/// # Server-Side Rendering
/// Idle. `mutate` and `prepare` are for event handlers, which only run in the browser.
///
/// In React: `useBatchSession`.
pub fn use_batch_session() -> UseMutationReturn<UseBatchSessionVariables, UserOpResponse> {
    use_batch_session_with(MutationOptions::default())
}

/// As [`use_batch_session`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_batch_session_with(
    options: MutationOptions<UseBatchSessionVariables, UserOpResponse>,
) -> UseMutationReturn<UseBatchSessionVariables, UserOpResponse> {
    use_session_use(options, |variables| variables.smart_account_address, UseVariables::Batch)
}
