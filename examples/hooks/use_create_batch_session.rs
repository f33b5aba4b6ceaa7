use alloy::primitives::U256;
use leptos::prelude::*;
use use_aa::{
    prelude::*,
    protocol::addresses::{DEMO_NFT, DEMO_TOKEN},
};

/// Allows sessions to mint for this account and to pay its owner, with one key.
#[component]
pub fn GrantBatch() -> impl IntoView {
    let account = use_smart_account();
    let grant = use_create_batch_session();
    let wait = use_user_op_wait(grant.data);
    let click = move |_| {
        let (Some(me), Some(owner)) = (account.smart_account_address.get(), account.owner_address.get()) else {
            return;
        };
        let mint = Policy::new(DEMO_NFT, "safeMint(address to)").with_rule(0, Condition::Equal, me);
        let pay = Erc20Policy::new(DEMO_TOKEN, owner, U256::from(5_000_000));
        let policy = vec![mint.into(), pay.into()];
        grant.mutate.run(CreateBatchSessionVariables { policy, ..Default::default() });
    };
    let blocked = move || grant.is_pending.get() || account.owner_address.get().is_none();
    let error = move || grant.error.get().or(wait.error.get());
    view! {
        <button on:click=click disabled=blocked>"Allow minting and paying"</button>
        <p>{move || wait.is_success.get().then_some("Allowed")}</p>
        <p role="alert">{move || error().map(|error| error.to_string())}</p>
    }
}
