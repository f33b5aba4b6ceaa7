//! Numbers as upstreams write them: hex strings, decimal strings, JSON numbers (docs/protocol.md 4.2, 4.4, 10-C6).

use alloy::primitives::U256;
use serde_json::Value;

/// Reads a quantity. Fractions, signs and anything beyond 256 bits are refused; so are JSON numbers
/// that had to become floats, because their digits are lost.
pub(super) fn quantity(value: &Value) -> Option<U256> {
    match value {
        Value::Number(number) => number.as_u64().map(U256::from),
        Value::String(text) => match text.trim() {
            // What some write for nothing.
            "0x" | "0X" => Some(U256::ZERO),
            text => use_aa_protocol::quantity::parse(text),
        },
        _ => None,
    }
}

/// A quantity that fits 64 bits.
pub(super) fn small(value: &Value) -> Option<u64> {
    quantity(value)?.try_into().ok()
}

/// A truth value: `true`, `"true"`, `1`, `"0x1"` and their opposites.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        other => match small(other)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn every_spelling_of_a_number_is_read() {
        for value in [json!("0x2a"), json!("0x002A"), json!("42"), json!(42), json!(" 42 ")] {
            assert_eq!(quantity(&value), Some(U256::from(42)), "{value}");
        }
        assert_eq!(quantity(&json!("0x")), Some(U256::ZERO));
        assert_eq!(quantity(&json!(9_007_199_254_740_993u64)), Some(U256::from(9_007_199_254_740_993u64)));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        let too_wide = format!("0x1{}", "0".repeat(64));
        for value in [
            json!(-1),
            json!(1.5),
            json!(1e30),
            json!("0xzz"),
            json!("0x1_0"),
            json!(""),
            json!("1_0"),
            json!(null),
            json!([]),
        ]
        .into_iter()
        .chain([json!(too_wide)])
        {
            assert_eq!(quantity(&value), None, "{value}");
        }
        assert_eq!(small(&json!("0x10000000000000000")), None);
    }

    #[test]
    fn success_may_be_a_string() {
        assert_eq!(truth(&json!("true")), Some(true));
        assert_eq!(truth(&json!("FALSE")), Some(false));
        assert_eq!(truth(&json!("0x1")), Some(true));
        assert_eq!(truth(&json!(false)), Some(false));
        assert_eq!(truth(&json!("yes")), None);
        assert_eq!(truth(&json!(2)), None);
    }
}
