use leptos::prelude::*;
use use_aa::prelude::*;

/// The account, and whether it is on the chain yet.
#[component]
pub fn Account() -> impl IntoView {
    let account = use_smart_account();
    let address = move || account.smart_account_address.get().map(|address| address.to_string());
    let state = move || account.is_deployed.get().map(|is| if is { "on the chain" } else { "not on the chain yet" });
    view! {
        <Show when=move || address().is_some() fallback=|| "Connect a wallet first">
            <code>{address}</code>
            <p>{state}</p>
        </Show>
        <p role="alert">{move || account.error.get().map(|error| error.to_string())}</p>
    }
}
