//! Rules on arguments by their names.

use alloy::primitives::U256;

use super::{FunctionSelector, ReferenceValue, declaration::Declaration};
use crate::ProtocolError;

impl FunctionSelector {
    /// Where the argument of this name begins, bytes after the selector; it takes this value.
    pub(super) fn offset_of(&self, argument: &str, value: &ReferenceValue) -> Result<u32, ProtocolError> {
        let field = || ["rules.", argument].concat();
        let words = match self {
            Self::Raw(_) => Vec::new(),
            Self::Signature(text) if text.starts_with("0x") => Vec::new(),
            Self::Signature(text) => Declaration::parse(text)?.named_words(),
        };
        let Some(word) = words.iter().find(|word| word.path == argument) else {
            let names = words.iter().map(|word| word.path.as_str()).collect::<Vec<_>>().join(", ");
            let expected = match names.as_str() {
                "" => "a signature with names, such as transfer(address to, uint256 amount)".to_owned(),
                names => ["one of: ", names].concat(),
            };
            return Err(ProtocolError::invalid(field(), expected, argument));
        };
        match value.is_of(&word.kind) {
            true => Ok(word.offset),
            false => Err(ProtocolError::invalid(field(), &word.kind, value.kind_words())),
        }
    }

    /// The names of the arguments that a rule can look at, with their places, bytes after the selector: the app's words,
    /// which the selector does not cover.
    pub(crate) fn argument_names(&self) -> Vec<(u32, String)> {
        let Self::Signature(text) = self else { return Vec::new() };
        let words = Declaration::parse(text).map(|declaration| declaration.named_words()).unwrap_or_default();
        words.into_iter().map(|word| (word.offset, word.path)).collect()
    }
}

impl ReferenceValue {
    /// Whether an argument of this type (its canonical name) can have the value.
    fn is_of(&self, kind: &str) -> bool {
        let size = |prefix: &str| kind.strip_prefix(prefix).and_then(|size| size.parse::<usize>().ok());
        match self {
            Self::Raw(_) => true,
            Self::Address(_) => kind == "address",
            Self::Bool(_) => kind == "bool",
            Self::Uint(number) => size("uint").is_some_and(|bits| number.bit_len() <= bits),
            Self::Int(number) if number.is_negative() => {
                let magnitude = (!number.into_raw()).wrapping_add(U256::ONE);
                size("int").is_some_and(|bits| magnitude <= U256::ONE << bits.saturating_sub(1))
            }
            Self::Int(number) => size("int").is_some_and(|bits| number.into_raw().bit_len() < bits),
            Self::BytesN(bytes) => size("bytes").is_some_and(|size| bytes.len() <= size),
        }
    }

    fn kind_words(&self) -> String {
        match self {
            Self::Address(address) => ["the address ", &address.to_string()].concat(),
            Self::Uint(number) => ["the number ", &number.to_string()].concat(),
            Self::Int(number) => ["the signed number ", &number.to_string()].concat(),
            Self::Bool(flag) => if *flag { "true" } else { "false" }.to_owned(),
            Self::BytesN(bytes) => ["the bytes ", &bytes.to_string()].concat(),
            Self::Raw(word) => ["the word ", &word.to_string()].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{Address, I256, fixed_bytes};

    use super::super::{Condition, Policy};
    use super::*;
    use crate::addresses::DEMO_TOKEN;

    const SIGNATURE: &str = "pay(bytes note, (address to, uint8 sort) order, int16 shift, bytes4 mark, uint256 amount)";

    fn offset(argument: &str, value: impl Into<ReferenceValue>) -> Result<u32, String> {
        let policy = Policy::new(DEMO_TOKEN, SIGNATURE).with_rule_on(argument, Condition::Equal, value);
        policy.map(|policy| policy.rules[0].offset).map_err(|error| error.to_string())
    }

    #[test]
    fn a_rule_goes_to_the_argument_of_its_name() {
        assert_eq!(offset("order.to", Address::ZERO), Ok(32));
        assert_eq!(offset("order.sort", 255), Ok(64));
        assert_eq!(offset("shift", I256::MINUS_ONE), Ok(96));
        assert_eq!(offset("mark", fixed_bytes!("01020304")), Ok(128));
        assert_eq!(offset("amount", U256::MAX), Ok(160));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        let names = offset("recipient", Address::ZERO).unwrap_err();
        assert_eq!(names, "rules.recipient: expected one of: order.to, order.sort, shift, mark, amount, got recipient");
        assert!(offset("note", 1).is_err(), "behind a pointer");
        assert!(offset("order", 1).is_err(), "not one word");
        assert_eq!(
            offset("amount", Address::ZERO).unwrap_err().split(", got").next(),
            Some("rules.amount: expected uint256")
        );
        for wrong in [offset("order.sort", 256), offset("shift", 40_000), offset("mark", fixed_bytes!("0102030405"))] {
            assert!(wrong.is_err());
        }
        let nameless = Policy::new(DEMO_TOKEN, "transfer(address,uint256)").with_rule_on("to", Condition::Equal, 1);
        assert!(nameless.unwrap_err().to_string().contains("a signature with names"));
    }
}
