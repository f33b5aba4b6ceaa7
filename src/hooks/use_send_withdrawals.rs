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
/// ```
/// use leptos::prelude::*;
/// use use_aa::{
///     hooks::{SendWithdrawalsVariables, WithdrawalRequest, use_send_withdrawals},
///     protocol::{addresses::DEMO_TOKEN},
/// };
///
/// #[component]
/// fn Withdraw() -> impl IntoView {
///     let withdraw = use_send_withdrawals();
///     let click = move |_| {
///         withdraw.mutate.run(SendWithdrawalsVariables {
///             withdrawal_requests: vec![WithdrawalRequest::all(DEMO_TOKEN)],
///             ..Default::default()
///         });
///     };
///     view! {
///         <button on:click=click disabled=withdraw.is_pending>"Withdraw all"</button>
///         <code>{move || withdraw.data.get().map(|response| response.user_op_hash.to_string())}</code>
///         <p role="alert">{move || withdraw.error.get().map(|error| error.to_string())}</p>
///     }
/// }
/// ```
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
