//! Step 3: the session acts by itself, the wallet is not asked.

use alloy::sol;
use leptos::prelude::*;
use use_aa::{prelude::*, protocol::addresses::DEMO_NFT};

use crate::outcome::Outcome;

sol! {
    function safeMint(address to);
}

/// Mints to the account with the newest session that may.
#[component]
pub fn Mint() -> impl IntoView {
    let account = use_smart_account();
    let sessions = use_session_list();
    let mint = use_session();
    let wait = use_user_op_wait(mint.data);
    let click = move |_| {
        let Some(to) = account.smart_account_address.get() else { return };
        let calls = vec![Call::to(DEMO_NFT, &safeMintCall { to })];
        mint.mutate.run(UseSessionVariables { calls, ..Default::default() });
    };
    let blocked = move || sessions.sessions.with(Vec::is_empty) || mint.is_pending.get();
    view! {
        <section>
            <h2>"3. Mint"</h2>
            <button disabled=blocked on:click=click>
                "Mint"
            </button>
            <Outcome of=mint wait />
        </section>
    }
}
