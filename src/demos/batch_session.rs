//! `use_batch_session`: several calls in one operation, each allowed by a session of its own. No wallet is asked.

use alloy::sol;
use leptos::prelude::*;

use crate::{
    components::{
        error_notice::ErrorNotice,
        grant_review::known_token,
        live_text::live,
        nft_balance::NftBalance,
        operation_status::OperationStatus,
        step_up::{StepUp, StepUpKind},
        whole_address::grouped,
    },
    error::AppError,
    hooks::{
        OperationKind, QueryStatus, UseBatchSessionVariables, use_batch_session, use_resumed_operation,
        use_session_list, use_smart_account, use_user_op_wait,
    },
    protocol::{
        ProtocolError,
        addresses::{DEMO_NFT, DEMO_TOKEN, ERC20_SESSION_VALIDATION_MODULE},
        describe::read_amount,
        session::{SessionLeaf, SessionStatus},
        session_data::Erc20SessionData,
        smart_account::Call,
    },
};

sol! {
    function safeMint(address to);
    function mint(address to, uint256 amount);
    function transfer(address to, uint256 amount);
}

/// Mints a demo NFT and demo tokens and sends the tokens on, all or nothing, with session keys.
#[component]
pub fn BatchSession() -> impl IntoView {
    let account = use_smart_account();
    let sessions = use_session_list();
    let batch = use_batch_session();
    // Goes on after a reload, too.
    let operation = use_resumed_operation(OperationKind::UseBatchSession, batch.data);
    let receipt = use_user_op_wait(operation);

    let amount = RwSignal::new("5".to_owned());
    let with_tokens = RwSignal::new(true);
    let refused = RwSignal::new(None::<AppError>);
    // The newest session that may send tokens says to whom.
    let transfer = Memo::new(move |_| {
        let lost = sessions.lost_keys.get();
        let has_key = |leaf: &&SessionLeaf| !lost.contains(&leaf.session_key_address);
        sessions.sessions.with(|leaves| {
            let newest_first = || leaves.iter().rev().filter(|leaf| is_active(leaf));
            newest_first().filter(has_key).find_map(transfer_of).or_else(|| newest_first().find_map(transfer_of))
        })
    });

    // Which sessions allow the calls is found by the hook.
    let variables = move || {
        let own_account = account.smart_account_address.get_untracked().ok_or(AppError::NoSmartAccount)?;
        let transfer =
            transfer.get_untracked().ok_or(AppError::SessionNotFound { wanted: "a batch session".into() })?;
        let mut calls = vec![Call::to(DEMO_NFT, &safeMintCall { to: own_account })];
        if with_tokens.get_untracked() {
            let typed = amount.get_untracked();
            let dollars = known_token(DEMO_TOKEN).unwrap_or_default();
            let units = read_amount(&typed, &dollars).map_err(ProtocolError::from)?;
            calls.push(Call::to(DEMO_TOKEN, &mintCall { to: own_account, amount: units }));
            calls.push(Call::to(DEMO_TOKEN, &transferCall { to: transfer.recipient, amount: units }));
        }
        Ok::<_, AppError>(UseBatchSessionVariables { calls, ..Default::default() })
    };
    let use_it = move |_| {
        refused.set(None);
        match variables() {
            Ok(variables) => batch.mutate.run(variables),
            Err(error) => refused.set(Some(error)),
        }
    };
    // Who comes to the button will likely press it: what can be built before the click is.
    let get_ready = move || {
        if let Ok(variables) = variables() {
            batch.prepare.run(variables);
        }
    };
    let none = move || transfer.with(Option::is_none);
    let recipient = move || transfer.get().map(|transfer| transfer.recipient.to_string());

    let newest = None::<String>;
    let refused_calls = Signal::derive(move || batch.variables.get().map(|used| used.calls).unwrap_or_default());

    view! {
        <div class="panel">
            <NftBalance contract=DEMO_NFT owner=account.smart_account_address />
            <div class="fields">
                <div class="field">
                    <label for="batch-amount">"Tokens to send, DUSD"</label>
                    <input
                        id="batch-amount"
                        data-testid="batch-amount"
                        inputmode="decimal"
                        disabled=move || !with_tokens.get()
                        bind:value=amount
                    />
                    <span class="hint">"More than the session allows is refused before anything is sent."</span>
                </div>
                <div class="field wide">
                    <label>
                        <input type="checkbox" data-testid="batch-tokens" bind:checked=with_tokens />
                        " Mint these tokens and send them to "
                        <span data-testid="batch-to">{move || recipient().map(|recipient| grouped(&recipient))}</span>
                    </label>
                    <span class="hint">"Without them the batch is a single call: mint an NFT."</span>
                </div>
            </div>
            <div class="actions">
                <button
                    type="button"
                    class="button"
                    data-testid="use-batch-session"
                    disabled=move || none() || batch.is_pending.get()
                    on:pointerenter=move |_| get_ready()
                    on:focus=move |_| get_ready()
                    on:click=use_it
                >
                    {move || live(if batch.is_pending.get() { "Sending" } else { "Do it with the sessions" })}
                </button>
                <Show when=move || none() && sessions.status.get() == QueryStatus::Success>
                    <span class="reason">"Grant a batch session first."</span>
                </Show>
            </div>
            <ErrorNotice error=refused />
            <OperationStatus mutation=batch wait=receipt hash_testid="use-batch-session-hash" by_session=true />
            <StepUp error=batch.error calls=refused_calls session_id=newest sessions kind=StepUpKind::Batch />
        </div>
    }
    .into_any()
}

fn is_active(leaf: &SessionLeaf) -> bool {
    leaf.status == SessionStatus::Active
}

/// What the session may send, if it is one of the ERC-20 module.
fn transfer_of(leaf: &SessionLeaf) -> Option<Erc20SessionData> {
    let is_transfer = leaf.session_validation_module == ERC20_SESSION_VALIDATION_MODULE;
    is_transfer.then(|| Erc20SessionData::decode(&leaf.session_key_data).ok()).flatten()
}
