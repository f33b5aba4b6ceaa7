//! What rules leave of the words that they look at, and whether any call can satisfy them.
//!
//! Rules at the same offset bound one unsigned word: an interval with holes. Rules at offsets that do not overlap are
//! independent. Of rules that overlap in part only those that pin their word are compared, byte by byte; anything
//! else counts as satisfiable, so that "no call can" is never said of a policy that works.

use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::{B256, U256};

use super::policy::Condition;

/// The values that one word may have.
#[derive(Debug)]
pub(crate) struct Bounds {
    lowest: U256,
    highest: U256,
    holes: BTreeSet<U256>,
    is_empty: bool,
}

impl Bounds {
    /// Every word.
    pub(crate) fn all() -> Self {
        Self { lowest: U256::ZERO, highest: U256::MAX, holes: BTreeSet::new(), is_empty: false }
    }

    /// Keeps what also satisfies this condition; an unknown one is never true.
    pub(crate) fn and(&mut self, condition: u8, reference: B256) {
        let reference = U256::from_be_bytes(reference.0);
        let (one, mut low, mut high) = (U256::from(1), U256::ZERO, U256::MAX);
        match Condition::from_code(condition) {
            Some(Condition::Equal) => (low, high) = (reference, reference),
            Some(Condition::LessThanOrEqual) => high = reference,
            Some(Condition::GreaterThanOrEqual) => low = reference,
            Some(Condition::LessThan) => match reference.checked_sub(one) {
                Some(below) => high = below,
                None => self.is_empty = true,
            },
            Some(Condition::GreaterThan) => match reference.checked_add(one) {
                Some(above) => low = above,
                None => self.is_empty = true,
            },
            Some(Condition::NotEqual) => {
                self.holes.insert(reference);
            }
            None => self.is_empty = true,
        }
        self.lowest = self.lowest.max(low);
        self.highest = self.highest.min(high);
    }

    /// Nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        if self.is_empty || self.lowest > self.highest {
            return true;
        }
        let holes = self.holes.range(self.lowest..=self.highest).count();
        (self.highest - self.lowest).checked_add(U256::from(1)).is_some_and(|values| values <= U256::from(holes))
    }

    /// Every word is left.
    pub(crate) fn is_all(&self) -> bool {
        !self.is_empty && self.lowest.is_zero() && self.highest == U256::MAX && self.holes.is_empty()
    }

    /// The only value left, when the bounds leave one.
    pub(crate) fn only(&self) -> Option<U256> {
        (!self.is_empty() && self.lowest == self.highest).then_some(self.lowest)
    }

    /// The lowest value that passes.
    pub(crate) fn example(&self) -> Option<U256> {
        if self.is_empty() {
            return None;
        }
        let mut candidate = self.lowest;
        while self.holes.contains(&candidate) {
            candidate = candidate.checked_add(U256::from(1))?;
        }
        Some(candidate)
    }

    /// The highest value that passes, holes apart.
    pub(crate) fn highest(&self) -> U256 {
        self.highest
    }
}

/// What the rules leave of each word that they look at, by offset.
pub(crate) fn bounds(rules: &[(u16, u8, B256)]) -> BTreeMap<u16, Bounds> {
    let mut by_offset = BTreeMap::<u16, Bounds>::new();
    for (offset, condition, reference) in rules {
        by_offset.entry(*offset).or_insert_with(Bounds::all).and(*condition, *reference);
    }
    by_offset
}

/// `false` only when no arguments whatever pass all rules.
pub(crate) fn satisfiable(rules: &[(u16, u8, B256)]) -> bool {
    let bounds = bounds(rules);
    if bounds.values().any(Bounds::is_empty) {
        return false;
    }
    let mut pinned = BTreeMap::<usize, u8>::new();
    bounds.iter().filter_map(|(offset, bounds)| Some((usize::from(*offset), bounds.only()?))).all(|(offset, word)| {
        let bytes = word.to_be_bytes::<32>();
        bytes.into_iter().enumerate().all(|(index, byte)| *pinned.entry(offset + index).or_insert(byte) == byte)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn rule(offset: u16, condition: Condition, value: u64) -> (u16, u8, B256) {
        (offset, condition.code(), B256::from(U256::from(value)))
    }

    #[test]
    fn contradictions_are_found() {
        use Condition::*;
        let max = B256::repeat_byte(0xff);
        for rules in [
            vec![rule(0, Equal, 5), rule(0, LessThan, 5)],
            vec![rule(0, Equal, 5), rule(0, Equal, 6)],
            vec![rule(0, LessThan, 0)],
            vec![(0, GreaterThan.code(), max)],
            vec![(0, 6, max)],
            vec![rule(0, LessThanOrEqual, 1), rule(0, NotEqual, 0), rule(0, NotEqual, 1)],
            // bytes 1..33 pinned to 0 and bytes 0..32 pinned to 1 disagree on byte 31
            vec![rule(1, Equal, 0), rule(0, Equal, 1)],
        ] {
            assert!(!satisfiable(&rules), "{rules:?}");
        }
        for rules in [
            vec![],
            vec![rule(0, Equal, 5), rule(32, Equal, 6)],
            vec![rule(0, GreaterThan, 4), rule(0, LessThan, 6)],
            vec![rule(1, Equal, 256), rule(0, Equal, 1)],
        ] {
            assert!(satisfiable(&rules), "{rules:?}");
        }
    }

    proptest! {
        /// Words near each other, so that rules meet: the answer is that of trying every candidate.
        #[test]
        fn agrees_with_trying_all_candidates(
            rules in prop::collection::vec((0_u16..2, 0_u8..7, 0_u64..6), 0..6)
        ) {
            let rules = rules
                .into_iter()
                .map(|(word, condition, value)| (word * 32, condition, B256::from(U256::from(value))))
                .collect::<Vec<_>>();
            // Values above all references behave alike, so 7 stands for them.
            let passes = |offset: u16, value: u64| {
                let word = B256::from(U256::from(value));
                rules.iter().filter(|rule| rule.0 == offset).all(|(_, condition, reference)| {
                    Condition::from_code(*condition).is_some_and(|condition| condition.holds(word, *reference))
                })
            };
            let expected = [0, 32].into_iter().all(|offset| (0..=7).any(|value| passes(offset, value)));
            prop_assert_eq!(satisfiable(&rules), expected);
        }
    }
}
