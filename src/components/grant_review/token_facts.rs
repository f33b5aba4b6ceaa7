//! Symbol and decimals of a token, as its contract tells them.

use alloy::primitives::{Address, Bytes, U256};
use leptos::prelude::*;

use crate::{
    hooks::use_read_contract,
    protocol::{abi::decode, addresses::DEMO_TOKEN, paymaster::DecimalText},
};

/// What a token says about itself. Anybody can write a contract that says anything: names are shown beside the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenFacts {
    /// Its symbol, cut to what can be a symbol.
    pub symbol: Option<String>,
    /// Decimals of its smallest unit.
    pub decimals: Option<u8>,
}

/// Longest symbol that is shown, characters.
const LONGEST_SYMBOL: usize = 12;
/// Amounts from here on are "everything" (as the linter has it).
const UNLIMITED: U256 = U256::from_limbs([u64::MAX, u64::MAX, 0, 0]);

/// What is known without asking.
pub fn known_token(contract: Address) -> Option<TokenFacts> {
    (contract == DEMO_TOKEN).then(|| TokenFacts { symbol: Some("DUSD".to_owned()), decimals: Some(6) })
}

/// `symbol()` and `decimals()` of a contract; both `None` where it has none, or until they are read. Known contracts
/// are not asked, others once for all who want to know.
pub fn use_token_facts(contract: Address) -> Signal<TokenFacts> {
    if let Some(facts) = known_token(contract) {
        return Signal::stored(facts);
    }
    let ask =
        |selector: [u8; 4]| use_read_contract(Signal::stored(Some((contract, Bytes::copy_from_slice(&selector))))).data;
    let (symbol, decimals) = (ask([0x95, 0xd8, 0x9b, 0x41]), ask([0x31, 0x3c, 0xe5, 0x67]));
    Memo::new(move |_| TokenFacts {
        symbol: symbol.get().and_then(|answer| read_symbol(&answer)),
        decimals: decimals.get().and_then(|answer| read_decimals(&answer)),
    })
    .into()
}

/// A string, or the 32 bytes of old tokens; printable ASCII only, so that it cannot pose as something else.
fn read_symbol(answer: &[u8]) -> Option<String> {
    let text = match answer {
        word if word.len() == 32 => {
            let end = word.iter().position(|byte| *byte == 0).unwrap_or(32);
            String::from_utf8(word[..end].to_vec()).ok()?
        }
        _ => decode::loose_params::<(String,)>(answer).ok()?.0,
    };
    let is_symbol = |symbol: &str| {
        !symbol.is_empty() && symbol.len() <= LONGEST_SYMBOL && symbol.bytes().all(|byte| byte.is_ascii_graphic())
    };
    is_symbol(&text).then_some(text)
}

fn read_decimals(answer: &[u8]) -> Option<u8> {
    // More would be no token that anybody can count.
    let word = <[u8; 32]>::try_from(answer).ok().map(U256::from_be_bytes::<32>);
    word.and_then(|word| u8::try_from(word).ok()).filter(|decimals| *decimals <= 77)
}

/// An amount for people: in whole tokens where the decimals are known.
pub fn amount_words(amount: U256, token: Option<&TokenFacts>) -> String {
    if amount >= UNLIMITED {
        return "any amount".to_owned();
    }
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

/// An amount as it stands in a field.
pub fn amount_input(amount: U256, token: &TokenFacts) -> String {
    if amount >= UNLIMITED {
        return String::new();
    }
    DecimalText::from_units(amount, token.decimals.unwrap_or(0)).to_string()
}

/// Reads what was typed into such a field.
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
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::sol_types::SolValue;

    use super::*;

    #[test]
    fn symbols_are_read_in_both_spellings_and_only_when_they_can_be_symbols() {
        assert_eq!(read_symbol(&"USDC".abi_encode()), Some("USDC".into()));
        let mut old = [0; 32];
        old[..3].copy_from_slice(b"MKR");
        assert_eq!(read_symbol(&old), Some("MKR".into()));
        for text in ["", "a\u{202e}b", "your own account", "MUCHTOOLONGTOBEASYMBOL"] {
            assert_eq!(read_symbol(&text.abi_encode()), None, "{text}");
        }
        assert_eq!(read_symbol(&[1, 2, 3]), None);
    }

    #[test]
    fn amounts_go_to_text_and_back() {
        let facts = TokenFacts { symbol: Some("DUSD".into()), decimals: Some(6) };
        assert_eq!(amount_words(U256::from(2_500_000), Some(&facts)), "2.5 DUSD");
        assert_eq!(amount_words(U256::MAX, Some(&facts)), "any amount");
        assert_eq!(amount_words(U256::from(7), None), "7 of the smallest unit");
        assert_eq!(read_amount("2.5", &facts), Ok(U256::from(2_500_000)));
        assert_eq!(amount_input(U256::from(2_500_000), &facts), "2.5");
        assert!(read_amount("2.0000001", &facts).is_err());
        assert!(read_amount("-1", &facts).is_err());
        assert_eq!(read_decimals(&U256::from(18).to_be_bytes::<32>()), Some(18));
        assert_eq!(read_decimals(&U256::from(300).to_be_bytes::<32>()), None);
        assert_eq!(read_decimals(&[]), None);
    }
}
