use alloy::{primitives::U256, sol};
use leptos::prelude::*;
use use_aa::prelude::*;
use use_aa::protocol::addresses::{DEMO_NFT, DEMO_TOKEN};

sol! {
    function safeMint(address to);
    function transfer(address to, uint256 amount);
}

/// Mints and pays the owner in one operation; the wallet is not asked.
#[component]
pub fn MintAndPay() -> impl IntoView {
    let account = use_smart_account();
    let batch = use_batch_session();
    let wait = use_user_op_wait(batch.data);
    let click = move |_| {
        let (Some(me), Some(owner)) = (account.smart_account_address.get(), account.owner_address.get()) else {
            return;
        };
        let mint = Call::to(DEMO_NFT, &safeMintCall { to: me });
        let pay = Call::to(DEMO_TOKEN, &transferCall { to: owner, amount: U256::from(1_000_000) });
        batch.mutate.run(UseBatchSessionVariables { calls: vec![mint, pay], ..Default::default() });
    };
    let blocked = move || batch.is_pending.get() || account.owner_address.get().is_none();
    let error = move || batch.error.get().or(wait.error.get());
    view! {
        <button on:click=click disabled=blocked>"Mint and pay"</button>
        <p>{move || wait.is_success.get().then_some("Done")}</p>
        <p role="alert">{move || error().map(|error| error.to_string())}</p>
    }
}
