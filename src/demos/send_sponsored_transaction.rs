//! `use_send_sponsored_transaction`: the owner's own transaction; the sponsor pays the gas.

use alloy::sol;
use leptos::prelude::*;

use crate::{
    components::{
        action_button::ActionButton,
        gas_payer::{NotSponsoredNotice, use_is_sponsored},
        operation_status::OperationStatus,
    },
    prelude::*,
    protocol::addresses::DEMO_NFT,
};

sol! {
    function safeMint(address to);
}

/// Mints a demo NFT, signed by the owner's wallet.
#[component]
pub fn SendSponsoredTransaction() -> impl IntoView {
    let account = use_smart_account();
    let send = use_send_sponsored_transaction();
    let wait = use_user_op_wait(send.data);
    let mint = Callback::new(move |()| {
        if let Some(to) = account.smart_account_address.get_untracked() {
            send.mutate.run(SendTransactionVariables {
                calls: vec![Call::to(DEMO_NFT, &safeMintCall { to })],
                ..Default::default()
            });
        }
    });
    let is_sponsored = use_is_sponsored();
    let blocked = move || account.owner_address.with(Option::is_none) || !is_sponsored.get();
    view! {
        <div class="panel">
            <div>
                <h3>"Have the gas sponsored"</h3>
                <p class="step-text">"Signed by your wallet; the app's sponsor pays the gas."</p>
            </div>
            <div class="actions">
                <ActionButton
                    testid="send-sponsored-transaction"
                    text="Mint, sponsored"
                    busy_text="Sending"
                    is_busy=send.is_pending
                    blocked=Signal::derive(blocked)
                    on_press=mint
                    quiet=true
                />
            </div>
            <NotSponsoredNotice />
            <OperationStatus mutation=send wait hash_testid="send-sponsored-transaction-hash" />
        </div>
    }
    .into_any()
}
