//! `use_send_sponsored_transaction`: the owner's own transaction; the sponsor pays the gas.

use alloy::sol;
use leptos::prelude::*;

use crate::{
    components::{
        gas_payer::{NotSponsoredNotice, use_is_sponsored},
        live_text::live,
        operation_status::OperationStatus,
    },
    hooks::{
        BuildUserOpOptions, SendTransactionVariables, use_send_sponsored_transaction, use_smart_account,
        use_user_op_wait,
    },
    protocol::{addresses::DEMO_NFT, smart_account::Call},
};

sol! {
    function safeMint(address to);
}

/// Mints a demo NFT, signed by the owner's wallet.
#[component]
pub fn SendSponsoredTransaction() -> impl IntoView {
    let account = use_smart_account();
    let send = use_send_sponsored_transaction();
    let receipt = use_user_op_wait(send.data);
    let mint = move |_| {
        if let Some(own_account) = account.smart_account_address.get_untracked() {
            send.mutate.run(SendTransactionVariables {
                calls: vec![Call::to(DEMO_NFT, &safeMintCall { to: own_account })],
                options: BuildUserOpOptions::default(),
            });
        }
    };
    let is_sponsored = use_is_sponsored();
    let blocked = move || account.owner_address.get().is_none() || send.is_pending.get() || !is_sponsored.get();
    view! {
        <div class="panel">
            <div>
                <h3>"Have the gas sponsored"</h3>
                <p class="step-text">"Signed by your wallet; the app's sponsor pays the gas."</p>
            </div>
            <div class="actions">
                <button type="button" class="button quiet" data-testid="send-sponsored-transaction" disabled=blocked on:click=mint>
                    {move || live(if send.is_pending.get() { "Sending" } else { "Mint, sponsored" })}
                </button>
            </div>
            <NotSponsoredNotice />
            <OperationStatus mutation=send wait=receipt hash_testid="send-sponsored-transaction-hash" />
        </div>
    }
    .into_any()
}
