//! Which arguments the rules of a session really look at.
//!
//! A rule looks at bytes at a fixed place. An argument of variable length (`bytes`, `T[]`, a tuple with one of these)
//! stands where a pointer inside the call data says, and who makes the call writes the pointer: a rule on bytes behind
//! it binds the argument only when the pointer itself is bound to one place, and so on down to the argument. All other
//! rules behind the arguments' own places can be walked past: the bytes that they look at are there and satisfy them,
//! and the function reads others.

use std::{borrow::Cow, collections::BTreeMap};

use alloy::primitives::U256;

use super::{
    bounds::Bounds,
    known_functions::{EACH, PublishedFunction},
};
use layout::Layout;

pub(crate) mod layout;

/// More words than this are not followed; they count as not bound.
const MOST_WORDS: usize = 4096;

/// What a word of the call data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The value of an argument, of this type.
    Value(&'static str),
    /// Where an argument stands.
    Pointer,
    /// How long an argument is.
    Length,
    /// A part of an argument of bytes.
    Content,
}

/// A word whose place is certain.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    offset: usize,
    path: Vec<usize>,
    /// The argument's name: `params.recipient`, `details[0].amount`.
    pub name: String,
    pub role: Role,
}

/// What bytes at some place of the call data are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// This word.
    Word(&'a Word),
    /// Whatever the call wants them to be.
    Evaded,
    /// No argument of this function.
    Nothing,
}

/// The arguments of a function, as far as rules bind where they stand.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    rules: &'a BTreeMap<u16, Bounds>,
    words: Vec<Word>,
    /// Arguments, or parts of them, that stand where the call wants.
    open: Vec<Vec<usize>>,
    head: usize,
}

impl<'a> Reading<'a> {
    pub fn of(function: &PublishedFunction, rules: &'a BTreeMap<u16, Bounds>) -> Self {
        let arguments = Layout::of_arguments(function.declaration);
        let mut reading = Self { rules, words: Vec::new(), open: Vec::new(), head: 0 };
        if let Layout::Tuple(members) = &arguments {
            reading.head = members.iter().map(|(_, member)| member.head()).sum();
            reading.sequence(members.iter().map(|(name, member)| (Cow::Borrowed(*name), member)), 0, &[], "");
        }
        reading
    }

