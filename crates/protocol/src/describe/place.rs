//! What the bytes that a rule looks at are, in lists and reviews.

use super::constraint::{bytes_words, place_words};
use crate::{
    known_functions::{Amount, ArgumentKind, PublishedFunction},
    reading::{Place, Reading, Role},
};

/// What the bytes at the place of a rule are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentPlace {
    /// The function is not known, or has no argument there.
    Unknown,
    /// An argument of a function that is not known, by the app's name for it, which the selector does not cover.
    Claimed(String),
    /// An argument.
    Argument {
        /// Its name.
        name: String,
        /// Its meaning.
        kind: ArgumentKind,
        /// It says who has the benefit of the call.
        is_receiver: bool,
    },
    /// Where the argument of this name stands.
    Pointer(String),
    /// How long the argument of this name is.
    Length(String),
    /// A part of the argument of this name.
    Part(String),
    /// Nothing that is certain: the call itself says where the function reads.
    Evaded,
}

impl ArgumentPlace {
    /// What `reading` finds at this offset.
    pub(super) fn find(reading: &Reading<'_>, function: &PublishedFunction, offset: u16) -> Self {
        let word = match reading.place(offset) {
            Place::Word(word) => word,
            Place::Evaded => return Self::Evaded,
            Place::Nothing => return Self::Unknown,
        };
        let name = word.name.clone();
        match word.role {
            Role::Pointer => Self::Pointer(name),
            Role::Length => Self::Length(name),
            Role::Content => Self::Part(name),
            Role::Value(of) => {
                let stands_here = |path| reading.offsets(path).is_some_and(|offsets| offsets.contains(&offset));
                let is_receiver = function.effects.iter().filter_map(|effect| effect.receiver()).any(stands_here);
                let amounts = function.effects.iter().filter_map(|effect| effect.amount());
                let counted = amounts.filter_map(|amount| match amount {
                    Amount::Units(path) => Some((path, ArgumentKind::TokenAmount)),
                    Amount::Either(path) => Some((path, ArgumentKind::AmountOrId)),
                    _ => None,
                });
                let kind = match of {
                    "address" => Some(ArgumentKind::Address),
                    "bool" => Some(ArgumentKind::Flag),
                    _ => counted.into_iter().find(|(path, _)| stands_here(path)).map(|(_, kind)| kind),
                };
                // Numbers without a unit are shown as numbers of items are.
                Self::Argument { name, kind: kind.unwrap_or(ArgumentKind::TokenId), is_receiver }
            }
        }
    }

    /// The meaning, where it is an argument.
    pub(super) fn kind(&self) -> Option<ArgumentKind> {
        match self {
            Self::Argument { kind, .. } => Some(*kind),
            _ => None,
        }
    }

    /// What it is called; `known` is the name by which wallets sign it.
    pub(super) fn name(&self, known: Option<&str>, offset: u16) -> Option<String> {
        match self {
            Self::Unknown => known.map(str::to_owned),
            Self::Claimed(name) => Some([&place_words(offset.into()), " (by the app's name: ", name, ")"].concat()),
            Self::Argument { name, .. } => Some(known.unwrap_or(name).to_owned()),
            Self::Pointer(name) => Some(["the position of ", known.unwrap_or(name)].concat()),
            Self::Length(name) => Some(["the length of ", name].concat()),
            Self::Part(name) => Some(["a part of ", name].concat()),
            Self::Evaded => Some(bytes_words(offset.into())),
        }
    }

    /// What must be added to a rule about it.
    pub(super) fn caveat(&self) -> &'static str {
        if *self == Self::Evaded { ", which a call can get around" } else { "" }
    }
}
