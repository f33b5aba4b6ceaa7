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
/// ```
/// use leptos::prelude::*;
/// use use_aa::{
///     hooks::{UseBatchSessionVariables, use_batch_session},
///     protocol::smart_account::Call,
/// };
///
/// #[component]
/// fn MintAndPay(mint: Call, pay: Call) -> impl IntoView {
///     let batch = use_batch_session();
///     let click = move |_| {
///         let calls = vec![mint.clone(), pay.clone()];
///         batch.mutate.run(UseBatchSessionVariables { calls, ..Default::default() });
///     };
///     view! {
///         <button on:click=click disabled=batch.is_pending>"Mint and pay"</button>
///         <code>{move || batch.data.get().map(|response| response.user_op_hash.to_string())}</code>
///         <p role="alert">{move || batch.error.get().map(|error| error.to_string())}</p>
///     }
/// }
/// ```
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