    /// What the rule at this offset looks at.
    pub fn place(&self, offset: u16) -> Place<'_> {
        let offset = usize::from(offset);
        let here = || self.words.iter().filter(|word| word.offset == offset);
        // Two pointers may be bound to one place: its values count.
        let value = here().find(|word| matches!(word.role, Role::Value(_)));
        match value.or_else(|| here().next()) {
            Some(word) => Place::Word(word),
            None if offset >= self.head && !self.open.is_empty() => Place::Evaded,
            None => Place::Nothing,
        }
    }

    /// Offsets of these arguments; `None` when one of them stands where the call wants.
    pub fn offsets(&self, path: &[u8]) -> Option<Vec<u16>> {
        let values = self.below(path)?.filter(|word| matches!(word.role, Role::Value(_)));
        values.map(|word| u16::try_from(word.offset).ok()).collect()
    }

    /// The values that these arguments must have; `None` when one of them may have several.
    pub fn only(&self, path: &[u8]) -> Option<Vec<U256>> {
        let only = |offset: u16| self.rules.get(&offset).and_then(Bounds::only);
        self.offsets(path)?.into_iter().map(only).collect()
    }

    /// The highest value that one of these arguments may have; 0 when there is none of them.
    pub fn highest(&self, path: &[u8]) -> U256 {
        let highest = |offset: u16| self.rules.get(&offset).map_or(U256::MAX, Bounds::highest);
        let offsets = self.offsets(path);
        offsets.map_or(U256::MAX, |offsets| offsets.into_iter().map(highest).max().unwrap_or_default())
    }

    /// Nothing about this argument is left to the call.
    pub fn is_fixed(&self, path: &[u8]) -> bool {
        self.below(path).is_some_and(|mut words| words.all(|word| self.bounds(word).and_then(Bounds::only).is_some()))
    }

    /// Some rule limits an argument.
    pub fn limits_something(&self) -> bool {
        let is_limit = |word: &Word| {
            matches!(word.role, Role::Value(_) | Role::Content)
                && self.bounds(word).is_some_and(|bounds| !bounds.is_all())
        };
        self.words.iter().any(is_limit)
    }

    fn bounds(&self, word: &Word) -> Option<&Bounds> {
        u16::try_from(word.offset).ok().and_then(|offset| self.rules.get(&offset))
    }

    /// The words of the argument at `path`; `None` when a part of it is open.
    fn below(&self, path: &[u8]) -> Option<impl Iterator<Item = &Word>> {
        let is_open = self.open.iter().any(|open| meets(open, path));
        (!is_open)
            .then(|| self.words.iter().filter(move |word| word.path.len() >= path.len() && meets(&word.path, path)))
    }

    /// Members one after the other from `base`, from where their pointers count, too.
    fn sequence<'m>(
        &mut self,
        members: impl Iterator<Item = (Cow<'m, str>, &'m Layout)> + Clone,
        base: usize,
        path: &[usize],
        name: &str,
    ) {
        let head = members.clone().map(|(_, member)| member.head()).sum::<usize>();
        let mut at = base;
        for (index, (own, member)) in members.enumerate() {
            let path = [path, &[index]].concat();
            let own = match own {
                own if own.is_empty() => Cow::Owned(["argument ", &(index + 1).to_string()].concat()),
                own => own,
            };
            let name = if name.is_empty() || own.starts_with('[') {
                [name, &own].concat()
            } else {
                [name, ".", &own].concat()
            };
            self.member(member, (base, head), at, path, name);
            at += member.head();
        }
    }

    fn member(&mut self, layout: &Layout, (base, head): (usize, usize), at: usize, path: Vec<usize>, name: String) {
        if self.words.len() >= MOST_WORDS {
            return self.open.push(path);
        }
        if !layout.is_dynamic() {
            return match layout {
                Layout::Word(kind) => self.words.push(Word { offset: at, path, name, role: Role::Value(kind) }),
                other => self.content(other, at, path, name),
            };
        }
        let pointer = Word { offset: at, path: path.clone(), name: name.clone(), role: Role::Pointer };
        let target = self.bounds(&pointer).and_then(Bounds::only);
        self.words.push(pointer);
        // Behind the places of its neighbours and in whole words: where encoders put it and every decoder looks.
        let target = target
            .and_then(|target| usize::try_from(target).ok())
            .filter(|target| *target >= head && target.is_multiple_of(32) && *target <= usize::from(u16::MAX));
        match target.map(|target| base + target) {
            Some(place) if place <= usize::from(u16::MAX) => self.content(layout, place, path, name),
            _ => self.open.push(path),
        }
    }

    /// What stands at `start`, length first where it has one.
    fn content(&mut self, layout: &Layout, start: usize, path: Vec<usize>, name: String) {
        match layout {
            Layout::Word(kind) => self.words.push(Word { offset: start, path, name, role: Role::Value(kind) }),
            Layout::Tuple(members) => {
                let members = members.iter().map(|(name, member)| (Cow::Borrowed(*name), member));
                self.sequence(members, start, &path, &name);
            }
            Layout::Array(each, Some(count)) => self.elements(each, *count, start, &path, &name),
            Layout::Array(each, None) => match self.length(start, &path, &name) {
                Some(count) if count < MOST_WORDS => self.elements(each, count, start + 32, &path, &name),
                _ => self.open.push(path),
            },
            Layout::Bytes => match self.length(start, &path, &name) {
                Some(length) => {
                    for index in 0..length.div_ceil(32) {
                        let (path, name) = ([&path[..], &[index]].concat(), name.clone());
                        self.words.push(Word { offset: start + 32 * (index + 1), path, name, role: Role::Content });
                    }
                }
                None => self.open.push(path),
            },
        }
    }

    fn elements(&mut self, each: &Layout, count: usize, start: usize, path: &[usize], name: &str) {
        let elements = (0..count).map(|index| (Cow::Owned(["[", &index.to_string(), "]"].concat()), each));
        self.sequence(elements, start, path, name);
    }

    /// The length at `start` as far as it can be: the highest that rules leave.
    fn length(&mut self, start: usize, path: &[usize], name: &str) -> Option<usize> {
        let word = Word { offset: start, path: path.to_vec(), name: name.to_owned(), role: Role::Length };
        let highest = self.bounds(&word).map(Bounds::highest);
        self.words.push(word);
        // What has more words than call data that rules reach is not bound by them.
        let highest = highest.and_then(|highest| usize::try_from(highest).ok());
        highest.filter(|highest| *highest <= usize::from(u16::MAX) && self.words.len() + highest / 32 < MOST_WORDS)
    }
}

/// Does one lead to the other?
fn meets(path: &[usize], pattern: &[u8]) -> bool {
    path.iter().zip(pattern).all(|(place, wanted)| *wanted == EACH || *place == usize::from(*wanted))
}

#[cfg(test)]
mod tests;
