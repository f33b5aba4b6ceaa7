//! `use_deploy_smart_account`: put the account on the chain without doing anything else.

use leptos::prelude::*;

use crate::{
    components::{
        action_button::ActionButton, gas_payer::NotSponsoredNotice, live_text::live, operation_status::OperationStatus,
    },
    prelude::*,
};

/// Deploys the account; the gas is sponsored where the server can.
#[component]
pub fn DeploySmartAccount() -> impl IntoView {
    let account = use_smart_account();
    let deploy = use_deploy_smart_account();
    // Goes on after a reload, too.
    let wait = use_user_op_wait(use_resumed_operation(OperationKind::DeploySmartAccount, deploy.data));
    let state = move || match (account.smart_account_address.with(Option::is_some), account.is_deployed.get()) {
        (true, Some(true)) => "The account is on the chain.",
        (true, Some(false)) => "The account has an address, but no code on the chain yet.",
        (true, None) => "Asking the chain about the account.",
        (false, _) => "Connect a wallet to see the account.",
    };
    view! {
        <div class="panel">
            <p
                class="step-text"
                role="status"
                data-testid="deployed"
                data-value=move || account.is_deployed.get().map(|deployed| deployed.to_string())
            >
                {move || live(state())}
            </p>
            <div class="actions">
                <ActionButton
                    testid="deploy-smart-account"
                    text="Deploy the account"
                    busy_text="Deploying"
                    is_busy=deploy.is_pending
                    blocked=Signal::derive(move || account.owner_address.with(Option::is_none))
                    on_press=Callback::new(move |()| deploy.mutate.run(DeploySmartAccountVariables::default()))
                />
            </div>
            <NotSponsoredNotice />
            <OperationStatus mutation=deploy wait hash_testid="deploy-smart-account-hash" />
        </div>
    }
    .into_any()
}
