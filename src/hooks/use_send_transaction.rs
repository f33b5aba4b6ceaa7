//! [`use_send_transaction`].

use super::{
    MutationOptions, SendTransactionVariables, UseMutationReturn, UserOpResponse, operations::OwnerOperation,
    use_operation::use_owner_operation,
};

/// Makes the account do calls that the owner signs, in one operation; an undeployed account is deployed by it. The account
/// pays the gas itself, unless the options name a paymaster.
/// Resolves when the bundler has the operation.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::{
///     hooks::{SendTransactionVariables, use_send_transaction},
///     protocol::smart_account::Call,
/// };
///
/// #[component]
/// fn Send(calls: Vec<Call>) -> impl IntoView {
///     let send = use_send_transaction();
///     let click = move |_| {
///         send.mutate.run(SendTransactionVariables { calls: calls.clone(), ..Default::default() });
///     };
///     view! {
///         <button on:click=click disabled=send.is_pending>"Send"</button>
///         <code>{move || send.data.get().map(|response| response.user_op_hash.to_string())}</code>
///         <p role="alert">{move || send.error.get().map(|error| error.to_string())}</p>
///     }
/// }
/// ```
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
