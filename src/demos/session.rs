//! `use_session`: act with the session alone. No wallet is asked, and none need be connected.

use alloy::sol;
use leptos::prelude::*;

use crate::{
    components::{
        nft_balance::NftBalance,
        recipient_field::{RecipientField, use_recipient},
        session_picker::{SessionPicker, preferred_of},
        session_use::SessionUse,
    },
    prelude::*,
    protocol::addresses::DEMO_NFT,
};

sol! {
    function safeMint(address to);
}

/// Mints a demo NFT with a session key.
#[component]
pub fn Session() -> impl IntoView {
    let account = use_smart_account().smart_account_address;
    let sessions = use_session_list();
    // Follow the account and the newest session until the person chooses otherwise.
    let recipient = use_recipient(account);
    let picked = RwSignal::new(None::<String>);
    let session_id = Memo::new(move |_| picked.get().or_else(|| preferred_of(sessions, false)));

    let mint = use_session_action(use_session(), OperationKind::UseSession, move || {
        Ok(UseSessionVariables {
            calls: vec![Call::to(DEMO_NFT, &safeMintCall { to: recipient.address()? })],
            session_id: session_id.get(),
            smart_account_address: account.get(),
            ..Default::default()
        })
    });
    view! {
        <div class="panel">
            <NftBalance contract=DEMO_NFT owner=account />
            <div class="fields">
                <SessionPicker list=sessions session_id picked />
                <RecipientField
                    recipient
                    id="mint-recipient"
                    testid="mint-recipient"
                    label="Mint to"
                    hint="The session allows your own account only. Try another one to see it refused."
                />
            </div>
            <SessionUse
                action=mint
                sessions
                can_act=Signal::derive(move || session_id.with(Option::is_some))
                session_id
                text="Mint with the session"
                busy_text="Minting"
                missing="Grant a session first."
                testid="use-session"
                hash_testid="use-session-hash"
            />
        </div>
    }
    .into_any()
}
