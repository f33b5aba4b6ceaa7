//! `use_send_transaction`: the owner's own transaction; the account's own balance pays the gas.

use alloy::sol;
use leptos::prelude::*;

use crate::{
    components::{action_button::ActionButton, operation_status::OperationStatus},
    prelude::*,
    protocol::addresses::DEMO_NFT,
};

sol! {
    function safeMint(address to);
}

/// Mints a demo NFT, signed by the owner's wallet.
#[component]
pub fn SendTransaction() -> impl IntoView {
    let account = use_smart_account();
    let send = use_send_transaction();
    let wait = use_user_op_wait(send.data);
    let mint = Callback::new(move |()| {
        if let Some(to) = account.smart_account_address.get_untracked() {
            send.mutate.run(SendTransactionVariables {
                calls: vec![Call::to(DEMO_NFT, &safeMintCall { to })],
                ..Default::default()
            });
        }
    });
    let blocked = move || account.owner_address.with(Option::is_none);
    view! {
        <div class="panel">
            <div>
                <h3>"Pay the gas yourself"</h3>
                <p class="step-text">"Signed by your wallet; the gas comes out of the account's own balance."</p>
            </div>
            <div class="actions">
                <ActionButton
                    testid="send-transaction"
                    text="Mint, paid by the account"
                    busy_text="Sending"
                    is_busy=send.is_pending
                    blocked=Signal::derive(blocked)
                    on_press=mint
                    quiet=true
                />
            </div>
            <OperationStatus mutation=send wait hash_testid="send-transaction-hash" />
        </div>
    }
    .into_any()
}
