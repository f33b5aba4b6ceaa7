//! [`use_session_action`].

use std::sync::Arc;

use leptos::prelude::*;

use super::{
    OperationKind, UseMutationReturn, UseUserOpWaitReturn, UserOpResponse, use_resumed_operation, use_user_op_wait,
};
use crate::error::AppError;

/// What [`use_session_action`] returns. `Copy`: pass it around like a signal.
pub struct UseSessionActionReturn<V: Send + Sync + 'static> {
    /// Makes the variables and sends; what cannot be sent is in `refused`. Does nothing while it is pending.
    pub run: Callback<()>,
    /// Builds the operation ahead: whoever comes to the button will likely press it.
    pub get_ready: Callback<()>,
    /// Why there was nothing to send.
    pub refused: Signal<Option<AppError>>,
    /// The mutation that sends.
    pub mutation: UseMutationReturn<V, UserOpResponse>,
    /// The wait for its receipt; it goes on after a reload, too.
    pub wait: UseUserOpWaitReturn,
    /// What it is noted as.
    pub kind: OperationKind,
}

impl<V: Send + Sync + 'static> Copy for UseSessionActionReturn<V> {}

impl<V: Send + Sync + 'static> Clone for UseSessionActionReturn<V> {
    fn clone(&self) -> Self {
        *self
    }
}

/// Uses sessions from the click to the receipt. `mutation` is what uses them, `kind` what it is noted as so that the wait
/// goes on after a reload, and `variables` makes what is to be done out of the page's fields, or says why it cannot.
///
/// ```
/// use alloy::{primitives::Address, sol};
/// use leptos::prelude::*;
/// use use_aa::{prelude::*, protocol::addresses::DEMO_NFT};
///
/// sol! {
///     function safeMint(address to);
/// }
///
/// #[component]
/// fn MintTo(recipient: RwSignal<String>) -> impl IntoView {
///     let mint = use_session_action(use_session(), OperationKind::UseSession, move || {
///         let typed = recipient.get();
///         let to = typed.parse::<Address>().map_err(|_| AppError::invalid("recipient", "an address", &typed))?;
///         Ok(UseSessionVariables { calls: vec![Call::to(DEMO_NFT, &safeMintCall { to })], ..Default::default() })
///     });
///     let error = move || mint.refused.get().or(mint.mutation.error.get()).or(mint.wait.error.get());
///     view! {
///         <button on:focus=move |_| mint.get_ready.run(()) on:click=move |_| mint.run.run(())>"Mint"</button>
///         <p>{move || mint.wait.response.get().map(|_| mint.wait.status.get().to_string())}</p>
///         <p role="alert">{move || error().map(|error| error.to_string())}</p>
///     }
/// }
/// ```
///
/// # Server-Side Rendering
/// Idle. `run` and `get_ready` are for event handlers, which only run in the browser.
///
/// In React: nothing; ours.
pub fn use_session_action<V>(
    mutation: UseMutationReturn<V, UserOpResponse>,
    kind: OperationKind,
    variables: impl Fn() -> Result<V, AppError> + Send + Sync + 'static,
) -> UseSessionActionReturn<V>
where
    V: Clone + Send + Sync + 'static,
{
    let wait = use_user_op_wait(use_resumed_operation(kind, mutation.data));
    let refused = RwSignal::new(None::<AppError>);
    let variables = Arc::new(variables);
    let ahead = Arc::clone(&variables);
    let run = move |()| {
        if mutation.is_pending.get_untracked() {
            return;
        }
        let made = untrack(|| variables());
        refused.set(made.as_ref().err().cloned());
        if let Ok(variables) = made {
            mutation.mutate.run(variables);
        }
    };
    let get_ready = move |()| {
        if let Ok(variables) = untrack(|| ahead()) {
            mutation.prepare.run(variables);
        }
    };
    UseSessionActionReturn {
        run: Callback::new(run),
        get_ready: Callback::new(get_ready),
        refused: refused.into(),
        mutation,
        wait,
        kind,
    }
}
