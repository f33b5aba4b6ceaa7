//! [`use_revoke_at_nodes`].

use super::{
    MutationOptions, Progress, RevokeAtNodesVariables, UseMutationReturn, nexus_distributed,
    provider::use_context_or_detached, rest, use_mutation,
};
use crate::protocol::kind::AccountKind;

/// Tells the nodes that share a session's key to sign no more with it, for ever. Works at once, without wallet and
/// without an operation on chain; the session stays on chain until it is revoked there, but nobody can sign for it.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::{RevokeAtNodesVariables, use_revoke_at_nodes};
///
/// #[component]
/// fn Stop(session_id: String) -> impl IntoView {
///     let revoke = use_revoke_at_nodes();
///     let click = move |_| {
///         revoke.mutate.run(RevokeAtNodesVariables { session_id: session_id.clone(), ..Default::default() });
///     };
///     view! {
///         <button on:click=click disabled=revoke.is_pending>"Stop"</button>
///         <p role="alert">{move || revoke.error.get().map(|error| error.to_string())}</p>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// Idle. `mutate` is for event handlers, which only run in the browser.
///
/// In React: nothing; ours.
pub fn use_revoke_at_nodes() -> UseMutationReturn<RevokeAtNodesVariables, ()> {
    use_revoke_at_nodes_with(MutationOptions::default())
}

/// As [`use_revoke_at_nodes`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_revoke_at_nodes_with(
    options: MutationOptions<RevokeAtNodesVariables, ()>,
) -> UseMutationReturn<RevokeAtNodesVariables, ()> {
    let context = use_context_or_detached();
    use_mutation(options, move |variables: RevokeAtNodesVariables, _: Progress| async move {
        let account = context.account_or(variables.smart_account_address)?;
        match context.kind_of(account) {
            AccountKind::Nexus => nexus_distributed::revoke_at_nodes(account, variables.session_id).await,
            AccountKind::BiconomyV2 => rest::revoke_at_nodes(account, variables.session_id).await,
        }
    })
}
