//! `use_user_op_wait`: follow an operation that was sent before, here or elsewhere.

use alloy::primitives::B256;
use leptos::{ev::SubmitEvent, prelude::*};

use crate::{
    components::{error_notice::ErrorNotice, hash_line::HashLine, operation_line::OperationLine, stepper::Stepper},
    error::AppError,
    hooks::{UserOpResponse, use_smart_account, use_user_op_wait},
};

/// Takes the hash of a user operation and shows where it stands, live.
#[component]
pub fn UserOpWait() -> impl IntoView {
    let account = use_smart_account();
    let typed = RwSignal::new(String::new());
    let refused = RwSignal::new(None::<AppError>);
    let followed = RwSignal::new(None::<UserOpResponse>);
    let wait = use_user_op_wait(followed.into());

    let follow = move |event: SubmitEvent| {
        event.prevent_default();
        match typed.get_untracked().trim().parse::<B256>() {
            Ok(user_op_hash) => {
                refused.set(None);
                followed.set(Some(UserOpResponse { user_op_hash, session: None }));
            }
            Err(_) => {
                let expected = "0x and 64 hex digits";
                refused.set(Some(AppError::invalid("user operation hash", expected, typed.get_untracked())));
            }
        }
    };
    let status = Signal::derive(move || followed.get().map(|_| wait.status.get()));
    let hash = Signal::derive(move || wait.data.get().map(|receipt| receipt.transaction_hash.to_string()));
    let explorer_url = Signal::derive(move || account.chain_info.get().and_then(|chain| chain.explorer_url));
    view! {
        <form class="panel" on:submit=follow>
            <div class="field">
                <label for="user-op-hash">"Hash of the user operation"</label>
                <input id="user-op-hash" class="mono" spellcheck="false" autocomplete="off" bind:value=typed />
            </div>
            <div class="actions">
                <button class="button quiet" data-testid="user-op-wait">
                    "Follow"
                </button>
            </div>
            <Stepper status />
            <ErrorNotice error=Signal::derive(move || refused.get().or_else(|| wait.error.get())) />
            <HashLine hash testid="user-op-wait-hash" explorer_url />
            <OperationLine user_op_hash=Signal::derive(move || followed.get().map(|followed| followed.user_op_hash)) />
        </form>
    }
    .into_any()
}
