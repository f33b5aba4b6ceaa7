use leptos::prelude::*;
use use_aa::prelude::*;

/// Takes all sessions back, also those of other devices.
#[component]
pub fn RevokeAll() -> impl IntoView {
    let account = use_smart_account();
    let revoke = use_revoke_sessions();
    let wait = use_user_op_wait(revoke.data);
    let click = move |_| {
        let sessions = SessionsToRevoke::All;
        revoke.mutate.run(RevokeSessionsVariables { sessions, ..Default::default() });
    };
    let blocked = move || revoke.is_pending.get() || account.smart_account_address.get().is_none();
    let error = move || revoke.error.get().or(wait.error.get());
    view! {
        <button on:click=click disabled=blocked>"Take all back"</button>
        <p>{move || wait.is_success.get().then_some("Taken back")}</p>
        <p role="alert">{move || error().map(|error| error.to_string())}</p>
    }
}
