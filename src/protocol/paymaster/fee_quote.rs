//! Fee quotes of `pm_getFeeQuoteOrData` (SPEC 5.4).

use std::{fmt, str::FromStr};

use alloy::primitives::{Address, U256};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::protocol::ProtocolError;

/// A decimal number exactly as it was written: `0.125331`, `1e-7`. Never a float.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DecimalText {
    /// All digits without point or leading zeros.
    digits: U256,
    /// The number is `digits · 10^exponent`.
    exponent: i32,
    text: String,
}

impl DecimalText {
    /// `ceil(self · 10^decimals)`, exact; an error when it does not fit 256 bits.
    pub fn scaled_up(&self, decimals: u8) -> Result<U256, ProtocolError> {
        let too_large = || ProtocolError::invalid("maxGasFee", "an amount below 2^256 units", &self.text);
        if self.digits.is_zero() {
            return Ok(U256::ZERO);
        }
        let exponent = self.exponent.saturating_add(i32::from(decimals));
        let power = U256::from(10).checked_pow(U256::from(exponent.unsigned_abs()));
        match (exponent >= 0, power) {
            (true, Some(power)) => self.digits.checked_mul(power).ok_or_else(too_large),
            (true, None) => Err(too_large()),
            (false, Some(power)) => Ok(self.digits.div_ceil(power)),
            (false, None) => Ok(U256::ONE), // far below one unit, rounded up
        }
    }
}

impl FromStr for DecimalText {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        let invalid = || ProtocolError::invalid("maxGasFee", "a decimal number, not negative", text);
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| invalid())?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        let shift = i32::try_from(fraction.len()).map_err(|_| invalid())?;
        Ok(Self {
            digits: U256::from_str_radix(&digits, 10).map_err(|_| invalid())?,
            exponent: exponent.checked_sub(shift).ok_or_else(invalid)?,
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for DecimalText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Serialize for DecimalText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for DecimalText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What gas would cost in one token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FeeQuote {
    /// Symbol of the token.
    pub symbol: String,
    /// The token.
    pub token_address: Address,
    /// Its decimals.
    pub decimal: u8,
    /// Most that is charged, in **whole tokens** (the seed's comment says wei; it is not).
    pub max_gas_fee: DecimalText,
    /// The same in US dollars.
    #[serde(rename = "maxGasFeeUSD", default, skip_serializing_if = "Option::is_none")]
    pub max_gas_fee_usd: Option<DecimalText>,
    /// Markup in percent; number or text on the wire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub premium_percentage: Option<DecimalText>,
    /// Picture of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
}
