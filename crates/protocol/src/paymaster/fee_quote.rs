//! Fee quotes of `pm_getFeeQuoteOrData` (docs/protocol.md 5.4).

use alloy::primitives::Address;
use serde::{Deserialize, Deserializer, Serialize};

use super::DecimalText;
use crate::{
    describe::{TokenFacts, exact_amount_words},
    foreign_text::{LONGEST_SYMBOL, cleaned},
};

/// What gas would cost in one token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeeQuote {
    /// Symbol of the token, as far as it can be shown ([`foreign_text`](crate::foreign_text)).
    #[serde(deserialize_with = "symbol")]
    pub symbol: String,
    /// The token.
    pub token_address: Address,
    /// Its decimals.
    pub decimal: u8,
    /// Most that is charged, in **whole tokens** (`@biconomy/use-aa`'s comment says wei; it is not).
    pub max_gas_fee: DecimalText,
    /// The same in US dollars.
    #[serde(rename = "maxGasFeeUSD", default, skip_serializing_if = "Option::is_none")]
    pub max_gas_fee_usd: Option<DecimalText>,
    /// The fee for typical use, in whole tokens, as some services tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_payment: Option<DecimalText>,
    /// Price of one whole native token (1e18 wei), in the token's smallest units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_rate: Option<DecimalText>,
    /// Markup in percent; number or text on the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub premium_percentage: Option<DecimalText>,
    /// Picture of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
    /// Until when the quote holds, unix seconds (read from milliseconds, too, which `@biconomy/use-aa`'s text speaks of).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "seconds")]
    pub valid_until: Option<u64>,
}

fn symbol<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    String::deserialize(deserializer).map(|symbol| cleaned(&symbol, LONGEST_SYMBOL))
}

/// Anything above is milliseconds: as seconds it would be the year 5138.
const LATEST_SECOND: u64 = 100_000_000_000;

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let number = match Option::<serde_json::Value>::deserialize(deserializer)? {
        None | Some(serde_json::Value::Null) => return Ok(None),
        Some(serde_json::Value::String(text)) => text.trim().parse().ok(),
        Some(other) => other.as_u64(),
    };
    let number: u64 = number.ok_or_else(|| serde::de::Error::custom("validUntil: expected unix seconds"))?;
    Ok(Some(if number > LATEST_SECOND { number / 1_000 } else { number }))
}

impl FeeQuote {
    /// How amounts of the token are shown.
    pub fn facts(&self) -> TokenFacts {
        TokenFacts::told_by(self.token_address, Some(&self.symbol), Some(self.decimal))
    }

    /// The most that is charged, in words; as it was written where it is no number of the token.
    pub fn most_words(&self) -> String {
        match self.max_gas_fee.scaled_up(self.decimal) {
            Ok(units) => exact_amount_words(units, &self.facts()),
            Err(_) => [&cleaned(&self.max_gas_fee.to_string(), 80), " ", &self.facts().unit()].concat(),
        }
    }
}

/// What the paymaster offers for one operation (`pm_getFeeQuoteOrData`, mode ERC20).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeeQuotes {
    /// The contract that takes the fee: whom to approve.
    pub token_paymaster_address: Address,
    /// One quote per token that was asked for and is taken.
    pub fee_quotes: Vec<FeeQuote>,
    /// Tokens that were asked for and are not taken.
    #[serde(default)]
    pub unsupported_tokens: Vec<Address>,
}

impl FeeQuotes {
    /// The quote in this token.
    pub fn of(&self, token: Address) -> Option<&FeeQuote> {
        self.fee_quotes.iter().find(|quote| quote.token_address == token)
    }
}

/// What quotes are asked for (second parameter of `pm_getFeeQuoteOrData`, docs/protocol.md 5.4).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FeeQuotesRequest {
    /// Tokens to quote; empty = all that the paymaster takes.
    pub token_list: Vec<Address>,
    /// The only token to quote; comes before the list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_token: Option<Address>,
    /// How long the quotes shall hold, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry_duration: Option<u64>,
    /// Passed on to the dapp's webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_data: Option<serde_json::Value>,
}

impl FeeQuotesRequest {
    /// The tokens to quote; empty = all.
    pub fn tokens(&self) -> &[Address] {
        match &self.preferred_token {
            Some(token) => std::slice::from_ref(token),
            None => &self.token_list,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    fn quote(valid_until: serde_json::Value) -> Result<FeeQuote, serde_json::Error> {
        serde_json::from_value(json!({
            "symbol": "T", "tokenAddress": Address::repeat_byte(1), "decimal": 6, "maxGasFee": 0.25,
            "exchangeRate": "2000000000", "validUntil": valid_until,
        }))
    }

    #[test]
    fn the_end_is_read_from_seconds_and_milliseconds() {
        let end = |value| quote(value).unwrap().valid_until;
        assert_eq!(end(json!(1_700_000_300)), Some(1_700_000_300));
        assert_eq!(end(json!(1_700_000_300_500_u64)), Some(1_700_000_300));
        assert_eq!(end(json!("1700000300")), Some(1_700_000_300));
        assert_eq!(end(json!(null)), None);
        assert!(quote(json!("soon")).is_err());
        assert!(quote(json!(-1)).is_err());
    }

    #[test]
    fn the_preferred_token_is_the_only_one() {
        let (one, two) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let list = FeeQuotesRequest { token_list: vec![one], ..Default::default() };
        assert_eq!(list.tokens(), [one]);
        let preferred = FeeQuotesRequest { preferred_token: Some(two), ..list };
        assert_eq!(preferred.tokens(), [two]);
        assert!(FeeQuotesRequest::default().tokens().is_empty());
    }
}
