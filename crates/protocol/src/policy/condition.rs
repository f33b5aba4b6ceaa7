//! Conditions on argument words (docs/protocol.md 3.3).

use alloy::primitives::B256;

use crate::ProtocolError;

/// How an argument word is compared with the reference word: as unsigned 256-bit numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Condition {
    /// Argument = reference (wire 0).
    Equal,
    /// Argument ≤ reference (wire 1).
    LessThanOrEqual,
    /// Argument < reference (wire 2).
    LessThan,
    /// Argument ≥ reference (wire 3).
    GreaterThanOrEqual,
    /// Argument > reference (wire 4).
    GreaterThan,
    /// Argument ≠ reference (wire 5).
    NotEqual,
}

impl Condition {
    const ALL: [Self; 6] = [
        Self::Equal,
        Self::LessThanOrEqual,
        Self::LessThan,
        Self::GreaterThanOrEqual,
        Self::GreaterThan,
        Self::NotEqual,
    ];

    /// The byte on the wire.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The condition with this byte; 6–255 are never true on chain and are `None`.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The condition with `@biconomy/use-aa`'s name, `LASS_THAN_OR_EQUAL` (its typo) and the right spelling alike.
    pub fn from_name(name: &str) -> Result<Self, ProtocolError> {
        match name {
            "EQUAL" => Ok(Self::Equal),
            "LESS_THAN_OR_EQUAL" | "LASS_THAN_OR_EQUAL" => Ok(Self::LessThanOrEqual),
            "LESS_THAN" => Ok(Self::LessThan),
            "GREATER_THAN_OR_EQUAL" => Ok(Self::GreaterThanOrEqual),
            "GREATER_THAN" => Ok(Self::GreaterThan),
            "NOT_EQUAL" => Ok(Self::NotEqual),
            other => Err(ProtocolError::invalid("condition", "EQUAL, LESS_THAN, …, NOT_EQUAL", other)),
        }
    }

    /// Does `argument` satisfy the condition?
    pub fn holds(self, argument: B256, reference: B256) -> bool {
        match self {
            Self::Equal => argument == reference,
            Self::LessThanOrEqual => argument <= reference,
            Self::LessThan => argument < reference,
            Self::GreaterThanOrEqual => argument >= reference,
            Self::GreaterThan => argument > reference,
            Self::NotEqual => argument != reference,
        }
    }

    /// In words, everywhere: between the name of an argument and the reference. Wallets sign texts made with them.
    pub fn words(self) -> &'static str {
        match self {
            Self::Equal => "must be",
            Self::LessThanOrEqual => "must be at most",
            Self::LessThan => "must be less than",
            Self::GreaterThanOrEqual => "must be at least",
            Self::GreaterThan => "must be greater than",
            Self::NotEqual => "must not be",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::U256;

    use super::*;

    #[test]
    fn conditions_compare_unsigned() {
        let word = |n: u64| B256::from(U256::from(n));
        let minus_one = B256::repeat_byte(0xff);
        assert!(Condition::GreaterThan.holds(minus_one, word(1)), "a negative number is a large one");
        for (code, truth) in [[false, true, false], [true, true, false], [true, false, false]]
            .into_iter()
            .chain([[false, true, true], [false, false, true], [true, false, true]])
            .zip([0, 1, 2, 3, 4, 5])
            .map(|(truth, code)| (code, truth))
        {
            let condition = Condition::from_code(code).unwrap();
            assert_eq!([1, 2, 3].map(|n| condition.holds(word(n), word(2))), truth, "{condition:?}");
            assert_eq!(condition.code(), code);
        }
        assert_eq!(Condition::from_code(6), None);
    }
}
