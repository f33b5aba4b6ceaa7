//! Amounts as people read and type them.

use alloy::primitives::U256;

use crate::paymaster::DecimalText;

/// Amounts from here on are "everything": tokens' habit is 2^256 − 1, some use 2^255 or 2^128 − 1.
pub(crate) const UNLIMITED: U256 = U256::from_limbs([u64::MAX, u64::MAX, 0, 0]);

/// What a token says about itself. Anybody can write a contract that says anything: names are shown beside the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenFacts {
    /// Its symbol, cut to what can be a symbol.
    pub symbol: Option<String>,
    /// Decimals of its smallest unit.
    pub decimals: Option<u8>,
}

/// The highest amount that is allowed: `2.5 DUSD`, or `any amount`.
pub fn amount_words(most: U256, token: Option<&TokenFacts>) -> String {
    if most >= UNLIMITED { "any amount".to_owned() } else { exact_amount(most, token) }
}

/// An amount in whole tokens where the decimals are known.
pub(super) fn exact_amount(amount: U256, token: Option<&TokenFacts>) -> String {
    let symbol = token.and_then(|token| token.symbol.as_deref());
    match token.and_then(|token| token.decimals) {
        Some(decimals) => {
            [&DecimalText::from_units(amount, decimals).to_string(), " ", symbol.unwrap_or("tokens")].concat()
        }
        None => match symbol {
            Some(symbol) => [&amount.to_string(), " of the smallest unit of ", symbol].concat(),
            None => [&amount.to_string(), " of the smallest unit"].concat(),
        },
    }
}

/// `at most 2.5 DUSD`, or `any amount`.
pub(super) fn at_most(most: U256, token: Option<&TokenFacts>) -> String {
    let words = amount_words(most, token);
    if most >= UNLIMITED { words } else { ["at most ", &words].concat() }
}

/// An amount as it stands in a field; empty where it is no limit.
pub fn amount_input(amount: U256, token: &TokenFacts) -> String {
    if amount >= UNLIMITED {
        return String::new();
    }
    DecimalText::from_units(amount, token.decimals.unwrap_or(0)).to_string()
}

/// Reads what was typed into such a field; the error is for the person who typed it.
pub fn read_amount(typed: &str, token: &TokenFacts) -> Result<U256, String> {
    let decimals = token.decimals.unwrap_or(0);
    let amount = typed.trim().parse::<DecimalText>().and_then(|amount| amount.units(decimals));
    amount.map_err(|_| match decimals {
        0 => "Type a whole number.".to_owned(),
        places => ["Type a number with at most ", &places.to_string(), " decimals, such as 1.5."].concat(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_go_to_text_and_back() {
        let facts = TokenFacts { symbol: Some("DUSD".into()), decimals: Some(6) };
        assert_eq!(amount_words(U256::from(2_500_000), Some(&facts)), "2.5 DUSD");
        assert_eq!(amount_words(U256::MAX, Some(&facts)), "any amount");
        assert_eq!([U256::MAX, U256::ZERO].map(|most| at_most(most, Some(&facts))), ["any amount", "at most 0 DUSD"]);
        assert_eq!(amount_words(U256::from(7), None), "7 of the smallest unit");
        assert_eq!(read_amount("2.5", &facts), Ok(U256::from(2_500_000)));
        assert_eq!(amount_input(U256::from(2_500_000), &facts), "2.5");
        assert!(read_amount("2.0000001", &facts).is_err());
        assert!(read_amount("-1", &facts).is_err());
    }
}
