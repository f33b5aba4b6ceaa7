//! `use_batch_session`: several calls in one operation, each allowed by a session of its own. No wallet is asked.

use alloy::sol;
use leptos::prelude::*;

use crate::{
    components::{
        amount_field::AmountField, nft_balance::NftBalance, session_use::SessionUse, token_amount::typed_amount,
        transfer_session::use_transfer_session, whole_address::grouped,
    },
    prelude::*,
    protocol::addresses::{DEMO_NFT, DEMO_TOKEN},
};

sol! {
    function safeMint(address to);
    function mint(address to, uint256 amount);
    function transfer(address to, uint256 amount);
}

/// Mints a demo NFT and demo tokens and sends the tokens on, all or nothing, with session keys.
#[component]
pub fn BatchSession() -> impl IntoView {
    let account = use_smart_account().smart_account_address;
    let sessions = use_session_list();
    let amount = RwSignal::new("5".to_owned());
    let with_tokens = RwSignal::new(true);
    // The newest session that may send tokens says to whom.
    let transfer = use_transfer_session(sessions);
    let recipient = move || transfer.with(|transfer| transfer.as_ref().map(|transfer| transfer.recipient));

    // Which sessions allow the calls is found by the hook.
    let batch = use_session_action(use_batch_session(), OperationKind::UseBatchSession, move || {
        let me = account.get().ok_or(AppError::NoSmartAccount)?;
        let to = recipient().ok_or(AppError::SessionNotFound { wanted: "a batch session".into() })?;
        let mut calls = vec![Call::to(DEMO_NFT, &safeMintCall { to: me })];
        if with_tokens.get() {
            let amount = typed_amount(DEMO_TOKEN, &amount.get())?;
            calls.push(Call::to(DEMO_TOKEN, &mintCall { to: me, amount }));
            calls.push(Call::to(DEMO_TOKEN, &transferCall { to, amount }));
        }
        Ok(UseBatchSessionVariables { calls, ..Default::default() })
    });
    view! {
        <div class="panel">
            <NftBalance contract=DEMO_NFT owner=account />
            <div class="fields">
                <AmountField
                    amount
                    id="batch-amount"
                    label="Tokens to send, DUSD"
                    hint="More than the session allows is refused before anything is sent."
                    disabled=Signal::derive(move || !with_tokens.get())
                />
                <div class="field wide">
                    <label>
                        <input type="checkbox" data-testid="batch-tokens" bind:checked=with_tokens />
                        " Mint these tokens and send them to "
                        <span data-testid="batch-to">{move || recipient().map(|to| grouped(&to.to_string()))}</span>
                    </label>
                    <span class="hint">"Without them the batch is a single call: mint an NFT."</span>
                </div>
            </div>
            <SessionUse
                action=batch
                sessions
                can_act=Signal::derive(move || recipient().is_some())
                text="Do it with the sessions"
                busy_text="Sending"
                missing="Grant a batch session first."
                testid="use-batch-session"
                hash_testid="use-batch-session-hash"
            />
        </div>
    }
    .into_any()
}
