use alloy::sol;
use leptos::prelude::*;
use use_aa::prelude::*;
use use_aa::protocol::addresses::{DEMO_NFT, DEMO_TOKEN};

sol! {
    function safeMint(address to);
}

/// Mints, and the account pays the gas in a token.
#[component]
pub fn MintPaidInDollars() -> impl IntoView {
    let account = use_smart_account();
    let mint = use_send_gas_token_transaction();
    let wait = use_user_op_wait(mint.data);
    let click = move |_| {
        let Some(to) = account.smart_account_address.get() else { return };
        let calls = vec![Call::to(DEMO_NFT, &safeMintCall { to })];
        mint.mutate.run(SendGasTokenTransactionVariables {
            calls,
            token_param: DEMO_TOKEN.into(), // or a quote of `use_token_fees`: then no more than it says is paid
            options: Default::default(),
        });
    };
    let blocked = move || mint.is_pending.get() || account.smart_account_address.get().is_none();
    let error = move || mint.error.get().or(wait.error.get());
    view! {
        <button on:click=click disabled=blocked>"Mint"</button>
        <p>{move || wait.is_success.get().then_some("Minted")}</p>
        <p role="alert">{move || error().map(|error| error.to_string())}</p>
    }
}
