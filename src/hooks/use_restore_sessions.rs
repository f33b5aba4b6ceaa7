//! [`use_restore_sessions`].

use super::{
    MutationOptions, RestoreSessionsVariables, UseMutationReturn, UserOpResponse, operations::OwnerOperation,
    use_operation::use_owner_operation,
};

/// Brings revoked sessions back, with the same key and the same limits: after a mistake, or when another device's
/// grant left them out. The owner signs, as for any grant.
///
/// On a Nexus account they are enabled anew, under the same ids: uses and totals begin at nothing again, which a page should
/// say before. Sessions with distributed keys do not come back there.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::{RestoreSessionsVariables, use_restore_sessions};
///
/// #[component]
/// fn BringBack(session_id: String) -> impl IntoView {
///     let restore = use_restore_sessions();
///     let click = move |_| {
///         let session_ids = vec![session_id.clone()];
///         restore.mutate.run(RestoreSessionsVariables { session_ids, ..Default::default() });
///     };
///     view! {
///         <button on:click=click disabled=restore.is_pending>"Bring back"</button>
///         <p role="alert">{move || restore.error.get().map(|error| error.to_string())}</p>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// Idle. `mutate` is for event handlers, which only run in the browser.
///
/// In React: nothing; ours.
pub fn use_restore_sessions() -> UseMutationReturn<RestoreSessionsVariables, UserOpResponse> {
    use_restore_sessions_with(MutationOptions::default())
}

/// As [`use_restore_sessions`], with options: what is to be done when it begins, succeeds or fails.
pub fn use_restore_sessions_with(
    options: MutationOptions<RestoreSessionsVariables, UserOpResponse>,
) -> UseMutationReturn<RestoreSessionsVariables, UserOpResponse> {
    use_owner_operation(options, OwnerOperation::RestoreSessions)
}
