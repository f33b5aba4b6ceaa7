//! Amounts as people read and type them: one way, everywhere.

use alloy::primitives::U256;

use super::Detail;

mod digits;
mod read;
mod token;

pub(super) use digits::number_words;
pub use digits::shown_amount;
pub use read::{UnreadableAmount, read_amount};
pub use token::TokenFacts;

use crate::paymaster::DecimalText;

/// Amounts from here on are "everything": tokens' habit is 2^256 − 1, some use 2^255 or 2^128 − 1.
pub(crate) const UNLIMITED: U256 = U256::from_limbs([u64::MAX, u64::MAX, 0, 0]);

/// The highest amount that is allowed: `2.5 DUSD`, or `any amount`.
pub fn amount_words(most: U256, token: Option<&TokenFacts>) -> String {
    if most >= UNLIMITED { "any amount".to_owned() } else { exact_amount(most, token, Detail::Review) }
}

/// An amount with its unit, however high it is: `2.5 DUSD`.
pub fn exact_amount_words(amount: U256, token: &TokenFacts) -> String {
    exact_amount(amount, Some(token), Detail::Review)
}

/// An amount in whole tokens where the decimals are known.
pub(super) fn exact_amount(amount: U256, token: Option<&TokenFacts>, detail: Detail) -> String {
    let symbol = token.and_then(|token| token.symbol.as_deref());
    let decimals = token.and_then(|token| token.decimals);
    match (detail, decimals, symbol) {
        (Detail::Signed, ..) => [&amount.to_string(), " of the smallest unit"].concat(),
        (_, Some(decimals), symbol) => {
            [&number_words(amount, decimals), " ", symbol.unwrap_or(token::WHOLE_TOKENS)].concat()
        }
        (_, None, Some(symbol)) => [&number_words(amount, 0), " of the smallest unit of ", symbol].concat(),
        (_, None, None) => [&number_words(amount, 0), " of the smallest unit"].concat(),
    }
}

/// `at most 2.5 DUSD`, or `any amount`.
pub(super) fn at_most(most: U256, token: Option<&TokenFacts>) -> String {
    let words = amount_words(most, token);
    if most >= UNLIMITED { words } else { ["at most ", &words].concat() }
}

/// An amount as it stands in a field, in [`TokenFacts::unit`]; empty where it is no limit. Plain digits and a point.
pub fn amount_input(amount: U256, token: &TokenFacts) -> String {
    if amount >= UNLIMITED {
        return String::new();
    }
    DecimalText::from_units(amount, token.decimals.unwrap_or(0)).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::Address;
    use proptest::prelude::*;

    use super::*;

    fn units() -> impl Strategy<Value = U256> {
        prop_oneof![
            any::<[u8; 32]>().prop_map(U256::from_be_bytes::<32>),
            any::<u64>().prop_map(U256::from),
            (0_u64..78).prop_map(|power| U256::from(10).checked_pow(U256::from(power)).unwrap_or(U256::MAX)),
        ]
    }

    #[test]
    fn amounts_go_to_text_and_back() {
        let facts = TokenFacts { symbol: Some("DUSD".into()), decimals: Some(6) };
        assert_eq!(amount_words(U256::from(2_500_000), Some(&facts)), "2.5 DUSD");
        assert_eq!(amount_words(U256::MAX, Some(&facts)), "any amount");
        assert_eq!([U256::MAX, U256::ZERO].map(|most| at_most(most, Some(&facts))), ["any amount", "at most 0 DUSD"]);
        assert_eq!(amount_words(U256::from(7), None), "7 of the smallest unit");
        assert_eq!(amount_input(U256::from(2_500_000), &facts), "2.5");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// What is shown, and what stands in a field, is read as the same units by the very facts that labelled it.
        #[test]
        fn what_is_shown_is_read_back(units in units(), decimals in 0_u8..=77) {
            let facts = TokenFacts { symbol: None, decimals: Some(decimals) };
            prop_assert_eq!(read_amount(&shown_amount(units, decimals), &facts), Ok(units));
            if units < UNLIMITED {
                prop_assert_eq!(read_amount(&amount_input(units, &facts), &facts), Ok(units));
            }
        }

        /// A symbol may be anything: it changes neither how a field is read nor which number is shown before it.
        #[test]
        fn a_symbol_changes_no_amount(units in units(), decimals in prop::option::of(0_u8..=77), symbol in any::<String>()) {
            let token = Address::repeat_byte(7);
            let [plain, named] = [None, Some(symbol.as_str())].map(|symbol| TokenFacts::told_by(token, symbol, decimals));
            let typed = amount_input(units, &plain);
            prop_assert_eq!(read_amount(&typed, &named), read_amount(&typed, &plain));
            prop_assert_eq!(&amount_input(units, &named), &typed);
            let number = number_words(units, decimals.unwrap_or(0));
            prop_assert!(exact_amount_words(units, &named).starts_with(&[&number, " "].concat()));
            // Never a digit first, which would lengthen the number.
            let rest = exact_amount_words(units, &named)[number.len() + 1..].to_owned();
            prop_assert!(rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '“'), "{}", rest);
            // The label of a field names smallest units just when the field is read in them.
            prop_assert_eq!(named.unit().starts_with("smallest units"), decimals.is_none());
        }
    }
}
