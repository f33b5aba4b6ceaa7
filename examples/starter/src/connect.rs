//! Step 1: the owner's wallet, and the smart account that belongs to it.

use leptos::prelude::*;
use use_aa::prelude::*;

/// A button for each wallet; then the account.
#[component]
pub fn Connect() -> impl IntoView {
    let wallets = use_wallets();
    let account = use_smart_account();
    let error = move || wallets.error.get().or(account.owner_refused.get()).or(account.error.get());
    view! {
        <section>
            <h2>"1. Connect"</h2>
            <Show when=move || wallets.connected.get().is_none()>
                <For each=move || wallets.wallets.get() key=|wallet| wallet.id().to_owned() let:wallet>
                    <button on:click=move |_| wallets.connect.run(wallet.id().to_owned())>{wallet.name.clone()}</button>
                </For>
            </Show>
            <Show when=move || wallets.is_wrong_chain.get()>
                <button on:click=move |_| wallets.switch_chain.run(())>"Switch the chain"</button>
            </Show>
            <p>
                "Smart account: "
                <code>{move || account.smart_account_address.get().map(|address| address.to_string())}</code>
            </p>
            <p role="alert">{move || error().map(|error| error.to_string())}</p>
        </section>
    }
}
