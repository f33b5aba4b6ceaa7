//! `use_session_with_distributed_key`: this browser asks, the nodes check and sign. No wallet is asked.

use alloy::sol;
use leptos::prelude::*;

use crate::{
    components::{
        key_network_status::KeyNetworkStatus,
        nft_balance::NftBalance,
        recipient_field::{RecipientField, use_recipient},
        session_picker::{SessionPicker, preferred_of},
        session_use::SessionUse,
        stop_nodes::StopNodes,
    },
    prelude::*,
    protocol::addresses::DEMO_NFT,
};

sol! {
    function safeMint(address to);
}

/// Mints a demo NFT with a key that nodes share.
#[component]
pub fn SessionWithDistributedKey() -> impl IntoView {
    let account = use_smart_account().smart_account_address;
    let sessions = use_session_list();
    // Follow the account and the newest session until the person chooses otherwise.
    let recipient = use_recipient(account);
    let picked = RwSignal::new(None::<String>);
    let session_id = Memo::new(move |_| picked.get().or_else(|| preferred_of(sessions, true)));

    let by_nodes = use_session_with_distributed_key();
    let mint = use_session_action(by_nodes, OperationKind::UseDistributedSession, move || {
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
            <KeyNetworkStatus />
            <div class="fields">
                <SessionPicker list=sessions session_id picked distributed=true />
                <RecipientField
                    recipient
                    id="distributed-mint-recipient"
                    testid="mint-recipient"
                    label="Mint to"
                    hint="The session allows your own account only. Another one is refused here, and by each node."
                />
            </div>
            <SessionUse
                action=mint
                sessions
                can_act=Signal::derive(move || session_id.with(Option::is_some))
                session_id
                text="Have the nodes sign a mint"
                busy_text="Minting"
                missing="Grant a session with a distributed key first."
                testid="use-distributed-session"
                hash_testid="use-distributed-session-hash"
            >
                <StopNodes session_id />
            </SessionUse>
        </div>
    }
    .into_any()
}
