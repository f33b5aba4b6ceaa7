//! [`use_send_withdrawals`].

use super::{
    MutationOptions, SendWithdrawalsVariables, UseMutationReturn, UserOpResponse, operations::OwnerOperation,
    use_operation::use_owner_operation,
};

/// Takes tokens and native currency out of the account, in one operation that the owner signs. Each request keeps its recipient;
/// a left-out amount is the full balance, and 0 stays 0. All of the ether leaves what the gas may cost when the
/// account pays for it.
/// Resolves when the bundler has the operation.
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_send_withdrawals.rs"), "```")]
///
/// # Server-Side Rendering
/// Idle. `mutate` is for event handlers, which only run in the browser.
///
/// In React: `useSendWithdrawals`.
pub fn use_send_withdrawals() -> UseMutationReturn<SendWithdrawalsVariables, UserOpResponse> {
    use_send_withdrawals_with(MutationOptions::default())
}

/// As [`use_send_withdrawals`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_send_withdrawals_with(
    options: MutationOptions<SendWithdrawalsVariables, UserOpResponse>,
) -> UseMutationReturn<SendWithdrawalsVariables, UserOpResponse> {
    use_owner_operation(options, OwnerOperation::SendWithdrawals)
}
