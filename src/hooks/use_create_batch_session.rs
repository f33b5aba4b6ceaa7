//! [`use_create_batch_session`].

use super::{
    CreateBatchSessionVariables, MutationOptions, UseMutationReturn, UserOpResponse, operations::GrantVariables,
    use_operation::use_grant,
};

/// Grants sessions that can be used together, several calls in one operation: one key is made in this browser, and
/// the owner signs one operation that allows it what the policies say. Policies for the ABI module and for the ERC-20
/// module may be mixed; what the account lacks (session key manager, batched session router, its own code) the same
/// operation adds. Each session can be used singly, too.
///
/// Resolves when the bundler has the operation; follow it with [`use_user_op_wait`](super::use_user_op_wait), and use
/// the sessions with [`use_batch_session`](super::use_batch_session). Everything else is as in
/// [`use_create_session`](super::use_create_session).
///
/// ```
/// use alloy::primitives::U256;
/// use leptos::prelude::*;
/// use use_aa::{
///     hooks::{CreateBatchSessionVariables, use_create_batch_session, use_smart_account},
///     protocol::{
///         addresses::{DEMO_NFT, DEMO_TOKEN},
///         policy::{Condition, Erc20Policy, Policy},
///     },
/// };
///
/// #[component]
/// fn Grant() -> impl IntoView {
///     let account = use_smart_account();
///     let grant = use_create_batch_session();
///     let confirm = move |_| {
///         let (Some(own), Some(owner)) = (account.smart_account_address.get(), account.owner_address.get()) else {
///             return;
///         };
///         grant.mutate.run(CreateBatchSessionVariables {
///             policy: vec![
///                 Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, own).into(),
///                 Erc20Policy::new(DEMO_TOKEN, owner, U256::from(5_000_000)).into(),
///             ],
///             label: Some("Mint, and up to 5 DUSD for me".into()),
///             ..Default::default()
///         });
///     };
///     view! {
///         <button on:click=confirm disabled=grant.is_pending>"Allow"</button>
///         <code>{move || grant.data.get().map(|response| response.user_op_hash.to_string())}</code>
///         <p role="alert">{move || grant.error.get().map(|error| error.to_string())}</p>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// Idle. `mutate` and `prepare` are for event handlers, which only run in the browser.
///
/// In React: `useCreateBatchSession`.
pub fn use_create_batch_session() -> UseMutationReturn<CreateBatchSessionVariables, UserOpResponse> {
    use_create_batch_session_with(MutationOptions::default())
}

/// As [`use_create_batch_session`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_create_batch_session_with(
    options: MutationOptions<CreateBatchSessionVariables, UserOpResponse>,
) -> UseMutationReturn<CreateBatchSessionVariables, UserOpResponse> {
    use_grant(options, GrantVariables::Batch)
}
