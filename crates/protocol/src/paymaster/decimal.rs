//! Decimal numbers that keep every digit.

use std::{fmt, str::FromStr};

use alloy::primitives::U256;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ProtocolError;

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
    /// `units · 10^-decimals`, without trailing zeros: 125331 units of a token with 6 decimals are `0.125331`.
    pub fn from_units(units: U256, decimals: u8) -> Self {
        let digits = units.to_string();
        let places = usize::from(decimals);
        let padded = format!("{digits:0>width$}", width = places + 1);
        let (whole, fraction) = padded.split_at(padded.len() - places);
        let fraction = fraction.trim_end_matches('0');
        let text = if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") };
        Self { digits: units, exponent: -i32::from(decimals), text }
    }

    /// `self · 10^decimals`, when that is a whole number below 2^256.
    pub fn units(&self, decimals: u8) -> Result<U256, ProtocolError> {
        let places = self.exponent.saturating_add(i32::from(decimals)).min(0).unsigned_abs();
        let power = U256::from(10).checked_pow(U256::from(places));
        if self.digits.is_zero() || power.is_some_and(|power| (self.digits % power).is_zero()) {
            return self.scaled_up(decimals);
        }
        Err(ProtocolError::invalid("amount", format!("a number with at most {decimals} decimals"), &self.text))
    }

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn units_are_written_and_read_back_exactly() {
        let cases = [
            (125_331, 6, "0.125331"),
            (1, 6, "0.000001"),
            (2_500_000, 6, "2.5"),
            (3_000_000, 6, "3"),
            (0, 18, "0"),
            (1_234, 0, "1234"),
        ];
        for (units, decimals, text) in cases {
            let number = DecimalText::from_units(U256::from(units), decimals);
            assert_eq!(number.to_string(), text);
            assert_eq!(text.parse::<DecimalText>().unwrap().scaled_up(decimals).unwrap(), U256::from(units));
            assert_eq!(number.scaled_up(decimals).unwrap(), U256::from(units));
        }
        let exact = |text: &str| text.parse::<DecimalText>().unwrap().units(6);
        assert_eq!(exact("1.50"), Ok(U256::from(1_500_000)));
        assert_eq!(exact("0"), Ok(U256::ZERO));
        assert!(exact("0.0000001").is_err() && exact("1.0000005").is_err());
        assert!(exact("1.00000095").is_err(), "the seventh decimal rounds up to ten");
        // where doubles are no longer exact (docs/protocol.md 10-S21)
        let large = U256::from(123_456_789_000_000_000_000_001_u128);
        assert_eq!(DecimalText::from_units(large, 18).to_string(), "123456.789000000000000001");
        assert_eq!(DecimalText::from_units(U256::MAX, 77).scaled_up(77).unwrap(), U256::MAX);
    }
}
