//! One condition on the arguments of a call: `amount must be at most 2.5 DUSD`.

use alloy::primitives::{Address, B256, U256};

use super::{
    ArgumentPlace, Detail, Names, UNLIMITED,
    amount::{exact_amount, number_words},
    names::shortened,
};
use crate::{
    known_functions::{ArgumentKind, KnownFunction},
    policy::Condition,
};

/// What 32 bytes of the arguments must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// Where they begin, bytes after the selector.
    pub offset: u16,
    /// Name and meaning of the argument, where the function is one of those that wallets sign by name.
    pub argument: Option<(&'static str, ArgumentKind)>,
    /// What they are, for lists and reviews.
    pub place: ArgumentPlace,
    /// How they are compared; `Err` holds the byte of a comparison that does not exist and so is never true.
    pub condition: Result<Condition, u8>,
    /// What they are compared with.
    pub value: DescribedValue,
}

/// 32 bytes, as what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DescribedValue {
    /// An account or contract.
    Address(Address),
    /// An amount of a token.
    Amount {
        /// In the smallest unit.
        amount: U256,
        /// The token: the contract that is called.
        token: Address,
    },
    /// An amount of a token, or the number of an item when the contract is a collection.
    AmountOrId(U256),
    /// A number.
    Number(U256),
    /// Yes or no.
    Flag(bool),
    /// What has no meaning that is known here.
    Word(B256),
}

impl Constraint {
    pub(super) fn read(
        offset: u16,
        code: u8,
        word: B256,
        argument: Option<(&'static str, ArgumentKind)>,
        place: ArgumentPlace,
        contract: Address,
    ) -> Self {
        let value = DescribedValue::of(word, argument.map(|(_, kind)| kind), contract);
        Self { offset, argument, place, condition: Condition::from_code(code).ok_or(code), value }
    }

    /// Other 32 bytes in the same place.
    pub fn read_value(&self, word: B256, contract: Address) -> DescribedValue {
        let kind = self.argument.map(|(_, kind)| kind);
        DescribedValue::of(word, kind.or(self.place.kind()), contract)
    }

    /// What the argument is called.
    pub fn name(&self, detail: Detail) -> String {
        let place = place_words(self.offset.into());
        let name = self.argument.map(|(name, _)| name);
        match (name, detail) {
            (Some(name), Detail::Signed) => [&place, " (", name, ")"].concat(),
            (None, Detail::Signed) => place,
            (name, _) => self.place.name(name, self.offset).unwrap_or(place),
        }
    }

    /// `argument 1 (recipient) must be 0x…`, in this version of the text that the owner signs.
    pub(super) fn signed_words(&self, version: u32) -> String {
        let name = match self.argument {
            // Version 2 calls all that it does not know an argument. What has tuples, arrays or bytes has other things there.
            None | Some((_, ArgumentKind::Dynamic)) if version > 2 => bytes_words(self.offset.into()),
            _ => self.name(Detail::Signed),
        };
        self.words_about(&name, Detail::Signed, &Names::default())
    }

    /// `recipient must be your own account`.
    pub fn words(&self, detail: Detail, names: &Names<'_>) -> String {
        self.words_about(&self.name(detail), detail, names)
    }

    fn words_about(&self, name: &str, detail: Detail, names: &Names<'_>) -> String {
        let shown = match (self.argument, detail, self.place.kind()) {
            (None, Detail::Line | Detail::Review, Some(kind)) => {
                DescribedValue::of(self.value.as_word(), Some(kind), Address::ZERO)
            }
            _ => self.value,
        };
        let value = shown.words(detail, names);
        let evaded = if detail != Detail::Signed { self.place.caveat() } else { "" };
        match self.condition {
            Ok(condition) if detail != Detail::Signed && shown.is_no_limit(condition, names) => {
                [name, " may be any amount"].concat()
            }
            Ok(condition) => {
                let is_everything = condition == Condition::Equal && shown.is_any_amount(names);
                let remark = if is_everything && detail != Detail::Signed { ", as good as any amount" } else { "" };
                [name, " ", condition.words(), " ", &value, remark, evaded].concat()
            }
            Err(code) => {
                [name, " can never pass: comparison ", &code.to_string(), " with ", &value, " does not exist"].concat()
            }
        }
    }
}

impl DescribedValue {
    fn of(word: B256, kind: Option<ArgumentKind>, contract: Address) -> Self {
        let number = U256::from_be_bytes(word.0);
        let is_address = number.bit_len() <= 160;
        match kind {
            Some(ArgumentKind::Address) if is_address => Self::Address(Address::from_word(word)),
            Some(ArgumentKind::TokenAmount) => Self::Amount { amount: number, token: contract },
            Some(ArgumentKind::AmountOrId) => Self::AmountOrId(number),
            Some(ArgumentKind::Flag) if number <= U256::ONE => Self::Flag(number == U256::ONE),
            _ if is_short(number) => Self::Number(number),
            // No number that anybody means, and as long as an address.
            None if is_address => Self::Address(Address::from_word(word)),
            _ => Self::Word(word),
        }
    }

