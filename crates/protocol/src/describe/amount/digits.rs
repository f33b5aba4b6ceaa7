//! Digits in groups, so that long numbers differ at a glance.

use alloy::primitives::U256;

use crate::paymaster::DecimalText;

/// Between groups of digits: narrow, and no place to break a line.
const GAP: char = '\u{202f}';
/// Numbers with more whole digits than these say how many there are.
const COUNTED_AT_A_GLANCE: usize = 15;

/// `units · 10^-decimals` in groups of three digits where there are many: `10 000 000.5`.
/// [`read_amount`](super::read_amount) reads it back.
pub fn shown_amount(units: U256, decimals: u8) -> String {
    let plain = DecimalText::from_units(units, decimals).to_string();
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let mut text = String::with_capacity(plain.len() * 2);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && whole.len() > 4 && (whole.len() - place).is_multiple_of(3) {
            text.push(GAP);
        }
        text.push(digit);
    }
    for (place, digit) in fraction.chars().enumerate() {
        match place {
            0 => text.push('.'),
            place if fraction.len() > 6 && place.is_multiple_of(3) => text.push(GAP),
            _ => {}
        }
        text.push(digit);
    }
    text
}

/// As [`shown_amount`], with the power of ten behind it where nobody counts the digits: 10^18 and 10^24 look alike.
pub(in crate::describe) fn number_words(units: U256, decimals: u8) -> String {
    let shown = shown_amount(units, decimals);
    let digits = units.to_string();
    let power = match digits.len().checked_sub(usize::from(decimals) + 1) {
        Some(power) if power >= COUNTED_AT_A_GLANCE => power.to_string(),
        _ => return shown,
    };
    let (first, rest) = digits.split_at(1);
    let rest = rest.trim_end_matches('0');
    let size = match (first, rest) {
        ("1", "") => ["10^", &power].concat(),
        (_, "") => [first, " × 10^", &power].concat(),
        _ => ["about ", first, ".", rest.get(..1).unwrap_or_default(), " × 10^", &power].concat(),
    };
    [&shown, " (", &size, ")"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: String) -> String {
        text.replace(GAP, "_")
    }

    #[test]
    fn long_numbers_are_grouped_and_short_ones_are_not() {
        for (units, decimals, text) in [
            (2_500_000_u128, 6, "2.5"),
            (1_234_000_000, 6, "1234"),
            (12_345_000_000, 6, "12_345"),
            (125_331, 6, "0.125331"),
            (1, 18, "0.000_000_000_000_000_001"),
            (1_000_000_000_000_000_000_000, 0, "1_000_000_000_000_000_000_000"),
        ] {
            assert_eq!(plain(shown_amount(U256::from(units), decimals)), text);
        }
    }

    #[test]
    fn powers_of_ten_differ_at_a_glance() {
        let words = |units: u128, decimals| plain(number_words(U256::from(units), decimals));
        assert_eq!(words(10_u128.pow(18), 0), "1_000_000_000_000_000_000 (10^18)");
        assert!(words(10_u128.pow(24), 0).ends_with("_000 (10^24)"));
        assert!(words(2 * 10_u128.pow(24), 6).ends_with("_000 (2 × 10^18)"));
        assert!(words(u128::MAX, 18).ends_with("(about 3.4 × 10^20)"));
        assert_eq!(words(10_u128.pow(18), 18), "1");
        assert_eq!(words(999_999_999_999_999, 0), "999_999_999_999_999");
    }
}
