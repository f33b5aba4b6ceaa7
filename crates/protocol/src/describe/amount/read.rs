//! Reading what a person typed as an amount. What can be read in two ways is asked again, never guessed.

use alloy::primitives::U256;

use super::TokenFacts;
use crate::{ProtocolError, foreign_text, paymaster::DecimalText};

/// Why a typed text is no amount; its words are for the person who typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableAmount {
    /// It is no number.
    #[error("“{typed}” is not an amount. Type a number such as 1.5 or 1,5.")]
    NotANumber {
        /// What was typed.
        typed: String,
    },
    /// It can be read in more than one way.
    #[error(
        "“{typed}” can be read in more than one way. Type it with one point or comma for the decimals and none for \
         thousands, such as 1000.5 or 1000,5."
    )]
    Ambiguous {
        /// What was typed.
        typed: String,
    },
    /// It has decimals where none can be.
    #[error("Type a whole number.")]
    NotWhole,
    /// It has more decimals than the unit.
    #[error("Type a number with at most {decimals} decimals, such as 1.5.")]
    TooPrecise {
        /// How many there may be.
        decimals: u8,
    },
    /// It is 2^256 smallest units or more.
    #[error("No amount is as high as that.")]
    TooLarge,
}

impl From<UnreadableAmount> for ProtocolError {
    fn from(error: UnreadableAmount) -> Self {
        let typed = match &error {
            UnreadableAmount::NotANumber { typed } | UnreadableAmount::Ambiguous { typed } => typed,
            _ => "another number",
        };
        let expected = match error {
            UnreadableAmount::NotANumber { .. } => "a number such as 1.5 or 1,5".to_owned(),
            UnreadableAmount::Ambiguous { .. } => {
                "one point or comma for the decimals and none for thousands, such as 1000.5 or 1000,5".to_owned()
            }
            UnreadableAmount::NotWhole => "a whole number".to_owned(),
            UnreadableAmount::TooPrecise { decimals } => format!("a number with at most {decimals} decimals"),
            UnreadableAmount::TooLarge => "less than 2^256 of the smallest unit".to_owned(),
        };
        Self::invalid("amount", expected, typed)
    }
}

/// Reads what was typed into a field that is labelled with [`TokenFacts::unit`].
///
/// Point and comma both begin the decimals. `1,000` may mean one or a thousand and is an error, as is whatever has more
/// than one of them; spaces between groups of three digits are read, as [`shown_amount`](super::shown_amount) sets them.
///
/// # Errors
/// When it is not one number that the unit can hold.
pub fn read_amount(typed: &str, token: &TokenFacts) -> Result<U256, UnreadableAmount> {
    let decimals = token.decimals.unwrap_or(0);
    let number = plain(typed)?.parse::<DecimalText>().map_err(|_| not_a_number(typed))?;
    number.units(decimals).map_err(|_| match (number.scaled_up(decimals), decimals) {
        (Err(_), _) => UnreadableAmount::TooLarge,
        (Ok(_), 0) => UnreadableAmount::NotWhole,
        (Ok(_), decimals) => UnreadableAmount::TooPrecise { decimals },
    })
}

/// The number with a point, or none, and without spaces.
fn plain(typed: &str) -> Result<String, UnreadableAmount> {
    let text = typed.trim().chars().map(ascii_digit).collect::<String>();
    if text.matches([',', '.']).count() > 1 {
        return Err(UnreadableAmount::Ambiguous { typed: quoted(typed) });
    }
    let (whole, fraction) = text.split_once([',', '.']).unwrap_or((&text, ""));
    let (whole_groups, fraction_groups) = (groups(whole), groups(fraction));
    if !is_grouped(&whole_groups, false) || !is_grouped(&fraction_groups, true) {
        return Err(not_a_number(typed));
    }
    let is_spaced = whole_groups.len() > 1 || fraction_groups.len() > 1;
    let could_be_thousands = matches!(whole.len(), 1..=3) && !whole.starts_with('0') && fraction.len() == 3;
    if text.contains(',') && !is_spaced && could_be_thousands {
        return Err(UnreadableAmount::Ambiguous { typed: quoted(typed) });
    }
    let point = if text.contains([',', '.']) { "." } else { "" };
    Ok([&whole_groups.concat(), point, &fraction_groups.concat()].concat())
}

