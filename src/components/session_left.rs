//! What is left of a session's limits, read from the chain: in words and as a bar.

use alloy::primitives::U256;
use leptos::prelude::*;

use super::{grant_review::use_token_facts, live_text::live, native_currency::use_native_currency};
use crate::{
    hooks::{LimitLeft, UseSessionListReturn},
    protocol::{
        describe::{TokenFacts, amount_words},
        session_scheme::Counted,
    },
};

/// One line for each limit of the session.
#[component]
pub fn SessionLeft(
    /// Its id in the list.
    session_id: String,
    /// The list.
    list: UseSessionListReturn,
) -> impl IntoView {
    let limits = Memo::new(move |_| {
        list.limits_left
            .with(|all| all.iter().filter(|limit| limit.session_id == session_id).cloned().collect::<Vec<LimitLeft>>())
    });
    view! { {move || limits.get().into_iter().map(line).collect::<Vec<_>>()} }.into_any()
}

fn line(LimitLeft { what, most, left, .. }: LimitLeft) -> AnyView {
    let (kind, facts) = match what {
        Counted::Uses => ("uses".to_owned(), Signal::stored(TokenFacts::default())),
        Counted::Native => ("native".to_owned(), use_native_currency()),
        Counted::Token(token) => (token.to_string(), use_token_facts(token)),
    };
    let words = move || left_words(what, most, left, &facts.get());
    view! {
        <p class="session-left" data-testid="session-left" data-kind=kind data-left=left.to_string()>
            <meter min="0" max="100" value=percent(left, most).to_string() aria-hidden="true"></meter>
            <span>{move || live(words())}</span>
        </p>
    }
    .into_any()
}

fn left_words(what: Counted, most: U256, left: U256, facts: &TokenFacts) -> String {
    match what {
        Counted::Uses if left.is_zero() => ["Used up: all of ", &most.to_string(), " uses"].concat(),
        Counted::Uses => [&left.to_string(), " of ", &most.to_string(), " uses left"].concat(),
        Counted::Native | Counted::Token(_) => {
            let words = |amount| amount_words(amount, Some(facts));
            match left.is_zero() {
                true => ["Used up: all of ", &words(most)].concat(),
                false => [&words(left), " of ", &words(most), " left"].concat(),
            }
        }
    }
}

/// How long the bar is; what is left is never shown as nothing.
fn percent(left: U256, most: U256) -> u64 {
    let hundred = U256::from(100);
    let percent = left.checked_mul(hundred).map_or_else(
        || left.checked_div(most / hundred).unwrap_or_default(),
        |left| left.checked_div(most).unwrap_or_default(),
    );
    let percent: u64 = percent.min(hundred).saturating_to();
    if left.is_zero() { 0 } else { percent.max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_said_and_drawn() {
        let dollars = TokenFacts { symbol: Some("DUSD".into()), decimals: Some(6) };
        let words = |what, most: u64, left: u64| left_words(what, U256::from(most), U256::from(left), &dollars);
        assert_eq!(words(Counted::Uses, 10, 3), "3 of 10 uses left");
        assert_eq!(words(Counted::Uses, 10, 0), "Used up: all of 10 uses");
        let token = Counted::Token(alloy::primitives::Address::ZERO);
        assert_eq!(words(token, 20_000_000, 5_000_000), "5 DUSD of 20 DUSD left");
        let drawn = |left: U256, most: U256| percent(left, most);
        assert_eq!(drawn(U256::from(3), U256::from(10)), 30);
        assert_eq!(drawn(U256::ZERO, U256::ZERO), 0);
        assert_eq!(drawn(U256::ONE, U256::MAX), 1);
        assert_eq!(drawn(U256::MAX, U256::MAX), 100);
    }
}
