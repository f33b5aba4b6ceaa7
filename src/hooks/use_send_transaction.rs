//! [`use_send_transaction`].

use super::{
    MutationOptions, SendTransactionVariables, UseMutationReturn, UserOpResponse, operations::OwnerOperation,
    use_operation::use_owner_operation,
};

/// Makes the account do calls that the owner signs, in one operation; an undeployed account is deployed by it. The account
/// pays the gas itself, unless the options name a paymaster.
/// Resolves when the bundler has the operation.
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_send_transaction.rs"), "```")]
///
/// # Server-Side Rendering
/// Idle. `mutate` is for event handlers, which only run in the browser.
///
/// In React: `useSendTransaction`.
pub fn use_send_transaction() -> UseMutationReturn<SendTransactionVariables, UserOpResponse> {
    use_send_transaction_with(MutationOptions::default())
}

/// As [`use_send_transaction`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_send_transaction_with(
    options: MutationOptions<SendTransactionVariables, UserOpResponse>,
) -> UseMutationReturn<SendTransactionVariables, UserOpResponse> {
    use_owner_operation(options, OwnerOperation::SendTransaction)
}
