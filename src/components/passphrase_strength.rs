//! How hard a passphrase is to guess, roughly and in words.

use crate::hooks::SHORTEST_PASSPHRASE;

/// Rough strength. It knows no dictionary, so it errs on the kind side; the words beside it ask for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// Refused.
    TooShort,
    /// Guessed by a determined person.
    Weak,
    /// Guessed with much money.
    Fair,
    /// Not guessed.
    Strong,
}

/// A kind of characters and how many there are.
type Kind = (fn(&char) -> bool, f64);

impl Strength {
    /// Of a passphrase: each character counts by the kinds of characters used, a repeated one little.
    pub fn of(passphrase: &str) -> Self {
        let letters = passphrase.chars().collect::<Vec<_>>();
        if letters.len() < SHORTEST_PASSPHRASE {
            return Self::TooShort;
        }
        let kinds: [Kind; 5] = [
            (char::is_ascii_lowercase, 26.0),
            (char::is_ascii_uppercase, 26.0),
            (char::is_ascii_digit, 10.0),
            (|letter| letter.is_ascii() && !letter.is_ascii_alphanumeric(), 33.0),
            (|letter| !letter.is_ascii(), 100.0),
        ];
        let pool = kinds.iter().filter(|(kind, _)| letters.iter().any(kind)).map(|(_, size)| size).sum::<f64>();
        let mut distinct = letters.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let repeated = letters.len() - distinct.len();
        let count = |number: usize| u32::try_from(number).map_or(f64::MAX, f64::from);
        let bits = (count(distinct.len()) + 0.3 * count(repeated)) * pool.log2();
        match bits {
            ..55.0 => Self::Weak,
            55.0..80.0 => Self::Fair,
            _ => Self::Strong,
        }
    }

    /// For `data-strength`.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooShort => "too-short",
            Self::Weak => "weak",
            Self::Fair => "fair",
            Self::Strong => "strong",
        }
    }

    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Self::TooShort => "Too short. It needs at least 10 characters; four or more unrelated words are best.",
            Self::Weak => "Weak. Whoever gets the file could guess it. Add a few unrelated words.",
            Self::Fair => "Fair. Another word or two would make it strong.",
            Self::Strong => "Strong, if it is not a quotation and used nowhere else.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Strength;

    #[test]
    fn longer_and_more_varied_is_stronger() {
        for (passphrase, strength) in [
            ("", Strength::TooShort),
            ("Ab1!Ab1!x", Strength::TooShort),
            ("aaaaaaaaaaaaaaaa", Strength::Weak),
            ("1234567890", Strength::Weak),
            ("correct horse", Strength::Fair),
            ("correct horse battery staple", Strength::Strong),
        ] {
            assert_eq!(Strength::of(passphrase), strength, "{passphrase}");
        }
        assert!(Strength::TooShort.text().contains(&crate::hooks::SHORTEST_PASSPHRASE.to_string()));
    }
}
