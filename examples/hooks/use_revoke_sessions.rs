use leptos::prelude::*;
use use_aa::prelude::*;

/// Takes all sessions back, also those of other devices.
#[component]
pub fn RevokeAll() -> impl IntoView {
    let revoke = use_revoke_sessions();
    let wait = use_user_op_wait(revoke.data);
    let click = move |_| {
        let sessions = SessionsToRevoke::All;
        revoke.mutate.run(RevokeSessionsVariables { sessions, ..Default::default() });
    };
    let error = move || revoke.error.get().or(wait.error.get());
    view! {
        <button on:click=click disabled=revoke.is_pending>"Take all back"</button>
        <p>{move || wait.is_success.get().then_some("Taken back")}</p>
        <p role="alert">{move || error().map(|error| error.to_string())}</p>
    }
}
