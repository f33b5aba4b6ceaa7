//! `use_send_withdrawals`: tokens and native currency out of the account, each to its own recipient.

use leptos::prelude::*;

use super::parts::DemoDollars;
use crate::{
    components::{
        action_button::ActionButton,
        error_notice::ErrorNotice,
        gas_payer::{NotSponsoredNotice, paid_by, use_is_sponsored},
        operation_status::OperationStatus,
        withdrawal_lines::{WithdrawalLines, use_withdrawals},
    },
    prelude::*,
    protocol::addresses::DEMO_TOKEN,
};

/// Withdraws demo dollars and native currency; the sponsor pays the gas where there is one.
#[component]
pub fn SendWithdrawals() -> impl IntoView {
    let account = use_smart_account();
    let is_sponsored = use_is_sponsored();
    let withdraw = use_send_withdrawals();
    let wait = use_user_op_wait(withdraw.data);
    let withdrawals = use_withdrawals(DEMO_TOKEN);
    let refused = RwSignal::new(None::<AppError>);

    let send = Callback::new(move |()| {
        let requests = withdrawals.requests();
        refused.set(requests.as_ref().err().cloned());
        if let Ok(withdrawal_requests) = requests {
            withdraw.mutate.run(SendWithdrawalsVariables {
                withdrawal_requests,
                options: paid_by(is_sponsored.get_untracked()),
                ..Default::default()
            });
        }
    });
    view! {
        <div class="panel">
            <DemoDollars />
            <WithdrawalLines withdrawals />
            <div class="actions">
                <ActionButton
                    testid="send-withdrawals"
                    text="Withdraw"
                    busy_text="Sending"
                    is_busy=withdraw.is_pending
                    blocked=Signal::derive(move || account.owner_address.with(Option::is_none))
                    on_press=send
                />
                <button
                    type="button"
                    class="button quiet"
                    data-testid="add-withdrawal"
                    on:click=move |_| withdrawals.add()
                >
                    "Another one"
                </button>
            </div>
            <NotSponsoredNotice />
            <ErrorNotice error=refused />
            <OperationStatus mutation=withdraw wait hash_testid="send-withdrawals-hash" />
        </div>
    }
    .into_any()
}
