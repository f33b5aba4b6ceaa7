//! `use_session`: act with the session alone. No wallet is asked, and none need be connected.

use alloy::{primitives::Address, sol};
use leptos::prelude::*;

use crate::{
    components::{
        address_check::typed_address,
        error_notice::ErrorNotice,
        live_text::live,
        nft_balance::NftBalance,
        operation_status::OperationStatus,
        session_picker::{SessionPicker, has_none, preferred_of},
        step_up::{StepUp, StepUpKind},
    },
    error::AppError,
    hooks::{
        BuildUserOpOptions, OperationKind, UseSessionVariables, use_resumed_operation, use_session, use_session_list,
        use_smart_account, use_user_op_wait,
    },
    protocol::{addresses::DEMO_NFT, smart_account::Call},
};

sol! {
    function safeMint(address to);
}

/// Mints a demo NFT with a session key.
#[component]
pub fn Session() -> impl IntoView {
    let account = use_smart_account();
    let sessions = use_session_list();
    let mint = use_session();
    // Goes on after a reload, too.
    let operation = use_resumed_operation(OperationKind::UseSession, mint.data);
    let receipt = use_user_op_wait(operation);

    // Follow the account and the newest session until the person chooses otherwise.
    let recipient = RwSignal::new(None::<String>);
    let picked = RwSignal::new(None::<String>);
    let refused = RwSignal::new(None::<AppError>);
    let own_address =
        move || account.smart_account_address.get().map(|address| address.to_string()).unwrap_or_default();
    let session_id = Memo::new(move |_| picked.get().or_else(|| preferred_of(sessions, false)));

    let typed = move || recipient.get_untracked().unwrap_or_else(|| untrack(own_address));
    let variables = move || {
        let to = typed().trim().parse::<Address>().ok()?;
        Some(UseSessionVariables {
            calls: vec![Call::to(DEMO_NFT, &safeMintCall { to })],
            corresponding_index: None,
            session_id: session_id.get_untracked(),
            smart_account_address: account.smart_account_address.get_untracked(),
            options: BuildUserOpOptions::default(),
        })
    };
    let use_it = move |_| {
        if mint.is_pending.get_untracked() {
            return;
        }
        refused.set(None);
        match variables() {
            Some(variables) => mint.mutate.run(variables),
            None => refused.set(Some(AppError::invalid("recipient", "an address: 0x and 40 hex digits", typed()))),
        }
    };
    // Who comes to the button will likely press it: what can be built before the click is.
    let get_ready = move || {
        if let Some(variables) = variables().filter(|variables| variables.session_id.is_some()) {
            mint.prepare.run(variables);
        }
    };

    let refused_calls = Signal::derive(move || mint.variables.get().map(|used| used.calls).unwrap_or_default());

    view! {
        <div class="panel">
            <NftBalance contract=DEMO_NFT owner=account.smart_account_address />
            <div class="fields">
                <SessionPicker list=sessions session_id=session_id picked />
                <div class="field wide">
                    <label for="mint-recipient">"Mint to"</label>
                    <input
                        id="mint-recipient"
                        class="mono"
                        data-testid="mint-recipient"
                        spellcheck="false"
                        autocomplete="off"
                        prop:value=move || recipient.get().unwrap_or_else(own_address)
                        on:input:target=move |event| recipient.set(Some(event.target().value()))
                    />
                    {move || recipient.get().as_deref().and_then(typed_address)}
                    <span class="hint">"The session allows your own account only. Try another one to see it refused."</span>
                </div>
            </div>
            <div class="actions">
                <button
                    type="button"
                    class="button"
                    data-testid="use-session"
                    disabled=move || session_id.get().is_none()
                    aria-disabled=move || mint.is_pending.get().then_some("true")
                    on:pointerenter=move |_| get_ready()
                    on:pointerdown=move |_| get_ready()
                    on:focus=move |_| get_ready()
                    on:click=use_it
                >
                    {move || live(if mint.is_pending.get() { "Minting" } else { "Mint with the session" })}
                </button>
                <Show when=move || has_none(sessions, session_id.into()).get()>
                    <span class="reason">"Grant a session first."</span>
                </Show>
            </div>
            <ErrorNotice error=refused />
            <OperationStatus mutation=mint wait=receipt hash_testid="use-session-hash" by_session=true />
            <StepUp error=mint.error calls=refused_calls session_id=session_id sessions kind=StepUpKind::Single />
        </div>
    }
    .into_any()
}
