//! A button that ends a session with a distributed key at once.

use leptos::prelude::*;

use super::{action_button::ActionButton, error_notice::ErrorNotice};
use crate::hooks::{RevokeAtNodesVariables, use_revoke_at_nodes, use_smart_account};

/// Tells the nodes that share the session's key to sign no more with it, and says that they heard.
#[component]
pub fn StopNodes(
    /// The session.
    #[prop(into)]
    session_id: Signal<Option<String>>,
) -> impl IntoView {
    let account = use_smart_account().smart_account_address;
    let revoke = use_revoke_at_nodes();
    let stop = Callback::new(move |()| {
        if let Some(session_id) = session_id.get_untracked() {
            let smart_account_address = account.get_untracked();
            revoke.mutate.run(RevokeAtNodesVariables { session_id, smart_account_address });
        }
    });
    view! {
        <ActionButton
            testid="revoke-at-nodes"
            text="Tell the nodes to stop"
            busy_text="Telling the nodes"
            is_busy=revoke.is_pending
            blocked=Signal::derive(move || session_id.with(Option::is_none))
            on_press=stop
            quiet=true
        />
        <Show when=move || revoke.is_success.get()>
            <span role="status" data-testid="revoked-at-nodes">"The nodes sign no more with this key."</span>
        </Show>
        <ErrorNotice error=revoke.error />
    }
    .into_any()
}
