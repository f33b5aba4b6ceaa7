//! `use_revoke_sessions`: take one session back, and have the chain prove it.

use leptos::prelude::*;

use crate::{
    components::{
        live_text::live,
        operation_status::OperationStatus,
        session_picker::{SessionPicker, has_none, preferred_of},
    },
    hooks::{
        OperationKind, RevocationProof, RevokeSessionsVariables, SessionsToRevoke, UserOpWaitOptions,
        use_resumed_operation, use_revocation_proof, use_revoke_sessions, use_session_list, use_smart_account,
        use_user_op_wait_with,
    },
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
    let receipt = use_user_op_wait_with(
        operation,
        UserOpWaitOptions { on_success: Some(try_it), ..UserOpWaitOptions::default() },
    );

    let picked = RwSignal::new(None::<String>);
    let session_id = Memo::new(move |_| picked.get().or_else(|| preferred_of(sessions, false)));
    let take_back = move |_| {
        let Some(session_id) = session_id.get_untracked() else { return };
        taken.set(Some(session_id.clone()));
        picked.set(None);
        let sessions = SessionsToRevoke::These(vec![session_id]);
        revoke.mutate.run(RevokeSessionsVariables { sessions, ..Default::default() });
    };
    let blocked =
        move || account.owner_address.get().is_none() || session_id.get().is_none() || revoke.is_pending.get();
    let answer = move || match proof.data.get()? {
        RevocationProof::Refused { reason } => Some(("refused", ["The chain refuses it now: ", &reason].concat())),
        RevocationProof::NotProven { answer } => Some(("not-proven", ["Not proven: ", &answer].concat())),
    };

    view! {
        <div class="panel">
            <div class="fields">
                <SessionPicker list=sessions session_id=session_id picked />
            </div>
            <div class="actions">
                <button
                    type="button"
                    class="button"
                    data-testid="revoke-session"
                    disabled=blocked
                    on:click=take_back
                >
                    {move || live(if revoke.is_pending.get() { "Taking back" } else { "Take it back" })}
                </button>
                <Show when=move || has_none(sessions, session_id.into()).get()>
                    <span class="reason">"Grant a session first."</span>
                </Show>
            </div>
            <OperationStatus mutation=revoke wait=receipt hash_testid="revoke-sessions-hash" />
            {move || {
                answer()
                    .map(|(result, text)| {
                        view! {
                            <p role="status" data-testid="revocation-proof" data-result=result>
                                {live(text)}
                            </p>
                        }
                    })
            }}
        </div>
    }
    .into_any()
}
