//! `use_create_session`: allow one call, for a limited time, after a review in plain words.

use leptos::prelude::*;

use crate::{
    components::{
        connect_state::use_connect_state,
        enable_field::{EnableField, ticked_mode},
        end_time::EndTime,
        grant_form::GrantForm,
        uses_field::{UsesField, typed_uses},
    },
    prelude::*,
    protocol::addresses::DEMO_NFT,
};

/// Grants a session that may mint a demo NFT, and only to the account itself.
#[component]
pub fn CreateSession() -> impl IntoView {
    let label = RwSignal::new("Demo NFT mint".to_owned());
    let ends = RwSignal::new(Some(now_seconds() + 3_600));
    // Only some kinds of account count uses.
    let (uses, kind) = (RwSignal::new(String::new()), use_account_kind().kind);
    let with_first_use = RwSignal::new(false);
    // What cannot be granted is said, and kept from being confirmed, by the review.
    let form = use_reviewed_grant(use_create_session(), move |me| {
        let mint = Policy::new(DEMO_NFT, "safeMint(address to)")
            .with_rule_on("to", Condition::Equal, me)?
            .with_valid_until(ends.get().unwrap_or(0));
        let enable = ticked_mode(with_first_use.get(), kind.get());
        let request = GrantRequest { enable, ..GrantRequest::new(label.get().trim(), [mint]) };
        Ok(match typed_uses(&uses.get(), kind.get())? {
            Some(uses) => request.with_uses(uses),
            None => request,
        })
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
                <UsesField uses id="session-uses" />
                <EnableField with_first_use />
            </div>
        </GrantForm>
    }
    .into_any()
}
