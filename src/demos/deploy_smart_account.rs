//! `use_deploy_smart_account`: put the account on the chain without doing anything else.

use leptos::prelude::*;

use crate::{
    components::{gas_payer::NotSponsoredNotice, live_text::live, operation_status::OperationStatus},
    hooks::{
        DeploySmartAccountVariables, OperationKind, use_deploy_smart_account, use_resumed_operation, use_smart_account,
        use_user_op_wait,
    },
};

/// Deploys the account; the gas is sponsored where the server can.
#[component]
pub fn DeploySmartAccount() -> impl IntoView {
    let account = use_smart_account();
    let deploy = use_deploy_smart_account();
    // Goes on after a reload, too.
    let operation = use_resumed_operation(OperationKind::DeploySmartAccount, deploy.data);
    let receipt = use_user_op_wait(operation);
    let blocked = move || account.owner_address.get().is_none() || deploy.is_pending.get();
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
                <button
                    type="button"
                    class="button"
                    data-testid="deploy-smart-account"
                    disabled=blocked
                    on:click=move |_| deploy.mutate.run(DeploySmartAccountVariables::default())
                >
                    {move || live(if deploy.is_pending.get() { "Deploying" } else { "Deploy the account" })}
                </button>
            </div>
            <NotSponsoredNotice />
            <OperationStatus mutation=deploy wait=receipt hash_testid="deploy-smart-account-hash" />
        </div>
    }
    .into_any()
}