fn groups(digits: &str) -> Vec<&str> {
    digits.split(char::is_whitespace).collect()
}

/// All groups have three digits, but the first of whole digits and the last of decimals may have fewer.
fn is_grouped(groups: &[&str], are_decimals: bool) -> bool {
    let last = groups.len() - 1;
    groups.iter().enumerate().all(|(place, group)| {
        let is_short_one = place == if are_decimals { last } else { 0 };
        last == 0 || group.len() == 3 || (is_short_one && (1..=2).contains(&group.len()))
    })
}

/// Digits and signs of the keypads that have no ASCII ones.
fn ascii_digit(character: char) -> char {
    let digit = |zero: char| char::from_digit(u32::from(character) - u32::from(zero), 10).unwrap_or(character);
    match character {
        '٠'..='٩' => digit('٠'),
        '۰'..='۹' => digit('۰'),
        '０'..='９' => digit('０'),
        '٫' | '．' => '.',
        '，' => ',',
        other => other,
    }
}

fn not_a_number(typed: &str) -> UnreadableAmount {
    UnreadableAmount::NotANumber { typed: quoted(typed) }
}

fn quoted(typed: &str) -> String {
    foreign_text::isolated(&foreign_text::cleaned(typed, 40))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(typed: &str) -> Result<U256, UnreadableAmount> {
        read_amount(typed, &TokenFacts { symbol: None, decimals: Some(6) })
    }

    #[test]
    fn comma_and_point_begin_the_decimals() {
        for typed in ["2.5", "2,5", " 2,50 ", "2.500000", "٢٫٥", "۲٫۵", "２．５", "02,5"] {
            assert_eq!(read(typed), Ok(U256::from(2_500_000)), "{typed}");
        }
        for (typed, units) in [
            ("0,125", 125_000_u64),
            (",5", 500_000),
            ("1000,5", 1_000_500_000),
            ("1234,567", 1_234_567_000),
            ("2.125", 2_125_000),
            ("1 000", 1_000_000_000),
            ("10\u{202f}000.000\u{a0}001", 10_000_000_001),
            ("1 000,500", 1_000_500_000),
            ("0", 0),
            ("5.", 5_000_000),
        ] {
            assert_eq!(read(typed), Ok(U256::from(units)), "{typed}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_asked_again() {
        for typed in ["1,000", "12,500", "999,999", "1.000,5", "1,000.5", "1,000,000", "1.000.000", "1,2,3"] {
            let error = read(typed).map_err(|error| (error.clone(), error.to_string()));
            let said = format!("“{typed}” can be read in more than one way.");
            let is_asked = |(error, words): &(UnreadableAmount, String)| {
                matches!(error, UnreadableAmount::Ambiguous { .. })
                    && words.starts_with(&said)
                    && words.contains("1000.5")
            };
            assert!(error.as_ref().is_err_and(is_asked), "{typed}: {error:?}");
        }
    }

    #[test]
    fn other_texts_say_what_is_wrong_with_them() {
        for typed in
            ["", " ", ".", ",", "-1", "+1", "1 00", "1 0000", "1  000", "2.5 DUSD", "1'000", "0x10", "1e", "1_0"]
        {
            assert!(matches!(read(typed), Err(UnreadableAmount::NotANumber { .. })), "{typed}: {:?}", read(typed));
        }
        assert_eq!(read("2.0000001"), Err(UnreadableAmount::TooPrecise { decimals: 6 }));
        assert_eq!(read_amount("1,5", &TokenFacts::default()), Err(UnreadableAmount::NotWhole));
        assert_eq!(read(&"9".repeat(77)), Err(UnreadableAmount::TooLarge));
        assert!(read(&"9".repeat(90)).is_err());
        // What is quoted cannot rearrange the sentence.
        let words = read("1\u{202e}2").map_err(|error| error.to_string());
        assert!(words.as_ref().is_err_and(|words| words.starts_with("“12” is not")), "{words:?}");
        let error = ProtocolError::from(UnreadableAmount::Ambiguous { typed: "1,000".into() });
        assert!(error.to_string().contains("1000.5") && error.to_string().ends_with("got 1,000"), "{error}");
    }
}
