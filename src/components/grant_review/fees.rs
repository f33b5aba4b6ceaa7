//! What the account can lose to the fees of the session's operations, and a way to leave nothing there.

use alloy::primitives::{Address, U256};
use leptos::prelude::*;

use super::{GrantRequest, KeyHolder, draft::Draft, token_facts::use_token_facts};
use crate::{
    components::native_currency::use_native_currency,
    hooks::{FeeAllowance, FeeFunds, NativeFunds, use_fee_funds, use_smart_account},
    protocol::{
        describe::{TokenFacts, amount_words},
        distributed_key::default_operation_cost,
    },
};

/// What is at stake, what one operation may cost, standing allowances, and the offer to withdraw.
pub fn fees(request: &GrantRequest, draft: RwSignal<Option<Draft>>) -> AnyView {
    let funds = use_fee_funds(Signal::stored(Some(request.account)));
    let native = use_native_currency();
    let has_failed = Memo::new(move |_| funds.error.with(Option::is_some));
    let known = Memo::new(move |_| if has_failed.get() { None } else { funds.data.get() });
    let held = Memo::new(move |_| known.with(|known| known.as_ref().map(|funds| funds.native)));
    let stake = move || stake_words(held.get(), has_failed.get(), &native.get());
    let fee = Memo::new(move |_| match has_failed.get() {
        true => Some(U256::ZERO),
        false => known.with(|known| known.as_ref().map(|funds| funds.max_fee_per_gas.unwrap_or_default())),
    });
    Effect::new(move |_| {
        let lacks = draft.with(|draft| draft.as_ref().is_some_and(Draft::lacks_cost_limit));
        if let (true, Some(fee)) = (lacks, fee.get()) {
            draft.update(|draft| {
                if let Some(draft) = draft {
                    draft.set_default_limit(default_operation_cost(fee));
                }
            });
        }
    });
    let limit = Memo::new(move |_| draft.with(|draft| draft.as_ref().and_then(Draft::cost_limit)));
    let has_limit = request.key_holder == KeyHolder::Nodes;
    let cost = move || match limit.get() {
        None if has_limit => "Being read from the chain.".to_owned(),
        limit => cost_words(limit, &native.get()),
    };
    let is_sponsored = request.sponsored;
    let has_something = move || held.get().is_some_and(|funds| !funds.total().is_zero());
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
                <Withdraw held draft is_sponsored />
            </Show>
        </section>
    }
    .into_any()
}

/// The offer to send everything to the owner with the grant.
#[component]
fn Withdraw(
    /// What there is.
    held: Memo<Option<NativeFunds>>,
    /// Where the choice is kept.
    draft: RwSignal<Option<Draft>>,
    /// Somebody else pays for the grant.
    is_sponsored: bool,
) -> impl IntoView {
    let native = use_native_currency();
    let owner = use_smart_account().owner_address;
    let checked = move || draft.with(|draft| draft.as_ref().is_some_and(Draft::withdraws));
    let amount = move || amount_words(held.get().unwrap_or_default().total(), Some(&native.get()));
    let owner = move || owner.get().map(|owner| owner.to_string());
    let left = match is_sponsored {
        true => "All of it leaves the account in the same operation, so that there is nothing to take.",
        false => "Your account pays for this grant: what that may cost stays, the rest leaves in the same operation.",
    };
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
                <span>{move || ["Send ", &amount(), " to the account's owner with this grant"].concat()}</span>
            </label>
            <span class="hint" id="grant-withdraw-left">
                {left} " The owner: " <span class="mono">{owner}</span>
            </span>
        </div>
    }
    .into_any()
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

fn cost_words(limit: Option<U256>, native: &TokenFacts) -> String {
    match limit {
        None => "May cost all of it. No limit holds for the fees that whoever has the key decides on.".to_owned(),
        Some(U256::ZERO) => "May cost your account nothing: the nodes sign only what a known sponsor pays.".to_owned(),
        Some(limit) => {
            let limit = amount_words(limit, Some(native));
            ["May cost your account at most ", &limit, ". The nodes sign no dearer one, but there may be many."]
                .concat()
        }
    }
}

/// Nothing where nobody may take anything.
fn allowances(funds: &FeeFunds) -> Option<AnyView> {
    let lines = match &funds.allowances {
        None => "What a token paymaster may take could not be read.".into_any(),
        Some(allowances) if allowances.is_empty() => return None,
        Some(allowances) => {
            let lines = allowances
                .iter()
                .map(|FeeAllowance { token, spender, amount, .. }| allowance(*token, *spender, *amount));
            lines.collect_view().into_any()
        }
    };
    Some(
        view! {
            <div>
                <dt>"Tokens for fees"</dt>
                <dd data-testid="grant-allowances">{lines}</dd>
            </div>
        }
        .into_any(),
    )
}

fn allowance(token: Address, spender: Address, amount: U256) -> AnyView {
    let facts = use_token_facts(token);
    let (token, spender) = (token.to_string(), spender.to_string());
    let amount = move || amount_words(amount, Some(&facts.get()));
    view! {
        <p>
            "The token paymaster " <span class="mono">{spender}</span> " may still take " {amount} " from your account (token "
            <span class="mono">{token}</span> "). Fees can be paid with that, too."
        </p>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(words(KeyHolder::Nodes, Some(U256::ZERO)).contains("nothing"));
        // Where gas is dear the default lets a million gas pass. What is shown is what is granted, to the wei.
        let mut dear = draft(KeyHolder::Nodes, None, 2_000);
        assert!(cost_words(dear.cost_limit(), &native).contains("at most 2 POL"));
        assert_eq!(dear.decision().granted.max_operation_cost, dear.cost_limit());
        let shown = dear.cost_limit();
        dear.set_default_limit(U256::MAX);
        assert_eq!(dear.cost_limit(), shown, "it stays while somebody reads it");
        assert_eq!(granted(KeyHolder::Nodes, Some(U256::ZERO)), Some(U256::ZERO));
        assert_eq!(granted(KeyHolder::ThisBrowser, None), None);
    }
}
