//! What the account can lose to the fees of the session's operations, and a way to leave nothing there.

use alloy::primitives::U256;
use leptos::prelude::*;

use self::allowances::{allowances, staying};
use super::{GrantRequest, KeyHolder, draft::Draft};
use crate::{
    components::{address_check::AddressCheck, live_text::live, native_currency::use_native_currency},
    hooks::{EnableMode, FeeFunds, NativeFunds, effect, use_fee_funds, use_smart_account},
    protocol::{
        describe::{TokenFacts, amount_words},
        distributed_key::default_operation_cost_with_data,
    },
};

mod allowances;

/// What is at stake, what one operation may cost, standing allowances, and the offer to withdraw.
pub fn fees(request: &GrantRequest, draft: RwSignal<Option<Draft>>) -> AnyView {
    let funds = use_fee_funds(Signal::stored(Some(request.account)));
    let native = use_native_currency();
    let has_failed = Memo::new(move |_| funds.error.with(Option::is_some));
    let known = Memo::new(move |_| if has_failed.get() { None } else { funds.data.get() });
    let held = Memo::new(move |_| known.with(|known| known.as_ref().map(|funds| funds.native)));
    let stake = move || live(stake_words(held.get(), has_failed.get(), &native.get()));
    // The fee of gas, and that of a rollup's data.
    let fee = Memo::new(move |_| match has_failed.get() {
        true => Some((U256::ZERO, U256::ZERO)),
        false => {
            known.with(|known| known.as_ref().map(|funds| (funds.max_fee_per_gas.unwrap_or_default(), funds.data_fee)))
        }
    });
    effect(move || {
        let lacks = draft.with(|draft| draft.as_ref().is_some_and(Draft::lacks_cost_limit));
        if let (true, Some((fee, data_fee))) = (lacks, fee.get()) {
            draft.update(|draft| {
                if let Some(draft) = draft {
                    draft.set_default_limit(default_operation_cost_with_data(fee, data_fee));
                }
            });
        }
    });
    let limit = Memo::new(move |_| draft.with(|draft| draft.as_ref().and_then(Draft::cost_limit)));
    let has_limit = request.key_holder == KeyHolder::Nodes;
    let cost = move || match limit.get() {
        None if has_limit => live("Being read from the chain."),
        limit => live(cost_words(limit, &native.get())),
    };
    let is_sponsored = request.sponsored;
    // A signature alone sends nothing.
    let is_sent = request.enable == EnableMode::ByOperation;
    let has_something = move || is_sent && held.get().is_some_and(|funds| !funds.total().is_zero());
    view! {
        <section class="grant-call" data-testid="grant-fees" aria-label="Fees of the session's operations">
            <p class="grant-words">"Fees of its operations"</p>
            <dl class="rows">
                <div>
                    <dt>"At stake"</dt>
                    <dd
                        data-testid="grant-at-stake"
                        data-value=move || held.get().map(|funds| funds.total().to_string())
                    >
                        {stake}
                    </dd>
                </div>
                <div>
                    <dt>"One operation"</dt>
                    <dd data-testid="grant-operation-cost" data-value=move || limit.get().map(|limit| limit.to_string())>
                        {cost}
                    </dd>
                </div>
                {move || known.get().and_then(|funds| allowances(&funds))}
            </dl>
            <Show when=has_something>
                <Withdraw known draft is_sponsored />
            </Show>
        </section>
    }
    .into_any()
}

/// The offer to send everything to the owner with the grant.
#[component]
fn Withdraw(
    /// What there is.
    known: Memo<Option<FeeFunds>>,
    /// Where the choice is kept.
    draft: RwSignal<Option<Draft>>,
    /// Somebody else pays for the grant.
    is_sponsored: bool,
) -> impl IntoView {
    let native = use_native_currency();
    let owner_address = use_smart_account().owner_address;
    let checked = move || draft.with(|draft| draft.as_ref().is_some_and(Draft::withdraws));
    let offer = move || {
        let total = known.with(|known| known.as_ref().map(|funds| funds.native.total())).unwrap_or_default();
        live(["Send ", &amount_words(total, Some(&native.get())), " to the account's owner with this grant"].concat())
    };
    let owner = move || owner_address.get().map(|address| view! { <AddressCheck address what="owner's address" /> });
    let left = live(left_words(is_sponsored));
    view! {
        <div class="field">
            <label class="grant-keep">
                <input
                    type="checkbox"
                    data-testid="grant-withdraw"
                    aria-describedby="grant-withdraw-left"
                    prop:checked=checked
                    on:change:target=move |event| {
                        let withdraw = event.target().checked();
                        draft.update(|draft| {
                            if let Some(draft) = draft {
                                draft.withdraw(withdraw);
                            }
                        });
                    }
                />
                <span>{offer}</span>
            </label>
            <span class="hint" id="grant-withdraw-left">
                {left} {move || known.get().and_then(|funds| staying(&funds))}
            </span>
            <div>"The owner: " {owner}</div>
        </div>
    }
    .into_any()
}

/// Tokens are not withdrawn.
fn left_words(is_sponsored: bool) -> &'static str {
    match is_sponsored {
        true => "All of it leaves the account in the same operation: then there is no native currency to take.",
        false => "Your account pays for this grant: what that may cost stays, the rest leaves in the same operation.",
    }
}

