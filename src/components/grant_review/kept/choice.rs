//! Which foreign sessions a review draws, and what it therefore decides: who has not seen a session has not agreed to it.

use std::collections::HashSet;

use alloy::primitives::B256;

use crate::{
    hooks::ReviewedSessions,
    protocol::{
        lint::{LintContext, Severity, lint_kept},
        session::SessionLeaf,
    },
};

/// Most sessions that are drawn at once.
pub const DRAWN: usize = 50;

/// A session, and what is said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    pub leaf: SessionLeaf,
    /// Why it must not stay.
    pub stops: Vec<String>,
    pub warnings: Vec<String>,
}

/// Those that must not stay first, then those with a warning, then the rest.
pub fn ordered(leaves: Vec<SessionLeaf>, context: LintContext<'_>) -> Vec<Foreign> {
    let findings = lint_kept(&leaves, context);
    let plain = |leaf| Foreign { leaf, stops: Vec::new(), warnings: Vec::new() };
    let mut all = leaves.into_iter().map(plain).collect::<Vec<_>>();
    for finding in findings {
        let Some(about) = all.get_mut(finding.leaf) else { continue };
        match finding.severity {
            Severity::Stop => about.stops.push(finding.text),
            Severity::Warning => about.warnings.push(finding.text),
        }
    }
    // A stable sort: otherwise in the order of the tree.
    all.sort_by_key(|foreign| (foreign.stops.is_empty(), foreign.warnings.is_empty()));
    all
}

/// What a review says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    pub reviewed: ReviewedSessions,
    /// So many would stay and were not drawn.
    pub unseen: usize,
    /// One would stay that must not.
    pub has_stop: bool,
}

impl Choice {
    /// Nothing stands against a signature.
    pub fn is_complete(&self) -> bool {
        self.unseen == 0 && !self.has_stop
    }
}

/// Keeps what was drawn, of `all` in the order of [`ordered`], and not ended. What was not drawn is never kept.
pub fn choose(all: &[Foreign], ended: &HashSet<B256>, draws_all: bool) -> Choice {
    let mut choice = Choice::default();
    for (index, foreign) in all.iter().enumerate() {
        let hash = foreign.leaf.hash();
        if ended.contains(&hash) {
            choice.reviewed.end.push(hash);
            continue;
        }
        choice.has_stop |= !foreign.stops.is_empty();
        if draws_all || index < DRAWN {
            choice.reviewed.keep.push(hash);
        } else {
            choice.unseen += 1;
        }
    }
    choice
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
    use alloy::primitives::Address;

    use super::*;
    use crate::protocol::{
        addresses::DEMO_NFT,
        policy::{Condition, Policy},
    };

    const ACCOUNT: Address = Address::repeat_byte(0xaa);

    fn leaf(contract: Address, key: u8, valid_until: u64) -> SessionLeaf {
        let policy = Policy::new(contract, "safeMint(address)")
            .with_rule(0, Condition::Equal, ACCOUNT)
            .with_valid_until(valid_until);
        SessionLeaf::from_policy(&policy, Address::repeat_byte(key), "id").unwrap()
    }

    fn review(leaves: Vec<SessionLeaf>) -> Vec<Foreign> {
        ordered(leaves, LintContext { account: ACCOUNT, now: 1_000, ..LintContext::default() })
    }

    #[test]
    fn fifty_decoys_hide_nothing() {
        // 57 that nothing is said about, and behind them two without an end and one for the account itself.
        let mut leaves = (1..=57).map(|key| leaf(DEMO_NFT, key, 2_000)).collect::<Vec<_>>();
        leaves.extend([leaf(DEMO_NFT, 58, 0), leaf(DEMO_NFT, 59, 0), leaf(ACCOUNT, 60, 2_000)]);
        let all = review(leaves.clone());
        let first = all.iter().take(4).map(|foreign| foreign.leaf.clone()).collect::<Vec<_>>();
        assert_eq!(first, [59, 57, 58, 0].map(|index| leaves[index].clone()), "stops, warnings, the rest");
        assert!(all[3..].iter().all(|foreign| foreign.stops.is_empty() && foreign.warnings.is_empty()));

        let evil = HashSet::from([leaves[59].hash()]);
        let few = choose(&all, &evil, false);
        let drawn = all[1..DRAWN].iter().map(|foreign| foreign.leaf.hash()).collect::<Vec<_>>();
        assert_eq!((few.reviewed.keep.clone(), few.unseen), (drawn, 10), "what was not drawn is not kept");
        assert!(!few.is_complete() && !few.has_stop);

        let seen = choose(&all, &evil, true);
        assert_eq!((seen.reviewed.keep.len(), seen.reviewed.end.len()), (59, 1));
        assert!(seen.is_complete());
        assert!(choose(&all, &HashSet::new(), true).has_stop, "drawn or not, it must end");

        let everything = all.iter().map(|foreign| foreign.leaf.hash()).collect::<HashSet<_>>();
        let none = choose(&all, &everything, false);
        assert_eq!((none.reviewed.keep.len(), none.reviewed.end.len()), (0, 60));
        assert!(none.is_complete());
    }

    #[test]
    fn as_many_as_are_drawn_need_nothing_more() {
        let all = review((1..=50).map(|key| leaf(DEMO_NFT, key, 2_000)).collect());
        let choice = choose(&all, &HashSet::new(), false);
        assert_eq!((choice.reviewed.keep.len(), choice.is_complete()), (DRAWN, true));
    }
}
