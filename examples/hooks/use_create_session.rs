use leptos::prelude::*;
use use_aa::{prelude::*, protocol::addresses::DEMO_NFT};

/// Allows a session to mint for this account.
#[component]
pub fn Grant() -> impl IntoView {
    let account = use_smart_account();
    let grant = use_create_session();
    let wait = use_user_op_wait(grant.data);
    let click = move |_| {
        let Some(me) = account.smart_account_address.get() else { return };
        let mint = Policy::new(DEMO_NFT, "safeMint(address to)").with_rule(0, Condition::Equal, me);
        grant.mutate.run(CreateSessionVariables { policy: vec![mint], ..Default::default() });
    };
    let blocked = move || grant.is_pending.get() || account.smart_account_address.get().is_none();
    let error = move || grant.error.get().or(wait.error.get());
    view! {
        <button on:click=click disabled=blocked>"Allow minting to me"</button>
        <p>{move || wait.is_success.get().then_some("Allowed")}</p>
        <p role="alert">{move || error().map(|error| error.to_string())}</p>
    }
}