fn stake_words(held: Option<NativeFunds>, has_failed: bool, native: &TokenFacts) -> String {
    let words = |amount: U256| amount_words(amount, Some(native));
    match held {
        _ if has_failed => "It could not be read. Whatever the account holds is at stake.".to_owned(),
        None => "Being read from the chain.".to_owned(),
        Some(funds) if funds.total().is_zero() => {
            let symbol = native.symbol.as_deref().unwrap_or("native currency");
            ["Nothing: the account holds no ", symbol, " now. What comes in later is at stake, too."].concat()
        }
        Some(NativeFunds { deposit: U256::ZERO, balance }) => {
            [&words(balance), ", all that your account holds."].concat()
        }
        Some(funds) => [
            &words(funds.total()),
            ", all that your account holds; of it ",
            &words(funds.deposit),
            " as its deposit at the entry point.",
        ]
        .concat(),
    }
}

/// A node asks no chain, and knows no paymaster's rate.
const TOKENS_ARE_NOT_LIMITED: &str = "Tokens that a paymaster may take by an allowance are not limited by this.";

fn cost_words(limit: Option<U256>, native: &TokenFacts) -> String {
    match limit {
        None => "May cost all of it. No limit holds for the fees that whoever has the key decides on.".to_owned(),
        Some(U256::ZERO) => ["The nodes sign none whose gas your account pays. ", TOKENS_ARE_NOT_LIMITED].concat(),
        Some(limit) => {
            let limit = amount_words(limit, Some(native));
            let gas = "The nodes sign none whose gas costs more, but there may be many. ";
            ["Its gas may cost your account at most ", &limit, ". ", gas, TOKENS_ARE_NOT_LIMITED].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::distributed_key::default_operation_cost;

    #[test]
    fn every_state_of_the_stake_has_its_words() {
        let native = TokenFacts { symbol: Some("POL".into()), decimals: Some(18) };
        let [half, tenth] = [5, 1].map(|tenths: u64| U256::from(tenths * 100_000_000_000_000_000));
        let words = |balance, deposit| stake_words(Some(NativeFunds { balance, deposit }), false, &native);
        assert!(words(U256::ZERO, U256::ZERO).starts_with("Nothing: the account holds no POL now."));
        assert_eq!(words(half, U256::ZERO), "0.5 POL, all that your account holds.");
        assert!(words(half, tenth).starts_with("0.6 POL, all that your account holds; of it 0.1 POL as its deposit"));
        assert!(words(U256::ZERO, tenth).starts_with("0.1 POL"));
        assert!(stake_words(None, false, &native).contains("Being read"));
        assert!(stake_words(Some(NativeFunds::default()), true, &native).contains("could not be read"));
    }

    #[test]
    fn only_nodes_keep_to_a_limit() {
        let native = TokenFacts { symbol: Some("POL".into()), decimals: Some(18) };
        let draft = |key_holder, max_operation_cost, gwei: u64| {
            let request = GrantRequest { key_holder, max_operation_cost, ..GrantRequest::default() };
            let mut draft = Draft::new(request);
            assert_eq!(draft.lacks_cost_limit(), key_holder == KeyHolder::Nodes && max_operation_cost.is_none());
            draft.set_default_limit(default_operation_cost(U256::from(gwei * 1_000_000_000)));
            assert!(!draft.lacks_cost_limit() && !draft.decision().is_changed());
            draft
        };
        let words = |key_holder, limit| cost_words(draft(key_holder, limit, 30).cost_limit(), &native);
        let granted = |key_holder, limit| draft(key_holder, limit, 2_000).decision().granted.max_operation_cost;
        assert!(words(KeyHolder::ThisBrowser, None).starts_with("May cost all of it."));
        assert!(words(KeyHolder::ThisBrowser, Some(U256::ONE)).starts_with("May cost all of it."));
        assert!(words(KeyHolder::Nodes, None).contains("at most 0.05 POL"));
        assert!(words(KeyHolder::Nodes, Some(U256::ZERO)).contains("none whose gas your account pays"));
        // Where gas is dear the default lets a million gas pass. What is shown is what is granted, to the wei.
        let mut dear = draft(KeyHolder::Nodes, None, 2_000);
        assert!(cost_words(dear.cost_limit(), &native).contains("at most 2 POL"));
        assert_eq!(dear.decision().granted.max_operation_cost, dear.cost_limit());
        let shown = dear.cost_limit();
        dear.set_default_limit(U256::MAX);
        assert_eq!(dear.cost_limit(), shown, "it stays while somebody reads it");
        assert_eq!(granted(KeyHolder::Nodes, Some(U256::ZERO)), Some(U256::ZERO));
        assert_eq!(granted(KeyHolder::ThisBrowser, None), None);
        // Gas is all that they can bound.
        for limit in [None, Some(U256::ZERO)] {
            assert!(words(KeyHolder::Nodes, limit).ends_with(TOKENS_ARE_NOT_LIMITED));
        }
    }

    #[test]
    fn a_withdrawal_promises_nothing_about_tokens() {
        assert!(left_words(true).contains("no native currency to take"));
        assert!([true, false].map(left_words).iter().all(|words| !words.contains("nothing")));
    }
}
