//! What is limited over all calls: uses and totals that the chain counts.

use alloy::primitives::U256;
use leptos::prelude::*;

use crate::{
    components::live_text::live,
    protocol::{
        describe::{TokenFacts, amount_words},
        session_scheme::ActionLimits,
    },
};

/// A row of the card; nothing where nothing is counted.
pub fn limits_row(limits: ActionLimits, token: Signal<TokenFacts>, native: Signal<TokenFacts>) -> Option<AnyView> {
    if limits == ActionLimits::default() {
        return None;
    }
    let words = move || limits_words(&limits, &token.get(), &native.get());
    Some(
        view! {
            <div>
                <dt>"Over all calls"</dt>
                <dd data-testid="grant-limits">{move || live(words())}</dd>
            </div>
        }
        .into_any(),
    )
}

/// In a sentence. Fees are in none of it.
fn limits_words(limits: &ActionLimits, token: &TokenFacts, native: &TokenFacts) -> String {
    let uses = limits.uses.map(|uses| match uses {
        1 => "At most once".to_owned(),
        many => ["At most ", &many.to_string(), " times"].concat(),
    });
    let in_all = |most: U256, facts: &TokenFacts| ["at most ", &amount_words(most, Some(facts)), " in all"].concat();
    let totals = limits.totals.iter().map(|(_, most)| in_all(*most, token));
    let said = uses.into_iter().chain(totals).chain(limits.total_value.map(|most| in_all(most, native)));
    let said = said.collect::<Vec<_>>().join(", ");
    let mut letters = said.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    [&first, letters.as_str(), ". The chain counts. Fees are not limited by this."].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_and_totals_are_one_sentence() {
        let dollars = TokenFacts { symbol: Some("DUSD".into()), decimals: Some(6) };
        let ether = TokenFacts { symbol: Some("ETH".into()), decimals: Some(18) };
        let totals = vec![(32, U256::from(20_000_000))];
        let limits = ActionLimits { uses: Some(10), totals: totals.clone(), total_value: None };
        let end = ". The chain counts. Fees are not limited by this.";
        assert_eq!(limits_words(&limits, &dollars, &ether), ["At most 10 times, at most 20 DUSD in all", end].concat());
        let limits = ActionLimits { totals, ..ActionLimits::default() };
        assert_eq!(limits_words(&limits, &dollars, &ether), ["At most 20 DUSD in all", end].concat());
        let native = ActionLimits { total_value: Some(U256::from(10).pow(U256::from(18))), ..limits.clone() };
        let both = "At most 20 DUSD in all, at most 1 ETH in all";
        assert_eq!(limits_words(&native, &dollars, &ether), [both, end].concat());
        let once = ActionLimits { uses: Some(1), ..ActionLimits::default() };
        assert_eq!(limits_words(&once, &dollars, &ether), ["At most once", end].concat());
    }
}
