//! [`use_restore_sessions`].

use std::rc::Rc;

use super::{
    MutationOptions, Progress, RestoreSessionsVariables, UseMutationReturn, UserOpResponse,
    context::use_context_or_detached, lazy, use_mutation,
};

/// Brings revoked sessions back, with the same key and the same limits: after a mistake, or when another device's
/// grant left them out. The owner signs, as for any grant.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::{MutationOptions, RestoreSessionsVariables, use_restore_sessions};
///
/// #[component]
/// fn BringBack(session_id: String) -> impl IntoView {
///     let restore = use_restore_sessions(MutationOptions::default());
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
pub fn use_restore_sessions(
    options: MutationOptions<RestoreSessionsVariables, UserOpResponse>,
) -> UseMutationReturn<RestoreSessionsVariables, UserOpResponse> {
    let context = use_context_or_detached();
    use_mutation(options, move |variables, progress: Progress| async move {
        let owner = context.connected_owner()?;
        lazy::restore_sessions(owner, variables, Rc::new(move |status| progress.set(status))).await
    })
}
