//! [`use_resumed_operation`].

use leptos::prelude::*;

use super::{OperationKind, UserOpResponse};

/// The operation to show: the one just sent (`live`, usually a mutation's `data`), else the newest of this kind that
/// was still under way when the page was left. Give it to [`use_user_op_wait`](super::use_user_op_wait), and a wait
/// goes on after a reload.
///
/// ```
/// use leptos::prelude::*;
/// use use_aa::hooks::{
///     OperationKind, use_resumed_operation, use_session, use_user_op_wait,
/// };
///
/// #[component]
/// fn Status() -> impl IntoView {
///     let mint = use_session();
///     let operation = use_resumed_operation(OperationKind::UseSession, mint.data);
///     let wait = use_user_op_wait(operation);
///     view! { <p>{move || wait.response.get().map(|_| wait.status.get().to_string())}</p> }
/// }
/// ```
///
/// # Server-Side Rendering
/// Nothing is resumed.
///
/// In React: nothing; ours.
pub fn use_resumed_operation(
    kind: OperationKind,
    live: Signal<Option<UserOpResponse>>,
) -> Signal<Option<UserOpResponse>> {
    let resumed = RwSignal::new(None::<UserOpResponse>);
    #[cfg(feature = "hydrate")]
    {
        let context = super::provider::use_context_or_detached();
        super::effect(move || {
            // Read once per account: what ends while it is shown stays shown.
            let found =
                context.account.get().and_then(|account| crate::client::operation_log::unsettled(account, kind));
            resumed.try_set(found);
        });
        // What is sent from here takes its place for good.
        super::effect(move || {
            if live.with(Option::is_some) {
                resumed.try_set(None);
            }
        });
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = kind;
    Signal::derive(move || live.get().or_else(|| resumed.get()))
}
