//! [`TokenFacts`]: what a token says about itself.

use alloy::primitives::Address;

use crate::foreign_text::{LONGEST_SYMBOL, cleaned, isolated};

/// What amounts are counted in where a token names its decimals and not itself.
pub(super) const WHOLE_TOKENS: &str = "tokens";
/// More decimals would be no token that anybody can count: 10^78 does not fit.
const MOST_DECIMALS: u8 = 77;

/// What a token says about itself. Anybody can write a contract that says anything: names are shown beside the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenFacts {
    /// What is written behind its amounts: its symbol where that is plain, else the symbol in quotation marks and the
    /// token's address. See [`Self::told_by`].
    pub symbol: Option<String>,
    /// Decimals of its smallest unit.
    pub decimals: Option<u8>,
}

impl TokenFacts {
    /// What the contract at this address answered. A symbol that is not plain ASCII, or that begins like a number, could
    /// pose as another one or as part of the amount: it stands in quotation marks, beside the address.
    pub fn told_by(token: Address, symbol: Option<&str>, decimals: Option<u8>) -> Self {
        let symbol = symbol.and_then(|symbol| {
            if is_plain(symbol) {
                return Some(symbol.to_owned());
            }
            let clean = cleaned(&symbol.replace(['“', '”', '"', '(', ')'], ""), LONGEST_SYMBOL);
            let shown = || ["“", &isolated(&clean), "” (token ", &token.to_string(), ")"].concat();
            (!clean.is_empty()).then(shown)
        });
        Self { symbol, decimals: decimals.filter(|decimals| *decimals <= MOST_DECIMALS) }
    }

    /// The chain's currency, which has no address: a symbol that is not plain is left out.
    pub fn native(symbol: &str, decimals: u8) -> Self {
        let symbol = is_plain(symbol).then(|| symbol.to_owned());
        Self { symbol: symbol.or_else(|| Some("native currency".to_owned())), decimals: Some(decimals) }
    }

    /// What a number in a field counts: just what [`read_amount`](super::read_amount) reads it as.
    pub fn unit(&self) -> String {
        match (self.decimals, self.symbol.as_deref()) {
            (Some(_), symbol) => symbol.unwrap_or(WHOLE_TOKENS).to_owned(),
            (None, Some(symbol)) => ["smallest units of ", symbol].concat(),
            (None, None) => "smallest units".to_owned(),
        }
    }
}

/// A letter, then letters, digits and what symbols have between them.
fn is_plain(symbol: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+$".contains(&byte);
    symbol.len() <= LONGEST_SYMBOL
        && symbol.starts_with(|first: char| first.is_ascii_alphabetic())
        && symbol.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Address = Address::repeat_byte(0xab);

    fn symbol(symbol: &str) -> Option<String> {
        TokenFacts::told_by(TOKEN, Some(symbol), Some(6)).symbol
    }

    #[test]
    fn a_symbol_that_is_not_plain_stands_beside_its_address() {
        for plain in ["USDC", "aUSDC-v2", "USDC.e", "wstETH"] {
            assert_eq!(symbol(plain).as_deref(), Some(plain));
        }
        let beside = |shown: &str| Some(format!("“{shown}” (token {TOKEN})"));
        assert_eq!(symbol("USD₮0"), beside("USD₮0"));
        assert_eq!(symbol("000"), beside("000"), "behind 10 it would read 10 000");
        assert_eq!(symbol("1INCH"), beside("1INCH"));
        assert_eq!(symbol("US\u{200b}DC"), beside("USDC"), "not what it poses as");
        assert_eq!(symbol("your own account"), beside("your own account"));
        assert_eq!(symbol("x” (token 0x12"), beside("x token 0x12"), "it cannot end its quotation marks");
        assert_eq!(symbol("שקל 1"), beside("\u{2068}שקל 1\u{2069}"));
        assert_eq!(symbol(&"LONG".repeat(50)), beside(&"LONG".repeat(5)));
        for nothing in ["", " ", "\u{202e}\u{3164}", "“”"] {
            assert_eq!(symbol(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn labels_say_what_is_read() {
        let facts = |symbol, decimals| TokenFacts::told_by(TOKEN, symbol, decimals);
        assert_eq!(facts(Some("USD₮0"), Some(6)).unit(), format!("“USD₮0” (token {TOKEN})"));
        assert_eq!(facts(None, Some(6)).unit(), "tokens");
        assert_eq!(facts(Some("USDC"), None).unit(), "smallest units of USDC");
        assert_eq!(facts(None, Some(200)).unit(), "smallest units");
        assert_eq!(TokenFacts::native("POL", 18).unit(), "POL");
        assert_eq!(TokenFacts::native("E\u{202e}TH", 18).unit(), "native currency");
    }
}
