//! JSON quantities: out as minimal hex, in as hex string, decimal string or number (docs/protocol.md 2.4, 4.1).

use std::fmt;

use alloy::primitives::U256;
use serde::{
    Deserializer, Serializer,
    de::{Error, Visitor},
};

/// Parses `0x…` hex or decimal digits. No sign, no underscore, no empty string, at most 2^256 − 1.
pub fn parse(text: &str) -> Option<U256> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    U256::from_str_radix(digits, u64::from(radix)).ok()
}

/// Writes minimal hex: `0x0`, `0x1f`.
pub fn serialize<S: Serializer>(value: &U256, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{value:#x}"))
}

/// Reads hex, decimal text or an integer number; a fraction or a negative number is an error.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
    deserializer.deserialize_any(QuantityVisitor)
}

struct QuantityVisitor;

impl Visitor<'_> for QuantityVisitor {
    type Value = U256;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a quantity below 2^256: 0x-hex, decimal digits or a whole number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<U256, E> {
        parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<U256, E> {
        Ok(U256::from(number))
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<U256, E> {
        Ok(U256::from(number))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn hex_and_decimal_are_read_anything_else_is_not() {
        assert_eq!(parse("0x10"), Some(U256::from(16)));
        assert_eq!(parse("10"), Some(U256::from(10)));
        assert_eq!(parse(&format!("{:#x}", U256::MAX)), Some(U256::MAX));
        for bad in ["", "0x", "-1", "+1", "1_0", "1.5", "1e18", "0xg", " 1", "0x1 "] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
        assert_eq!(parse(&format!("0x1{}", "0".repeat(64))), None, "2^256");
    }
}
