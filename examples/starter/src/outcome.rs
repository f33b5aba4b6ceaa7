//! What became of an operation.

use leptos::prelude::*;
use use_aa::prelude::*;

/// How far it is, its transaction once that succeeded, or why it failed.
#[component]
pub fn Outcome<V: Send + Sync + 'static>(
    /// What sends it.
    of: UseMutationReturn<V, UserOpResponse>,
    /// What follows it.
    wait: UseUserOpWaitReturn,
    /// Why nothing was sent.
    refused: Signal<Option<AppError>>,
) -> impl IntoView {
    let status = move || match of.progress.get() {
        Some(progress) if of.is_pending.get() => Some(progress),
        // Also one that was sent before the page was loaded again.
        _ => wait.response.get().map(|_| wait.status.get()),
    };
    let error = move || refused.get().or(of.error.get()).or(wait.error.get());
    view! {
        <p role="status">{move || status().map(|status| status.to_string())}</p>
        <output>{move || wait.data.get().map(|receipt| receipt.transaction_hash.to_string())}</output>
        <p role="alert">{move || error().map(|error| error.to_string())}</p>
    }
}
