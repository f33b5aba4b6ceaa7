//! Step 2: the owner allows one call, for an hour, after a review in plain words.

use leptos::prelude::*;
use use_aa::{components::grant_review::GrantReview, prelude::*, protocol::addresses::DEMO_NFT};

use crate::outcome::Outcome;

/// Asks for a session that may mint to the account itself. Granted is what the person agreed to, which may be less.
#[component]
pub fn Grant() -> impl IntoView {
    let account = use_smart_account();
    let form = use_reviewed_grant(use_create_session(), |me| {
        let mint = Policy::new(DEMO_NFT, "safeMint(address to)")
            .with_rule(0, Condition::Equal, me)
            .with_valid_until(now_seconds() + 3_600);
        Ok(GrantRequest::new("Mint for me", [mint]))
    });
    let blocked = move || account.owner_address.get().is_none() || form.grant.is_pending.get();
    view! {
        <section>
            <h2>"2. Grant"</h2>
            <button disabled=blocked on:click=move |_| form.review.run(())>
                "Review and grant"
            </button>
            <Outcome of=form.grant wait=form.wait refused=form.refused />
            <GrantReview
                request=form.request
                sessions=form.sessions
                on_confirm=form.confirm
                on_ready=form.prepare
            />
        </section>
    }
}
