use leptos::prelude::*;
use use_aa::prelude::*;

/// Follows an operation to its end.
#[component]
pub fn Followed(response: Signal<Option<UserOpResponse>>) -> impl IntoView {
    let wait = use_user_op_wait(response);
    view! {
        <p data-status=move || wait.status.get().as_str()>{move || wait.status.get().to_string()}</p>
        <code>{move || wait.data.get().map(|receipt| receipt.transaction_hash.to_string())}</code>
        <p role="alert">{move || wait.error.get().map(|error| error.to_string())}</p>
    }
}
