//! `use_create_session_with_distributed_key`: allow one call with a key that nobody holds.

use leptos::prelude::*;

use crate::{
    components::{end_time::EndTime, grant_form::GrantForm, key_network_status::KeyNetworkStatus},
    prelude::*,
    protocol::addresses::DEMO_NFT,
};

/// Grants a session that may mint a demo NFT to the account itself; nodes share its key.
#[component]
pub fn CreateSessionWithDistributedKey() -> impl IntoView {
    let ends = RwSignal::new(Some(now_seconds() + 3_600));
    let create = use_create_session_with_distributed_key();
    let form = use_reviewed_grant(create, move |me| {
        let mint = Policy::new(DEMO_NFT, "safeMint(address to)")
            .with_rule_on("to", Condition::Equal, me)?
            .with_valid_until(ends.get().unwrap_or(0));
        Ok(GrantRequest::new("Mint, key shared by nodes", [mint]))
    });
    view! {
        <GrantForm
            form
            testid="create-distributed-session"
            hash_testid="create-distributed-session-hash"
            hint="Your wallet asks twice: for the grant, which the nodes verify, and for the operation."
        >
            <p>
                "Nobody holds this session's key. The nodes make it together, each keeps a share, and enough of them must
                agree to sign. This browser keeps, encrypted, only a key with which it may ask them; each node checks every
                call by itself."
            </p>
            <KeyNetworkStatus />
            <div class="fields">
                <EndTime ends />
            </div>
        </GrantForm>
    }
    .into_any()
}
