//! Conditions of the universal policy. Their numbers are not those of V2's module: never pass them through.

use alloy::primitives::{B256, U256};

use crate::policy::Condition;

/// How an argument word is compared with the reference, as unsigned 256-bit numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ParamCondition {
    /// Argument = reference (0).
    Equal,
    /// Argument > reference (1).
    GreaterThan,
    /// Argument < reference (2).
    LessThan,
    /// Argument ≥ reference (3).
    GreaterThanOrEqual,
    /// Argument ≤ reference (4).
    LessThanOrEqual,
    /// Argument ≠ reference (5).
    NotEqual,
    /// Between two numbers of 16 bytes, `min ‖ max`, both inside (6).
    InRange,
}

impl ParamCondition {
    const ALL: [Self; 7] = [
        Self::Equal,
        Self::GreaterThan,
        Self::LessThan,
        Self::GreaterThanOrEqual,
        Self::LessThanOrEqual,
        Self::NotEqual,
        Self::InRange,
    ];

    /// Its number on chain.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The condition with this number; the policy refuses 7 and more when it is set.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Does `argument` satisfy it?
    pub fn holds(self, argument: B256, reference: B256) -> bool {
        match self {
            Self::Equal => argument == reference,
            Self::GreaterThan => argument > reference,
            Self::LessThan => argument < reference,
            Self::GreaterThanOrEqual => argument >= reference,
            Self::LessThanOrEqual => argument <= reference,
            Self::NotEqual => argument != reference,
            Self::InRange => {
                let [low, high] = range(reference);
                let argument = U256::from_be_bytes(argument.0);
                low <= argument && argument <= high
            }
        }
    }

    /// The same as one condition of V2's or two.
    pub fn as_conditions(self, reference: B256) -> Vec<(Condition, B256)> {
        let one = |condition| vec![(condition, reference)];
        match self {
            Self::Equal => one(Condition::Equal),
            Self::GreaterThan => one(Condition::GreaterThan),
            Self::LessThan => one(Condition::LessThan),
            Self::GreaterThanOrEqual => one(Condition::GreaterThanOrEqual),
            Self::LessThanOrEqual => one(Condition::LessThanOrEqual),
            Self::NotEqual => one(Condition::NotEqual),
            Self::InRange => {
                let [low, high] = range(reference).map(B256::from);
                vec![(Condition::GreaterThanOrEqual, low), (Condition::LessThanOrEqual, high)]
            }
        }
    }
}

impl From<Condition> for ParamCondition {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Equal => Self::Equal,
            Condition::LessThanOrEqual => Self::LessThanOrEqual,
            Condition::LessThan => Self::LessThan,
            Condition::GreaterThanOrEqual => Self::GreaterThanOrEqual,
            Condition::GreaterThan => Self::GreaterThan,
            Condition::NotEqual => Self::NotEqual,
        }
    }
}

/// Lowest and highest of a range.
pub(super) fn range(reference: B256) -> [U256; 2] {
    let word = U256::from_be_bytes(reference.0);
    [word >> 128, word & U256::from(u128::MAX)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// Trap: 1 is "at most" there and "greater" here, 4 the other way round.
    #[test]
    fn numbers_differ_and_meanings_do_not() {
        let word = |number: u64| B256::from(U256::from(number));
        let mut moved = 0;
        for condition in (0..6).map(|code| Condition::from_code(code).unwrap()) {
            let here = ParamCondition::from(condition);
            moved += u8::from(here.code() != condition.code());
            for argument in [4, 5, 6].map(word).into_iter().chain([B256::repeat_byte(0xff)]) {
                assert_eq!(here.holds(argument, word(5)), condition.holds(argument, word(5)), "{condition:?}");
            }
            assert_eq!(here.as_conditions(word(5)), [(condition, word(5))]);
        }
        assert_eq!(moved, 2);
        assert_eq!(ParamCondition::from(Condition::LessThanOrEqual).code(), 4);
        assert_eq!(ParamCondition::from(Condition::GreaterThan).code(), 1);
        assert_eq!(ParamCondition::from_code(7), None);
        let reference = B256::from((U256::from(10) << 128) | U256::from(20));
        let both = ParamCondition::InRange.as_conditions(reference);
        for argument in [9, 10, 20, 21].map(word) {
            let expected = both.iter().all(|(condition, reference)| condition.holds(argument, *reference));
            assert_eq!(ParamCondition::InRange.holds(argument, reference), expected);
        }
    }
}
