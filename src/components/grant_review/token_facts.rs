//! Symbol and decimals of a token, as its contract tells them.

use alloy::primitives::{Address, Bytes, U256};
use leptos::prelude::*;

use crate::{
    hooks::use_read_contract,
    protocol::{abi::decode, addresses::DEMO_TOKEN, describe::TokenFacts},
};

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
    Memo::new(move |_| {
        let symbol = symbol.get().and_then(|answer| read_symbol(&answer));
        let decimals = decimals.get().and_then(|answer| read_decimals(&answer));
        TokenFacts::told_by(contract, symbol.as_deref(), decimals)
    })
    .into()
}

/// A string, or the 32 bytes of old tokens. Anything may be in it: [`TokenFacts::told_by`] makes it fit to be shown.
fn read_symbol(answer: &[u8]) -> Option<String> {
    match answer {
        word if word.len() == 32 => {
            let end = word.iter().position(|byte| *byte == 0).unwrap_or(32);
            String::from_utf8(word[..end].to_vec()).ok()
        }
        _ => decode::loose_params::<(String,)>(answer).ok().map(|(text,)| text),
    }
}

fn read_decimals(answer: &[u8]) -> Option<u8> {
    let word = <[u8; 32]>::try_from(answer).ok().map(U256::from_be_bytes::<32>);
    word.and_then(|word| u8::try_from(word).ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::sol_types::SolValue;

    use super::*;

    #[test]
    fn symbols_are_read_in_both_spellings_whatever_they_say() {
        assert_eq!(read_symbol(&"USDC".abi_encode()), Some("USDC".into()));
        let mut old = [0; 32];
        old[..3].copy_from_slice(b"MKR");
        assert_eq!(read_symbol(&old), Some("MKR".into()));
        assert_eq!(read_symbol(&"USD₮0".abi_encode()), Some("USD₮0".into()));
        assert_eq!(read_symbol(&[1, 2, 3]), None);
    }

    #[test]
    fn decimals_are_those_that_can_be_counted_with() {
        assert_eq!(read_decimals(&U256::from(18).to_be_bytes::<32>()), Some(18));
        assert_eq!(read_decimals(&U256::from(300).to_be_bytes::<32>()), None);
        assert_eq!(read_decimals(&[]), None);
    }
}
