use leptos::prelude::*;
use use_aa::{prelude::*, protocol::addresses::DEMO_TOKEN};

/// Sends all of a token to the owner.
#[component]
pub fn WithdrawAll() -> impl IntoView {
    let account = use_smart_account();
    let withdraw = use_send_withdrawals();
    let wait = use_user_op_wait(withdraw.data);
    let click = move |_| {
        withdraw.mutate.run(SendWithdrawalsVariables {
            withdrawal_requests: vec![WithdrawalRequest::all(DEMO_TOKEN)],
            ..Default::default()
        });
    };
    let blocked = move || withdraw.is_pending.get() || account.smart_account_address.get().is_none();
    let error = move || withdraw.error.get().or(wait.error.get());
    view! {
        <button on:click=click disabled=blocked>"Withdraw all"</button>
        <p>{move || wait.is_success.get().then_some("Withdrawn")}</p>
        <p role="alert">{move || error().map(|error| error.to_string())}</p>
    }
}