    /// The 32 bytes again.
    pub fn as_word(&self) -> B256 {
        match *self {
            Self::Address(address) => address.into_word(),
            Self::Amount { amount: number, .. } | Self::AmountOrId(number) | Self::Number(number) => number.into(),
            Self::Flag(flag) => B256::with_last_byte(flag.into()),
            Self::Word(word) => word,
        }
    }

    /// The value for people; `names` knows the units.
    pub fn words(&self, detail: Detail, names: &Names<'_>) -> String {
        let token = names.token.filter(|_| detail != Detail::Signed);
        match *self {
            Self::Address(address) => names.address(address, detail),
            Self::Amount { amount, .. } => exact_amount(amount, token, detail),
            // A number without decimals to it is an item, or an amount of what nobody knows.
            Self::AmountOrId(number) if token.is_some_and(|facts| facts.decimals.is_some()) => {
                exact_amount(number, token, detail)
            }
            Self::AmountOrId(number) | Self::Number(number) if detail != Detail::Signed => number_words(number, 0),
            Self::AmountOrId(number) | Self::Number(number) if is_short(number) => number.to_string(),
            Self::AmountOrId(number) | Self::Number(number) => word_words(B256::from(number), detail),
            Self::Flag(flag) => if flag { "yes" } else { "no" }.to_owned(),
            Self::Word(word) => word_words(word, detail),
        }
    }

    /// An upper bound of an amount that is so high that it is none.
    fn is_no_limit(&self, condition: Condition, names: &Names<'_>) -> bool {
        matches!(condition, Condition::LessThan | Condition::LessThanOrEqual) && self.is_any_amount(names)
    }

    /// An amount so high that an allowance of it is one of everything.
    fn is_any_amount(&self, names: &Names<'_>) -> bool {
        match *self {
            Self::Amount { amount, .. } => amount >= UNLIMITED,
            Self::AmountOrId(number) => {
                number >= UNLIMITED && names.token.is_some_and(|facts| facts.decimals.is_some())
            }
            _ => false,
        }
    }
}

/// Short enough to be read as a number.
fn is_short(number: U256) -> bool {
    number.bit_len() <= 96
}

fn word_words(word: B256, detail: Detail) -> String {
    let whole = word.to_string();
    match detail {
        Detail::Line => shortened(&whole),
        // The chain compares unsigned, and so a wallet is told no more than the bytes.
        Detail::Review if word[..20] == [0xff; 20] => {
            let magnitude = (!U256::from_be_bytes(word.0)).wrapping_add(U256::ONE).to_string();
            [&whole, " (-", &magnitude, " as a signed number)"].concat()
        }
        Detail::Review | Detail::Signed => whole,
    }
}

pub(super) fn place_words(offset: u32) -> String {
    match offset.is_multiple_of(32) {
        true => ["argument ", &(offset / 32 + 1).to_string()].concat(),
        false => bytes_words(offset),
    }
}

pub(super) fn bytes_words(offset: u32) -> String {
    ["the 32 bytes from byte ", &offset.to_string(), " of the arguments"].concat()
}

/// What the argument at this offset is called: by its name where the function is known.
pub fn argument_name(function: Option<&KnownFunction>, offset: u32) -> String {
    let argument = function.and_then(|function| function.argument_at(offset));
    argument.map_or_else(|| place_words(offset), |(name, _)| name.to_owned())
}
