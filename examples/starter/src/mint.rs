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
    let mint = use_session_action(use_session(), OperationKind::UseSession, move || {
        let to = account.smart_account_address.get().ok_or(AppError::NoSmartAccount)?;
        Ok(UseSessionVariables { calls: vec![Call::to(DEMO_NFT, &safeMintCall { to })], ..Default::default() })
    });
    let blocked = move || sessions.sessions.with(Vec::is_empty) || mint.mutation.is_pending.get();
    view! {
        <section>
            <h2>"3. Mint"</h2>
            <button disabled=blocked on:click=move |_| mint.run.run(())>
                "Mint"
            </button>
            <Outcome of=mint.mutation wait=mint.wait refused=mint.refused />
        </section>
    }
}
