//! Functions whose arguments have a meaning to people: what a review calls them, and what may leave the account.
//!
//! A selector is four bytes, so another contract may mean something else by the same one: texts made from these tables
//! tell what functions of this name do, beside the address of the contract that is really called. Two tables: what
//! wallets sign is made of [`KNOWN_FUNCTIONS`] and never changes; [`published_function`] knows many more, with their
//! sources, for the linter, the review and lists. ERC-20 and ERC-721 share `transferFrom` and `approve`: there the number
//! is an amount or an id.

use super::policy::FunctionSelector;

mod effect;
#[rustfmt::skip]
mod published;

pub use effect::{Amount, ArgumentPath, EACH, Effect, PublishedFunction};

/// What an argument means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// An account or contract.
    Address,
    /// An amount in the smallest unit of the token that is called.
    TokenAmount,
    /// An amount of a fungible token (ERC-20) or the number of an item (ERC-721), as the contract decides.
    AmountOrId,
    /// The number of one item of a collection.
    TokenId,
    /// Yes or no.
    Flag,
    /// Anything of dynamic length; its word is the offset of its content.
    Dynamic,
}

/// How a function lets something leave the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spend {
    /// Place of the argument that names who receives or may take.
    pub receiver: usize,
    /// Place of the argument that says how much or which; `None` = everything.
    pub amount: Option<usize>,
    /// The receiver may come and take it later, again and again.
    pub is_allowance: bool,
}

/// A function that is known by its selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownFunction {
    /// Canonical signature.
    pub signature: &'static str,
    /// First four bytes of the signature's Keccak-256.
    pub selector: [u8; 4],
    /// Name and meaning of each argument.
    pub arguments: &'static [(&'static str, ArgumentKind)],
    /// What it lets leave the account.
    pub spends: Option<Spend>,
}

impl KnownFunction {
    /// The name without its arguments.
    pub fn name(&self) -> &'static str {
        self.signature.split('(').next().unwrap_or(self.signature)
    }

    /// The argument whose word begins at `offset` bytes after the selector.
    pub fn argument_at(&self, offset: u32) -> Option<(&'static str, ArgumentKind)> {
        let is_whole = offset.is_multiple_of(32);
        self.arguments.get(offset as usize / 32).copied().filter(|_| is_whole)
    }
}

/// The function with this selector, when it is one of [`KNOWN_FUNCTIONS`].
pub fn known_function(selector: [u8; 4]) -> Option<&'static KnownFunction> {
    KNOWN_FUNCTIONS.iter().find(|function| function.selector == selector)
}

/// The function that a policy names, when it is known and its selector can be computed.
pub fn known_function_of(selector: &FunctionSelector) -> Option<&'static KnownFunction> {
    selector.selector().ok().and_then(known_function)
}

/// Functions of this project's own contracts that no package has.
const OWN: &[PublishedFunction] = &[PublishedFunction {
    selector: [0x40, 0xd0, 0x97, 0xc3],
    declaration: "safeMint(address to)",
    effects: &[Effect::Gives(&[0])],
}];

/// The function of a published contract with this selector: for the linter, the review and lists, never for what wallets
/// sign. Another contract may mean something else by it.
pub fn published_function(selector: [u8; 4]) -> Option<&'static PublishedFunction> {
    let place = published::PUBLISHED.binary_search_by_key(&selector, |function| function.selector).ok();
    place.map_or_else(
        || OWN.iter().find(|function| function.selector == selector),
        |place| published::PUBLISHED.get(place),
    )
}

/// The selectors of all functions that are known, some of them twice.
pub(crate) fn selectors() -> impl Iterator<Item = [u8; 4]> {
    let published = published::PUBLISHED.iter().chain(OWN).map(|function| function.selector);
    KNOWN_FUNCTIONS.iter().map(|function| function.selector).chain(published)
}

/// All of them.
#[cfg(test)]
pub(crate) fn published_functions() -> impl Iterator<Item = &'static PublishedFunction> {
    published::PUBLISHED.iter().chain(OWN)
}

const fn to(receiver: usize, amount: usize) -> Option<Spend> {
    Some(Spend { receiver, amount: Some(amount), is_allowance: false })
}

const fn allows(receiver: usize, amount: Option<usize>) -> Option<Spend> {
    Some(Spend { receiver, amount, is_allowance: true })
}

const FROM: (&str, ArgumentKind) = ("from", ArgumentKind::Address);
const TO: (&str, ArgumentKind) = ("recipient", ArgumentKind::Address);
const SPENDER: (&str, ArgumentKind) = ("spender", ArgumentKind::Address);
const AMOUNT: (&str, ArgumentKind) = ("amount", ArgumentKind::TokenAmount);

