//! [`use_session`].

use super::{
    MutationOptions, UseMutationReturn, UseSessionVariables, UserOpResponse, operations::UseVariables,
    use_operation::use_session_use,
};

/// Does what a session allows, without the owner: no wallet need be connected. A call that breaks the session's
/// policy is refused here and names the rule; nothing is sent then.
///
/// Without `session_id` and `corresponding_index` the newest usable session is taken; index 0 is the first.
/// `prepare` builds the operation ahead of the click.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::{
///     hooks::{MutationOptions, UseSessionVariables, use_session},
///     protocol::smart_account::Call,
/// };
///
/// #[component]
/// fn Mint(call: Call) -> impl IntoView {
///     let mint = use_session(MutationOptions::default());
///     let click = move |_| {
///         mint.mutate.run(UseSessionVariables { calls: vec![call.clone()], ..Default::default() });
///     };
///     view! {
///         <button on:click=click disabled=mint.is_pending>"Mint"</button>
///         <code>{move || mint.data.get().map(|response| response.user_op_hash.to_string())}</code>
///         <p role="alert">{move || mint.error.get().map(|error| error.to_string())}</p>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// Idle. `mutate` and `prepare` are for event handlers, which only run in the browser.
///
/// In React: `useSession`.
pub fn use_session(
    options: MutationOptions<UseSessionVariables, UserOpResponse>,
) -> UseMutationReturn<UseSessionVariables, UserOpResponse> {
    use_session_use(options, |variables| variables.smart_account_address, UseVariables::Single)
}
