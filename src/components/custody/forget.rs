//! Forgetting the account on this device, after saying what that does not do.

use leptos::{html, prelude::*};

use crate::{
    components::{
        error_notice::ErrorNotice,
        icon::{Glyph, Icon},
        live_text::live,
        operation_status::OperationStatus,
        owner_reason::OwnerReason,
    },
    hooks::{
        BuildUserOpOptions, QueryStatus, RevokeSessionsVariables, SessionsToRevoke, use_forget_device,
        use_revoke_sessions, use_session_list, use_smart_account, use_user_op_wait,
    },
};

/// A button that asks first.
#[component]
pub fn Forget() -> impl IntoView {
    let account = use_smart_account();
    let device = use_forget_device();
    let dialog = NodeRef::<html::Dialog>::new();
    let open = move |_| {
        device.forget.reset.run(());
        if let Some(dialog) = dialog.get_untracked() {
            // Fails only when it is open already.
            drop(dialog.show_modal());
        }
    };
    let close = move || {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let forget = move |_| {
        close();
        device.forget.mutate.run(());
    };
    let nothing = move || account.smart_account_address.with(Option::is_none);
    let done = move || {
        device.forget.is_success.get().then(|| {
            view! {
                <div class="notice" data-testid="forgotten">
                    <Icon glyph=Glyph::Check />
                    <strong>"This browser has forgotten the account."</strong>
                    <p class="detail">"Its sessions, their keys and the wallet you used are no longer stored here."</p>
                </div>
            }
        })
    };
    view! {
        <div class="panel">
            <div>
                <h3>"Forget this device"</h3>
                <p class="step-text">
                    "Before you give this device away, or on one that others use. It removes sessions, keys, account and wallet from this browser. It does not revoke anything."
                </p>
            </div>
            <div class="actions">
                <button type="button" class="button quiet" data-testid="forget-device" disabled=nothing on:click=open>
                    "Forget this device"
                </button>
                <Show when=nothing>
                    <span class="reason">"No account is stored in this browser."</span>
                </Show>
            </div>
            <ErrorNotice error=device.forget.error />
            <div role="status">{done}</div>
        </div>
        <dialog
            class="review"
            node_ref=dialog
            data-testid="forget-dialog"
            aria-labelledby="forget-title"
            aria-describedby="forget-summary"
        >
            <div class="review-head">
                <h2 id="forget-title" tabindex="-1" autofocus>
                    "Forget this device?"
                </h2>
                <p id="forget-summary">
                    "Sessions and keys of this account are removed from this browser. That cannot be undone, unless you exported them."
                </p>
            </div>
            <div class="review-body">
                <StillValid still_valid=device.still_valid />
            </div>
            <div class="review-foot">
                <button type="button" class="button quiet" data-testid="forget-cancel" on:click=move |_| close()>
                    "Keep"
                </button>
                <button type="button" class="button" data-testid="forget-confirm" on:click=forget>
                    "Forget"
                </button>
            </div>
        </dialog>
    }
    .into_any()
}

/// What stays valid on chain, and the offer to revoke it first.
#[component]
fn StillValid(
    /// So many sessions.
    still_valid: Signal<usize>,
) -> impl IntoView {
    let account = use_smart_account();
    let revoke = use_revoke_sessions();
    let receipt = use_user_op_wait(revoke.data);
    let some = Memo::new(move |_| still_valid.get() > 0);
    let list = use_session_list();
    let known = Memo::new(move |_| list.status.get() == QueryStatus::Success);
    let what = move || match still_valid.get() {
        1 => "1 session stays valid on the chain.".to_owned(),
        number => [&number.to_string(), " sessions stay valid on the chain."].concat(),
    };
    let running = move || revoke.is_pending.get() || (revoke.is_success.get() && receipt.is_loading.get());
    let revoke_all = move |_| {
        if untrack(running) {
            return;
        }
        let options = BuildUserOpOptions::default();
        revoke.mutate.run(RevokeSessionsVariables { sessions: SessionsToRevoke::All, options, ..Default::default() });
    };
    let no_owner = move || account.owner_address.with(Option::is_none);
    view! {
        <Show
            when=move || some.get()
            fallback=move || {
                view! {
                    <Show
                        when=move || known.get()
                        fallback=|| view! { <p class="reason">"The sessions of this account are not read yet."</p> }
                    >
                        <p class="reason" data-testid="nothing-valid">
                            "No session of this account that is known here is valid any more."
                        </p>
                    </Show>
                }
            }
        >
            <div class="notice warning" data-testid="still-valid" role="note">
                <Icon glyph=Glyph::Warning />
                <strong>{move || live(what())}</strong>
                <p class="detail">
                    "Forgetting revokes nothing: whoever has a copy of a key can go on until the session ends. Revoke first if that could be."
                </p>
                <div class="actions">
                    <button
                        type="button"
                        class="button quiet small"
                        data-testid="forget-revoke"
                        disabled=no_owner
                        aria-disabled=move || running().then_some("true")
                        on:click=revoke_all
                    >
                        {move || live(if running() { "Revoking" } else { "Revoke all first" })}
                    </button>
                    <OwnerReason to="to revoke" />
                </div>
            </div>
        </Show>
        <OperationStatus mutation=revoke wait=receipt hash_testid="forget-revoke-hash" />
    }
    .into_any()
}
