use leptos::prelude::*;
use use_aa::prelude::*;

/// Puts the account on the chain.
#[component]
pub fn Deploy() -> impl IntoView {
    let account = use_smart_account();
    let deploy = use_deploy_smart_account();
    let wait = use_user_op_wait(deploy.data);
    let click = move |_| deploy.mutate.run(DeploySmartAccountVariables::default());
    // Once: it is on the chain some seconds after it was sent.
    let on_its_way = move || deploy.is_pending.get() || deploy.is_success.get() && !wait.is_error.get();
    let blocked = move || account.is_deployed.get() != Some(false) || on_its_way();
    let error = move || deploy.error.get().or(wait.error.get());
    view! {
        <button on:click=click disabled=blocked>"Deploy"</button>
        <p>{move || wait.is_success.get().then_some("Deployed")}</p>
        <p role="alert">{move || error().map(|error| error.to_string())}</p>
    }
}