/// ERC-20, ERC-721 and ERC-1155 functions that move or lend what the account owns, and common mints.
///
/// Wallets sign texts made with these names ([`crate::describe`]): an entry that is added or changed here makes another
/// version of the grant. Functions that only the review or the linter must know belong into a table of their own.
pub const KNOWN_FUNCTIONS: &[KnownFunction] = &[
    KnownFunction {
        signature: "transfer(address,uint256)",
        selector: [0xa9, 0x05, 0x9c, 0xbb],
        arguments: &[TO, AMOUNT],
        spends: to(0, 1),
    },
    KnownFunction {
        signature: "approve(address,uint256)",
        selector: [0x09, 0x5e, 0xa7, 0xb3],
        arguments: &[SPENDER, ("amount", ArgumentKind::AmountOrId)],
        spends: allows(0, Some(1)),
    },
    KnownFunction {
        signature: "transferFrom(address,address,uint256)",
        selector: [0x23, 0xb8, 0x72, 0xdd],
        arguments: &[FROM, TO, ("amount", ArgumentKind::AmountOrId)],
        spends: to(1, 2),
    },
    KnownFunction {
        signature: "increaseAllowance(address,uint256)",
        selector: [0x39, 0x50, 0x93, 0x51],
        arguments: &[SPENDER, AMOUNT],
        spends: allows(0, Some(1)),
    },
    KnownFunction {
        signature: "setApprovalForAll(address,bool)",
        selector: [0xa2, 0x2c, 0xb4, 0x65],
        arguments: &[("operator", ArgumentKind::Address), ("allowed", ArgumentKind::Flag)],
        spends: allows(0, None),
    },
    KnownFunction {
        signature: "safeTransferFrom(address,address,uint256)",
        selector: [0x42, 0x84, 0x2e, 0x0e],
        arguments: &[FROM, TO, ("token id", ArgumentKind::TokenId)],
        spends: to(1, 2),
    },
    KnownFunction {
        signature: "safeTransferFrom(address,address,uint256,bytes)",
        selector: [0xb8, 0x8d, 0x4f, 0xde],
        arguments: &[FROM, TO, ("token id", ArgumentKind::TokenId), ("data", ArgumentKind::Dynamic)],
        spends: to(1, 2),
    },
    KnownFunction {
        signature: "safeTransferFrom(address,address,uint256,uint256,bytes)",
        selector: [0xf2, 0x42, 0x43, 0x2a],
        arguments: &[
            FROM,
            TO,
            ("token id", ArgumentKind::TokenId),
            ("amount", ArgumentKind::TokenAmount),
            ("data", ArgumentKind::Dynamic),
        ],
        spends: to(1, 3),
    },
    KnownFunction {
        signature: "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)",
        selector: [0x2e, 0xb2, 0xc2, 0xd6],
        arguments: &[
            FROM,
            TO,
            ("token ids", ArgumentKind::Dynamic),
            ("amounts", ArgumentKind::Dynamic),
            ("data", ArgumentKind::Dynamic),
        ],
        spends: Some(Spend { receiver: 1, amount: None, is_allowance: false }),
    },
    KnownFunction {
        signature: "safeMint(address)",
        selector: [0x40, 0xd0, 0x97, 0xc3],
        arguments: &[TO],
        spends: None,
    },
    KnownFunction {
        signature: "mint(address,uint256)",
        selector: [0x40, 0xc1, 0x0f, 0x19],
        arguments: &[TO, ("amount", ArgumentKind::AmountOrId)],
        spends: None,
    },
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn each_selector_is_that_of_its_signature_and_each_place_exists() {
        for function in KNOWN_FUNCTIONS {
            let named = FunctionSelector::Signature(function.signature.into());
            assert_eq!(named.selector().unwrap(), function.selector, "{}", function.signature);
            assert_eq!(known_function_of(&named), Some(function), "{} occurs twice", function.signature);
            let commas = function.signature.matches(',').count();
            assert_eq!(function.arguments.len(), commas + 1, "{}", function.signature);
            if let Some(spend) = function.spends {
                assert_eq!(function.arguments[spend.receiver].1, ArgumentKind::Address, "{}", function.signature);
                assert!(spend.amount.is_none_or(|amount| amount < function.arguments.len()));
            }
        }
    }

    #[test]
    fn published_functions_are_found_by_their_selectors() {
        let of =
            |function: &PublishedFunction| FunctionSelector::Signature(function.declaration.into()).selector().unwrap();
        for function in published_functions() {
            assert_eq!(of(function), function.selector, "{}", function.declaration);
            assert_eq!(published_function(function.selector), Some(function));
        }
        for function in KNOWN_FUNCTIONS {
            let published = published_function(function.selector).expect(function.signature);
            // Who is signed to be the receiver is the one that the review looks at.
            let receiver = function.spends.map(|spends| spends.receiver as u8);
            let first = published.effects[0];
            assert!(receiver.is_none_or(|place| first.receiver() == Some(&[place])), "{}", function.signature);
        }
        assert_eq!(published_function([0; 4]), None);
    }

    #[test]
    fn an_argument_is_found_at_its_word_only() {
        let transfer = known_function([0xa9, 0x05, 0x9c, 0xbb]).unwrap();
        assert_eq!(transfer.name(), "transfer");
        assert_eq!(transfer.argument_at(32), Some(("amount", ArgumentKind::TokenAmount)));
        assert_eq!([31, 64].map(|offset| transfer.argument_at(offset)), [None, None]);
        assert_eq!(known_function([0; 4]), None);
    }
}
