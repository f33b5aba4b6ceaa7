//! `use_create_session`: allow one call, for a limited time, after a review in plain words.

use leptos::prelude::*;

use crate::{
    components::{connect_state::use_connect_state, end_time::EndTime, grant_form::GrantForm},
    prelude::*,
    protocol::addresses::DEMO_NFT,
};

/// Grants a session that may mint a demo NFT, and only to the account itself.
#[component]
pub fn CreateSession() -> impl IntoView {
    let label = RwSignal::new("Demo NFT mint".to_owned());
    let ends = RwSignal::new(Some(now_seconds() + 3_600));
    // What cannot be granted is said, and kept from being confirmed, by the review.
    let form = use_reviewed_grant(use_create_session(), move |me| {
        let mint = Policy::new(DEMO_NFT, "safeMint(address to)")
            .with_rule_on("to", Condition::Equal, me)?
            .with_valid_until(ends.get().unwrap_or(0));
        Ok(GrantRequest::new(label.get().trim(), [mint]))
    });
    view! {
        <GrantForm form testid="create-session" hash_testid="create-session-hash" pressed=use_connect_state().grant_pressed>
            <div class="fields">
                <div class="field">
                    <label for="session-label">"Name"</label>
                    <input
                        id="session-label"
                        data-testid="session-label"
                        dir="auto"
                        maxlength="60"
                        required
                        autocomplete="off"
                        bind:value=label
                    />
                    <span class="hint">"So that you recognise it in the list."</span>
                </div>
                <EndTime ends />
            </div>
        </GrantForm>
    }
    .into_any()
}
