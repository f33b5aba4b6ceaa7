//! [`use_send_sponsored_transaction`].

use super::{
    MutationOptions, SendTransactionVariables, UseMutationReturn, UserOpResponse, operations::OwnerOperation,
    use_operation::use_owner_operation,
};

/// [`use_send_transaction`](super::use_send_transaction) with the gas paid by the app.
/// Resolves when the bundler has the operation.
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_send_sponsored_transaction.rs"), "```")]
///
/// # Server-Side Rendering
/// Idle. `mutate` is for event handlers, which only run in the browser.
///
/// In React: `useSendSponsoredTransaction`.
pub fn use_send_sponsored_transaction() -> UseMutationReturn<SendTransactionVariables, UserOpResponse> {
    use_send_sponsored_transaction_with(MutationOptions::default())
}

/// As [`use_send_sponsored_transaction`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_send_sponsored_transaction_with(
    options: MutationOptions<SendTransactionVariables, UserOpResponse>,
) -> UseMutationReturn<SendTransactionVariables, UserOpResponse> {
    use_owner_operation(options, OwnerOperation::SendSponsoredTransaction)
}
