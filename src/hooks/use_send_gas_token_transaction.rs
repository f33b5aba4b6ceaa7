//! [`use_send_gas_token_transaction`].

use super::{
    MutationOptions, SendGasTokenTransactionVariables, UseMutationReturn, UserOpResponse, operations::OwnerOperation,
    use_operation::use_owner_operation,
};

/// [`use_send_transaction`](super::use_send_transaction) with the gas paid in a token of the account. The token is given
/// by its address, or by a quote of [`use_token_fees`](super::use_token_fees): then no more than the quote is paid.
///
/// The paymaster's allowance is read, and an approval is put in front of the calls only when it is missing. On accounts whose
/// fee is taken before the calls (Nexus) it is an operation of its own before: the wallet asks twice, and the progress is
/// [`AwaitingApproval`](super::UserOpStatus::AwaitingApproval) in between. Where gas
/// cannot be paid in the token, the error is `GasTokenRefused` or `FeeQuoteExpired` and nothing was sent.
/// Resolves when the bundler has the operation.
///
#[doc = concat!("```\n", include_str!("../../examples/hooks/use_send_gas_token_transaction.rs"), "```")]
///
/// # Server-Side Rendering
/// Idle. `mutate` is for event handlers, which only run in the browser.
///
/// In React: `useSendGasTokenTransaction`.
pub fn use_send_gas_token_transaction() -> UseMutationReturn<SendGasTokenTransactionVariables, UserOpResponse> {
    use_send_gas_token_transaction_with(MutationOptions::default())
}

/// As [`use_send_gas_token_transaction`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_send_gas_token_transaction_with(
    options: MutationOptions<SendGasTokenTransactionVariables, UserOpResponse>,
) -> UseMutationReturn<SendGasTokenTransactionVariables, UserOpResponse> {
    use_owner_operation(options, OwnerOperation::SendGasTokenTransaction)
}
