//! [`use_create_session`].

use super::{
    CreateSessionVariables, MutationOptions, UseMutationReturn, UserOpResponse, operations::GrantVariables,
    use_operation::use_grant,
};

/// Grants sessions: one key is made in this browser, and the owner signs one operation that allows it what the
/// policies say. Resolves when the bundler has the operation; follow it with
/// [`use_user_op_wait`](super::use_user_op_wait). The sessions are stored before it is sent, as pending, and become
/// active when it succeeds, also when nobody waits and across reloads.
///
/// `prepare` builds the operation while the person still reads the review: `mutate` with the same variables then
/// only signs and sends.
///
/// The policies limit calls, not fees: whoever has the key decides what its operations cost, and can take as fees what the
/// account holds to pay them with ([`use_fee_funds`](super::use_fee_funds)). `withdraw_native` sends the native
/// currency of it to the owner in the same operation; allowances of tokens stay.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::{prelude::*, protocol::addresses::DEMO_NFT};
///
/// #[component]
/// fn Grant() -> impl IntoView {
///     let account = use_smart_account();
///     let grant = use_create_session();
///     let confirm = move |_| {
///         let Some(me) = account.smart_account_address.get() else { return };
///         grant.mutate.run(CreateSessionVariables {
///             policy: vec![Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, me)],
///             label: Some("Mint for me".into()),
///             ..Default::default()
///         });
///     };
///     view! {
///         <button on:click=confirm disabled=grant.is_pending>"Allow"</button>
///         <p>{move || grant.progress.get().map(|status| status.to_string())}</p>
///         <code>{move || grant.data.get().map(|response| response.user_op_hash.to_string())}</code>
///         <p role="alert">{move || grant.error.get().map(|error| error.to_string())}</p>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// Idle. `mutate` and `prepare` are for event handlers, which only run in the browser.
///
/// In React: `useCreateSession`.
pub fn use_create_session() -> UseMutationReturn<CreateSessionVariables, UserOpResponse> {
    use_create_session_with(MutationOptions::default())
}

/// As [`use_create_session`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_create_session_with(
    options: MutationOptions<CreateSessionVariables, UserOpResponse>,
) -> UseMutationReturn<CreateSessionVariables, UserOpResponse> {
    use_grant(options, GrantVariables::Sessions)
}
