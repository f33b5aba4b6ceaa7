//! `use_create_batch_session`: allow several calls at once, judged by different modules, with one signature.

use leptos::prelude::*;

use crate::{
    components::{
        amount_field::AmountField,
        end_time::EndTime,
        grant_form::GrantForm,
        recipient_field::{RecipientField, use_recipient},
        token_amount::typed_amount,
        uses_field::{UsesField, typed_uses},
    },
    prelude::*,
    protocol::addresses::{DEMO_NFT, DEMO_TOKEN},
};

/// Grants three sessions with one key: mint a demo NFT, mint demo tokens, and send some of them to one recipient.
#[component]
pub fn CreateBatchSession() -> impl IntoView {
    // The owner of the account, unless the person says otherwise.
    let recipient = use_recipient(use_smart_account().owner_address);
    let most = RwSignal::new("10".to_owned());
    let ends = RwSignal::new(Some(now_seconds() + 3_600));
    // Only some kinds of account count uses.
    let (uses, kind) = (RwSignal::new(String::new()), use_account_kind().kind);
    // What cannot be granted is said, and kept from being confirmed, by the review.
    let form = use_reviewed_grant(use_create_batch_session(), move |me| {
        let (to, amount) = (recipient.address()?, typed_amount(DEMO_TOKEN, &most.get())?);
        let until = ends.get().unwrap_or(0);
        let mint_nft = Policy::new(DEMO_NFT, "safeMint(address to)").with_rule_on("to", Condition::Equal, me)?;
        let mint_tokens = Policy::new(DEMO_TOKEN, "mint(address to, uint256 amount)")
            .with_rule_on("to", Condition::Equal, me)?
            .with_rule_on("amount", Condition::LessThanOrEqual, amount)?;
        let send = Erc20Policy::new(DEMO_TOKEN, to, amount);
        let policies: [SessionPolicy; 3] = [mint_nft.into(), mint_tokens.into(), send.into()];
        let request = GrantRequest::new("Mint and send", policies.map(|policy| policy.with_valid_until(until)));
        Ok(match typed_uses(&uses.get(), kind.get())? {
            Some(uses) => request.with_uses(uses),
            None => request,
        })
    });
    view! {
        <GrantForm form testid="create-batch-session" hash_testid="create-batch-session-hash">
            <div class="fields">
                <RecipientField
                    recipient
                    id="batch-recipient"
                    testid="batch-recipient"
                    label="Send tokens to"
                    hint="The owner of the account, unless you say otherwise."
                />
                <AmountField amount=most id="batch-most" label="Most per call, DUSD" />
                <EndTime ends />
                <UsesField uses id="batch-uses" />
            </div>
        </GrantForm>
    }
    .into_any()
}
