//! `use_session_with_distributed_key`: this browser asks, the nodes check and sign. No wallet is asked.

use alloy::{primitives::Address, sol};
use leptos::prelude::*;

use crate::{
    components::{
        address_check::typed_address,
        error_notice::ErrorNotice,
        key_network_status::KeyNetworkStatus,
        live_text::live,
        nft_balance::NftBalance,
        operation_status::OperationStatus,
        session_picker::{SessionPicker, has_none, preferred_of},
        step_up::{StepUp, StepUpKind},
    },
    error::AppError,
    hooks::{
        OperationKind, RevokeAtNodesVariables, UseSessionVariables, use_resumed_operation, use_revoke_at_nodes,
        use_session_list, use_session_with_distributed_key, use_smart_account, use_user_op_wait,
    },
    protocol::{addresses::DEMO_NFT, smart_account::Call},
};

sol! {
    function safeMint(address to);
}

/// Mints a demo NFT with a key that nodes share.
#[component]
pub fn SessionWithDistributedKey() -> impl IntoView {
    let account = use_smart_account();
    let sessions = use_session_list();
    let mint = use_session_with_distributed_key();
    // Goes on after a reload, too.
    let operation = use_resumed_operation(OperationKind::UseDistributedSession, mint.data);
    let receipt = use_user_op_wait(operation);
    let revoke = use_revoke_at_nodes();

    // Follow the account and the newest session until the person chooses otherwise.
    let recipient = RwSignal::new(None::<String>);
    let picked = RwSignal::new(None::<String>);
    let refused = RwSignal::new(None::<AppError>);
    let own_address =
        move || account.smart_account_address.get().map(|address| address.to_string()).unwrap_or_default();
    let session_id = Memo::new(move |_| picked.get().or_else(|| preferred_of(sessions, true)));

    let typed = move || recipient.get_untracked().unwrap_or_else(|| untrack(own_address));
    let variables = move || {
        let to = typed().trim().parse::<Address>().ok()?;
        Some(UseSessionVariables {
            calls: vec![Call::to(DEMO_NFT, &safeMintCall { to })],
            session_id: session_id.get_untracked(),
            smart_account_address: account.smart_account_address.get_untracked(),
            ..Default::default()
        })
    };
    let use_it = move |_| {
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
    let stop = move |_| {
        if let Some(session_id) = session_id.get_untracked() {
            let smart_account_address = account.smart_account_address.get_untracked();
            revoke.mutate.run(RevokeAtNodesVariables { session_id, smart_account_address });
        }
    };
    let none = move || session_id.get().is_none();

    let refused_calls = Signal::derive(move || mint.variables.get().map(|used| used.calls).unwrap_or_default());

    view! {
        <div class="panel">
            <NftBalance contract=DEMO_NFT owner=account.smart_account_address />
            <KeyNetworkStatus />
            <div class="fields">
                <SessionPicker list=sessions session_id=session_id picked distributed=true />
                <div class="field wide">
                    <label for="distributed-mint-recipient">"Mint to"</label>
                    <input
                        id="distributed-mint-recipient"
                        class="mono"
                        data-testid="mint-recipient"
                        spellcheck="false"
                        autocomplete="off"
                        prop:value=move || recipient.get().unwrap_or_else(own_address)
                        on:input:target=move |event| recipient.set(Some(event.target().value()))
                    />
                    {move || recipient.get().as_deref().and_then(typed_address)}
                    <span class="hint">
                        "The session allows your own account only. Another one is refused here, and by each node."
                    </span>
                </div>
            </div>
            <div class="actions">
                <button
                    type="button"
                    class="button"
                    data-testid="use-distributed-session"
                    disabled=move || none() || mint.is_pending.get()
                    on:pointerenter=move |_| get_ready()
                    on:pointerdown=move |_| get_ready()
                    on:focus=move |_| get_ready()
                    on:click=use_it
                >
                    {move || live(if mint.is_pending.get() { "Minting" } else { "Have the nodes sign a mint" })}
                </button>
                <button
                    type="button"
                    class="button quiet"
                    data-testid="revoke-at-nodes"
                    disabled=move || none() || revoke.is_pending.get()
                    on:click=stop
                >
                    "Tell the nodes to stop"
                </button>
                <Show when=move || has_none(sessions, session_id.into()).get()>
                    <span class="reason">"Grant a session with a distributed key first."</span>
                </Show>
                <Show when=move || revoke.is_success.get()>
                    <span role="status" data-testid="revoked-at-nodes">"The nodes sign no more with this key."</span>
                </Show>
            </div>
            <ErrorNotice error=refused />
            <ErrorNotice error=revoke.error />
            <OperationStatus mutation=mint wait=receipt hash_testid="use-distributed-session-hash" by_session=true />
            <StepUp error=mint.error calls=refused_calls session_id=session_id sessions kind=StepUpKind::Distributed />
        </div>
    }
    .into_any()
}
