use leptos::prelude::*;
use use_aa::prelude::*;

/// The account, and whether it is on the chain yet.
#[component]
pub fn Account() -> impl IntoView {
    let account = use_smart_account();
    let address = move || account.smart_account_address.get().map(|address| address.to_string());
    let state = move || if account.is_deployed.get() == Some(true) { "on the chain" } else { "not on the chain yet" };
    view! {
        <Show when=move || address().is_some() fallback=|| "Connect a wallet first">
            <code>{address}</code>
            <p>{state}</p>
        </Show>
    }
}
