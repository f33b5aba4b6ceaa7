//! From a Smart Account V2 to the owner's Nexus account: what can be moved in one operation, and what cannot.

use alloy::primitives::Address;
use leptos::{html, prelude::*};

use super::{
    action_button::ActionButton,
    error_notice::ErrorNotice,
    gas_payer::{NotSponsoredNotice, paid_by, use_is_sponsored},
    live_text::live,
    operation_status::OperationStatus,
    owner_reason::OwnerReason,
    token_balance::balance_of,
    whole_address::grouped,
};
use crate::{
    hooks::{
        AccountKind, SendWithdrawalsVariables, WithdrawalRequest, effect, use_account_kind, use_fee_funds,
        use_nexus_address, use_read_contract, use_send_withdrawals, use_smart_account, use_user_op_wait,
    },
    protocol::{
        addresses::{DEMO_TOKEN, NATIVE_TOKEN},
        describe::amount_words,
    },
};

/// A section of `/sessions`; nothing where the account is none of V2's, or the server offers no other kind.
#[component]
pub fn MoveToNexus() -> impl IntoView {
    let kind = use_account_kind();
    let is_offered = Memo::new(move |_| kind.has_choice.get() && kind.kind.get() == AccountKind::BiconomyV2);
    view! { {move || is_offered.get().then(|| view! { <Offer /> })} }.into_any()
}

#[component]
fn Offer() -> impl IntoView {
    let account = use_smart_account();
    let kind = use_account_kind();
    let is_sponsored = use_is_sponsored();
    let dialog = NodeRef::<html::Dialog>::new();
    let is_open = RwSignal::new(false);
    let target = use_nexus_address(is_open.into());
    let from = account.smart_account_address;
    let asked = Signal::derive(move || from.get().filter(|_| is_open.get()));
    let funds = use_fee_funds(asked);
    let tokens = use_read_contract(Signal::derive(move || asked.get().map(|from| (DEMO_TOKEN, balance_of(from)))));
    let tokens_held = Memo::new(move |_| {
        tokens.data.get().and_then(|data| alloy::primitives::U256::try_from_be_slice(&data)).unwrap_or_default()
    });
    let native = super::native_currency::use_native_currency();
    let token = super::grant_review::use_token_facts(DEMO_TOKEN);
    let native_held = Memo::new(move |_| funds.data.with(|funds| funds.as_ref().map(|funds| funds.native.balance)));
    let nothing = move || native_held.get().is_some_and(|held| held.is_zero()) && tokens_held.get().is_zero();
    let is_known =
        move || native_held.get().is_some() && tokens.data.with(Option::is_some) && target.data.with(Option::is_some);
    let send = use_send_withdrawals();
    let wait = use_user_op_wait(send.data);
    let open = move |_| {
        send.reset.run(());
        is_open.set(true);
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
    let move_all = Callback::new(move |()| {
        let Some(target) = target.data.get_untracked() else { return };
        let all = |is_there: bool, address: Address| is_there.then(|| WithdrawalRequest::all(address));
        let tokens = all(!tokens_held.get_untracked().is_zero(), DEMO_TOKEN);
        let native = all(native_held.get_untracked().is_some_and(|held| !held.is_zero()), NATIVE_TOKEN);
        send.mutate.run(SendWithdrawalsVariables {
            withdrawal_requests: tokens.into_iter().chain(native).collect(),
            default_recipient: Some(target),
            options: paid_by(is_sponsored.get_untracked()),
        });
    });
    // The dialog has said what it had to; what becomes of the operation stands in the page.
    effect(move || {
        if send.is_success.get() {
            close();
        }
    });
    let amounts = move || {
        let amount = |held, facts: &_| {
            let words = amount_words(held, Some(facts));
            view! { <li>{live(words)}</li> }
        };
        let native = native_held.get().filter(|held| !held.is_zero()).map(|held| amount(held, &native.get()));
        let tokens = Some(tokens_held.get()).filter(|held| !held.is_zero()).map(|held| amount(held, &token.get()));
        native.into_iter().chain(tokens).collect_view()
    };
    let done = move || {
        wait.is_success.get().then(|| {
            view! {
                <div class="actions">
                    <button
                        type="button"
                        class="button small"
                        data-testid="show-nexus"
                        on:click=move |_| kind.choose.run(AccountKind::Nexus)
                    >
                        "Show the Nexus account"
                    </button>
                </div>
            }
        })
    };
    let summary = move || match (is_known(), nothing()) {
        (false, _) => "Reading what the account has",
        (true, true) => "This page knows of nothing that the account has.",
        (true, false) => "In one operation, which your wallet signs:",
    };
    view! {
        <section class="secondary" aria-labelledby="move-title" data-testid="move-to-nexus">
            <h2 id="move-title">"Move to a Nexus account"</h2>
            <div class="panel">
                <p class="step-text">
                    "Your owner has a Nexus account, too. Native currency and tokens can go there. Sessions cannot: grant them anew there, and revoke them here."
                </p>
                <div class="actions">
                    <button
                        type="button"
                        class="button quiet"
                        data-testid="move-review"
                        disabled=move || account.owner_address.with(Option::is_none)
                        on:click=open
                    >
                        "See what can be moved"
                    </button>
                    <OwnerReason to="to move" />
                </div>
                <OperationStatus mutation=send wait hash_testid="move-hash" />
                {done}
            </div>
            <dialog
                class="review"
                node_ref=dialog
                data-testid="move-dialog"
                aria-labelledby="move-dialog-title"
                aria-describedby="move-summary"
                on:close=move |_| is_open.set(false)
            >
                <div class="review-head">
                    <h2 id="move-dialog-title" tabindex="-1" autofocus>
                        "Move to your Nexus account?"
                    </h2>
                    <p id="move-summary">{move || live(summary())}</p>
                </div>
                <div class="review-body">
                    <ul data-testid="move-amounts">{amounts}</ul>
                    <dl class="rows">
                        <div>
                            <dt>"To"</dt>
                            <dd data-testid="move-target">
                                {move || target.data.get().map(|target| grouped(&target.to_string()))}
                            </dd>
                        </div>
                    </dl>
                    <p class="reason">
                        "What stays: collectibles, whose numbers this page does not know; other tokens; the deposit at the entry point; sessions. Only the owner of both accounts can bring anything back."
                    </p>
                    <NotSponsoredNotice />
                    <ErrorNotice error=target.error retry=target.refetch />
                    <ErrorNotice error=funds.error retry=funds.refetch />
                    <ErrorNotice error=tokens.error retry=tokens.refetch />
                    <ErrorNotice error=send.error />
                </div>
                <div class="review-foot">
                    <button type="button" class="button quiet" data-testid="move-cancel" on:click=move |_| close()>
                        "Cancel"
                    </button>
                    <ActionButton
                        testid="move-confirm"
                        text="Sign and move"
                        busy_text="Sending"
                        is_busy=send.is_pending
                        blocked=Signal::derive(move || !is_known() || nothing())
                        on_press=move_all
                    />
                </div>
            </dialog>
        </section>
    }
    .into_any()
}
