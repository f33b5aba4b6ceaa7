//! [`use_send_sponsored_transaction`].

use super::{
    MutationOptions, SendTransactionVariables, UseMutationReturn, UserOpResponse, operations::OwnerOperation,
    use_operation::use_owner_operation,
};

/// [`use_send_transaction`](super::use_send_transaction) with the gas paid by the app.
/// Resolves when the bundler has the operation.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::{
///     hooks::{SendTransactionVariables, use_send_sponsored_transaction},
///     protocol::smart_account::Call,
/// };
///
/// #[component]
/// fn SendSponsored(calls: Vec<Call>) -> impl IntoView {
///     let send = use_send_sponsored_transaction();
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
