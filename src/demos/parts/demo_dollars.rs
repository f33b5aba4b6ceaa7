//! Demo dollars to play with.

use alloy::{primitives::U256, sol};
use leptos::prelude::*;

use crate::{
    components::{
        action_button::ActionButton,
        gas_payer::{paid_by, use_is_sponsored},
        operation_status::OperationStatus,
        token_balance::TokenBalance,
    },
    prelude::*,
    protocol::addresses::DEMO_TOKEN,
};

sol! {
    function mint(address to, uint256 amount);
}

/// How many the account has, and a button that mints 100: anybody may. They have 6 decimals.
#[component]
pub fn DemoDollars() -> impl IntoView {
    let account = use_smart_account();
    let is_sponsored = use_is_sponsored();
    let get_dollars = use_send_transaction();
    let wait = use_user_op_wait(get_dollars.data);
    let get = Callback::new(move |()| {
        if let Some(to) = account.smart_account_address.get_untracked() {
            let hundred = mintCall { to, amount: U256::from(100_000_000) };
            get_dollars.mutate.run(SendTransactionVariables {
                calls: vec![Call::to(DEMO_TOKEN, &hundred)],
                options: paid_by(is_sponsored.get_untracked()),
            });
        }
    });
    view! {
        <TokenBalance token=DEMO_TOKEN symbol="DUSD" decimals=6 owner=account.smart_account_address />
        <div class="actions">
            <ActionButton
                testid="get-demo-tokens"
                text="Get 100 demo dollars"
                busy_text="Getting"
                is_busy=get_dollars.is_pending
                blocked=Signal::derive(move || account.owner_address.with(Option::is_none))
                on_press=get
                quiet=true
            />
        </div>
        <OperationStatus mutation=get_dollars wait hash_testid="get-demo-tokens-hash" />
    }
    .into_any()
}
