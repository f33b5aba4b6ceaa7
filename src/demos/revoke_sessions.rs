//! `use_revoke_sessions`: take one session back, and have the chain prove it.

use leptos::prelude::*;

use crate::{
    components::{
        action_button::ActionButton,
        live_text::live,
        operation_status::OperationStatus,
        session_picker::{SessionPicker, has_none, preferred_of},
    },
    prelude::*,
};

/// Takes a session back.
#[component]
pub fn RevokeSessions() -> impl IntoView {
    let account = use_smart_account();
    let sessions = use_session_list();
    let revoke = use_revoke_sessions();
    let proof = use_revocation_proof();
    // Goes on after a reload, too.
    let operation = use_resumed_operation(OperationKind::RevokeSessions, revoke.data);
    let taken = RwSignal::new(None::<String>);
    // The chain has the new root: try the old key.
    let try_it = Callback::new(move |_| {
        if let Some(session_id) = taken.get_untracked() {
            proof.mutate.run(session_id);
        }
    });
    let wait = use_user_op_wait_with(operation, UserOpWaitOptions { on_success: Some(try_it), ..Default::default() });

    let picked = RwSignal::new(None::<String>);
    let session_id = Memo::new(move |_| picked.get().or_else(|| preferred_of(sessions, false)));
    let take_back = Callback::new(move |()| {
        let Some(session_id) = session_id.get_untracked() else { return };
        taken.set(Some(session_id.clone()));
        picked.set(None);
        let sessions = SessionsToRevoke::These(vec![session_id]);
        revoke.mutate.run(RevokeSessionsVariables { sessions, ..Default::default() });
    });
    let blocked = move || account.owner_address.with(Option::is_none) || session_id.with(Option::is_none);

    view! {
        <div class="panel">
            <div class="fields">
                <SessionPicker list=sessions session_id picked />
            </div>
            <div class="actions">
                <ActionButton
                    testid="revoke-session"
                    text="Take it back"
                    busy_text="Taking back"
                    is_busy=revoke.is_pending
                    blocked=Signal::derive(blocked)
                    on_press=take_back
                />
                <Show when=move || has_none(sessions, session_id.into()).get()>
                    <span class="reason">"Grant a session first."</span>
                </Show>
            </div>
            <OperationStatus mutation=revoke wait hash_testid="revoke-sessions-hash" />
            {move || proof.data.get().map(answer)}
        </div>
    }
    .into_any()
}

fn answer(proof: RevocationProof) -> AnyView {
    let (result, text) = match proof {
        RevocationProof::Refused { reason } => ("refused", ["The chain refuses it now: ", &reason].concat()),
        RevocationProof::NotProven { answer } => ("not-proven", ["Not proven: ", &answer].concat()),
    };
    view! { <p role="status" data-testid="revocation-proof" data-result=result>{live(text)}</p> }.into_any()
}
