//! Step 2: the owner allows one call, for an hour, after a review in plain words.

use leptos::prelude::*;
use use_aa::{
    components::{
        gas_payer::use_is_sponsored,
        grant_review::{GrantDecision, GrantRequest, GrantReview},
    },
    prelude::*,
    protocol::addresses::DEMO_NFT,
};

use crate::outcome::Outcome;

/// Asks for a session that may mint to the account itself.
#[component]
pub fn Grant() -> impl IntoView {
    let account = use_smart_account();
    let sessions = use_session_list();
    let sponsored = use_is_sponsored();
    let grant = use_create_session();
    let wait = use_user_op_wait(grant.data);

    let request = RwSignal::new(None);
    let ask = move |_| {
        let Some(me) = account.smart_account_address.get() else { return };
        let mint = Policy::new(DEMO_NFT, "safeMint(address to)")
            .with_rule(0, Condition::Equal, me)
            .with_valid_until(now_seconds() + 3_600);
        request.set(Some(GrantRequest {
            label: "Mint for me".into(),
            account: me,
            policies: vec![mint.into()],
            sponsored: sponsored.get(),
            ..Default::default()
        }));
    };
    // Only what the person agreed to, which may be less than what was asked for.
    let sign = Callback::new(move |GrantDecision { granted, .. }| {
        grant.mutate.run(CreateSessionVariables {
            policy: granted.abi_policies(),
            label: Some(granted.label),
            reviewed: granted.reviewed,
            withdraw_native: granted.withdraw_native,
            // The review says so when sessions end that were granted elsewhere.
            replace_unknown: sessions.is_in_sync.get_untracked() == Some(false),
            ..Default::default()
        });
    });

    let blocked = move || account.owner_address.get().is_none() || grant.is_pending.get();
    view! {
        <section>
            <h2>"2. Grant"</h2>
            <button disabled=blocked on:click=ask>
                "Review and grant"
            </button>
            <Outcome of=grant wait />
            <GrantReview request sessions on_confirm=sign />
        </section>
    }
}
