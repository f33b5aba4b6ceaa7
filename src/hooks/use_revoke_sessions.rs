//! [`use_revoke_sessions`].

use super::{
    MutationOptions, RevokeSessionsVariables, UseMutationReturn, UserOpResponse, operations::OwnerOperation,
    use_operation::use_owner_operation,
};

/// Takes sessions back: the owner signs an operation that sets a root without them; with
/// [`SessionsToRevoke::All`](super::SessionsToRevoke) the zero root, which ends also those of other devices.
///
/// Resolves when the bundler has the operation. Follow it with [`use_user_op_wait`](super::use_user_op_wait): a status
/// changes when the chain has changed, not before. Then [`use_revocation_proof`](super::use_revocation_proof) shows
/// that the chain refuses the session.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::{RevokeSessionsVariables, SessionsToRevoke, use_revoke_sessions};
///
/// #[component]
/// fn TakeBack(session_id: String) -> impl IntoView {
///     let revoke = use_revoke_sessions();
///     let click = move |_| {
///         let sessions = SessionsToRevoke::These(vec![session_id.clone()]);
///         revoke.mutate.run(RevokeSessionsVariables { sessions, ..Default::default() });
///     };
///     view! {
///         <button on:click=click disabled=revoke.is_pending>"Take back"</button>
///         <p role="alert">{move || revoke.error.get().map(|error| error.to_string())}</p>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// Idle. `mutate` is for event handlers, which only run in the browser.
///
/// In React: nothing; ours.
pub fn use_revoke_sessions() -> UseMutationReturn<RevokeSessionsVariables, UserOpResponse> {
    use_revoke_sessions_with(MutationOptions::default())
}

/// As [`use_revoke_sessions`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_revoke_sessions_with(
    options: MutationOptions<RevokeSessionsVariables, UserOpResponse>,
) -> UseMutationReturn<RevokeSessionsVariables, UserOpResponse> {
    use_owner_operation(options, OwnerOperation::RevokeSessions)
}
