//! The button that acts with a session, how that goes, and two ways on when the session does not allow it.

use leptos::prelude::*;

use super::{
    action_button::ActionButton,
    error_notice::ErrorNotice,
    live_text::live,
    operation_status::OperationStatus,
    step_up::{StepUp, StepUpKind},
};
use crate::{
    hooks::{QueryStatus, UseSessionActionReturn, UseSessionListReturn},
    protocol::smart_account::Call,
};

/// For what [`use_session_action`](crate::hooks::use_session_action) returned.
#[component]
pub fn SessionUse<V>(
    /// What it does.
    action: UseSessionActionReturn<V>,
    /// All sessions.
    sessions: UseSessionListReturn,
    /// Some session could do it.
    #[prop(into)]
    can_act: Signal<bool>,
    /// The session that was chosen; `None`: the newest.
    #[prop(optional, into)]
    session_id: Signal<Option<String>>,
    /// What the button says.
    text: &'static str,
    /// What it says while it is busy.
    busy_text: &'static str,
    /// Said while no session could do it.
    missing: &'static str,
    /// `data-testid` of the button.
    testid: &'static str,
    /// `data-testid` of the transaction hash.
    hash_testid: &'static str,
    /// Further buttons.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView
where
    V: AsRef<[Call]> + Clone + Send + Sync + 'static,
{
    let UseSessionActionReturn { run, get_ready, refused, mutation, wait, kind } = action;
    let calls = Signal::derive(move || {
        mutation.variables.with(|used| used.as_ref().map(|used| used.as_ref().to_vec()).unwrap_or_default())
    });
    let status = view! { <OperationStatus mutation wait hash_testid by_session=true /> }.into_any();
    let is_missing = move || !can_act.get() && sessions.status.get() == QueryStatus::Success;
    view! {
        <div class="actions">
            <ActionButton
                testid
                text
                busy_text
                is_busy=mutation.is_pending
                blocked=Signal::derive(move || !can_act.get())
                on_press=run
                on_near=get_ready
            />
            {children.map(|children| children())}
            <Show when=is_missing>
                <span class="reason">{live(missing)}</span>
            </Show>
        </div>
        <ErrorNotice error=refused />
        {status}
        <StepUp error=mutation.error calls session_id sessions kind=StepUpKind::of(kind) />
    }
    .into_any()
}
