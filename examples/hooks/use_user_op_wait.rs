use leptos::prelude::*;
use use_aa::prelude::*;

/// Follows an operation to its end.
#[component]
pub fn Followed(response: Signal<Option<UserOpResponse>>) -> impl IntoView {
    let wait = use_user_op_wait(response);
    let status = move || response.get().map(|_| wait.status.get());
    view! {
        <p data-status=move || status().map(|status| status.as_str())>{move || status().map(|status| status.to_string())}</p>
        <code>{move || wait.data.get().map(|receipt| receipt.transaction_hash.to_string())}</code>
        <p role="alert">{move || wait.error.get().map(|error| error.to_string())}</p>
    }
}
