//! The tokens that fees can be paid with: what a token paymaster may still take. No limit of an operation holds for them.

use leptos::prelude::*;

use super::super::token_facts::use_token_facts;
use crate::{
    components::{address_check::AddressCheck, live_text::live},
    hooks::{FeeAllowance, FeeFunds},
    protocol::describe::{TokenFacts, amount_words},
};

const UNREAD: &str = "What a token paymaster may take could not be read.";

/// Nothing where nobody may take anything.
pub fn allowances(funds: &FeeFunds) -> Option<AnyView> {
    let lines = match funds.allowances.as_deref() {
        None => live(UNREAD),
        Some([]) => return None,
        Some(allowances) => allowances.iter().map(allowance).collect_view().into_any(),
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

fn allowance(allowance: &FeeAllowance) -> AnyView {
    let FeeAllowance { token, spender, amount, .. } = *allowance;
    let facts = use_token_facts(token);
    let words = move || {
        let taken = taken_words(amount.map(|amount| amount_words(amount, Some(&facts.get()))));
        live([&taken, " Fees can be paid with that, too, at the paymaster's own rate."].concat())
    };
    view! {
        <div data-testid="grant-allowance">
            <p>{words}</p>
            <div>"The token paymaster: " <AddressCheck address=spender what="paymaster's address" /></div>
            <div>"The token: " <AddressCheck address=token what="token's address" /></div>
        </div>
    }
    .into_any()
}

fn taken_words(amount: Option<String>) -> String {
    match amount {
        Some(amount) => ["A token paymaster may still take ", &amount, " from your account."].concat(),
        None => "How much a token paymaster may take of this token could not be read.".to_owned(),
    }
}

/// What is not withdrawn with the native currency.
pub fn staying(funds: &FeeFunds) -> Option<AnyView> {
    let line = |allowance: &FeeAllowance| {
        let facts = use_token_facts(allowance.token);
        let allowance = allowance.clone();
        view! { <span>" " {move || live(staying_words(&allowance, &facts.get()))}</span> }
    };
    match funds.allowances.as_deref() {
        None => Some(live([" ", UNREAD, " That stays."].concat())),
        Some([]) => None,
        Some(allowances) => Some(allowances.iter().map(line).collect_view().into_any()),
    }
}

fn staying_words(allowance: &FeeAllowance, facts: &TokenFacts) -> String {
    let amount = allowance.amount.map(|amount| amount_words(amount, Some(facts)));
    let [token, spender] = [allowance.token, allowance.spender].map(|address| address.to_string());
    [
        "An allowance stays: the token paymaster ",
        &spender,
        " may still take ",
        amount.as_deref().unwrap_or("an amount that could not be read"),
        " of the token ",
        &token,
        ".",
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, U256};

    use super::*;

    #[test]
    fn what_stays_is_named_also_when_it_could_not_be_read() {
        let facts = TokenFacts { symbol: Some("DUSD".into()), decimals: Some(6) };
        let [token, spender] = [1, 2].map(Address::repeat_byte);
        let words = |amount| {
            staying_words(&FeeAllowance { token, symbol: String::new(), decimals: 6, spender, amount }, &facts)
        };
        let known = words(Some(U256::from(2_500_000)));
        assert!(known.contains("may still take 2.5 DUSD"), "{known}");
        let unread = words(None);
        assert!(unread.contains("could not be read"), "{unread}");
        for said in [known, unread] {
            assert!(said.contains(&token.to_string()) && said.contains(&spender.to_string()), "{said}");
        }
        assert!(taken_words(None).contains("could not be read"));
        assert!(taken_words(Some("2.5 DUSD".into())).contains("take 2.5 DUSD from your account"));
    }
}
