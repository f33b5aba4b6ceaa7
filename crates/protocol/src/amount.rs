//! Amounts of the native token as people write them: `0.05 ether`, `30 gwei`, `21000 wei`, `21000`.

use alloy::primitives::{U256, utils::parse_units};

/// What [`parse`] accepts, for messages.
pub const EXPECTED: &str = "wei, or a number with a unit, such as \"0.05 ether\" or \"30 gwei\"";

/// Reads an amount, wei; a bare number is wei. `None` for anything else, for negative ones and for more digits than
/// the unit has.
pub fn parse(text: &str) -> Option<U256> {
    let text = text.trim();
    let (number, unit) = match text.split_once(char::is_whitespace) {
        Some((number, unit)) => (number, unit.trim().to_ascii_lowercase()),
        None => (text, "wei".to_owned()),
    };
    let decimals: u8 = match unit.as_str() {
        "wei" => 0,
        "gwei" => 9,
        "ether" | "eth" => 18,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    // `parse_units` cuts surplus digits off, and reads signs and underscores.
    let plain =
        !whole.is_empty() && digits(whole) && digits(fraction) && number.ends_with(|c: char| c.is_ascii_digit());
    if !plain || fraction.len() > usize::from(decimals) {
        return None;
    }
    parse_units(number, decimals).ok().map(|amount| amount.get_absolute())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units() {
        assert_eq!(parse("0.05 ether"), Some(U256::from(50_000_000_000_000_000u64)));
        assert_eq!(parse(" 30  Gwei "), Some(U256::from(30_000_000_000u64)));
        assert_eq!(parse("1.000000001 gwei"), Some(U256::from(1_000_000_001u64)));
        assert_eq!(parse("21000"), Some(U256::from(21_000)));
        assert_eq!(parse("0"), Some(U256::ZERO));
    }

    #[test]
    fn what_is_no_amount() {
        for wrong in [
            "",
            "ether",
            "-1",
            "+1",
            "1.5",
            "1.5 wei",
            "1e18",
            "0x10",
            "1_000",
            ".5 ether",
            "1. ether",
            "1.2.3 ether",
            "1 dollar",
            "0.0000000001 gwei",
            "1 ether more",
            "99999999999999999999999999999999999999999999999999999999999999999999999999999 ether",
        ] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn wei_reads_back(amount in any::<[u8; 32]>()) {
            let amount: U256 = U256::from_be_bytes(amount) >> 1_usize;
            prop_assert_eq!(parse(&amount.to_string()), Some(amount));
        }
    }
}
