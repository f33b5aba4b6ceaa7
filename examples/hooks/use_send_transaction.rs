use alloy::sol;
use leptos::prelude::*;
use use_aa::{prelude::*, protocol::addresses::DEMO_NFT};

sol! {
    function safeMint(address to);
}

/// Mints, and the account pays the gas.
#[component]
pub fn Mint() -> impl IntoView {
    let account = use_smart_account();
    let mint = use_send_transaction();
    let wait = use_user_op_wait(mint.data);
    let click = move |_| {
        let Some(to) = account.smart_account_address.get() else { return };
        let calls = vec![Call::to(DEMO_NFT, &safeMintCall { to })];
        mint.mutate.run(SendTransactionVariables { calls, ..Default::default() });
    };
    let blocked = move || mint.is_pending.get() || account.smart_account_address.get().is_none();
    let error = move || mint.error.get().or(wait.error.get());
    view! {
        <button on:click=click disabled=blocked>"Mint"</button>
        <p>{move || wait.is_success.get().then_some("Minted")}</p>
        <p role="alert">{move || error().map(|error| error.to_string())}</p>
    }
}
