//! What a signature keeps of sessions that were not granted in this browser.
//!
//! The root that a grant, a revocation or a restoration sets is made over everything that stays. What stays is known
//! from the root on chain, which a node tells, and from leaves that anybody may have published: together they could slip
//! sessions in that the owner then signs. So:
//!
//! - What the linter would stop anew is never kept: [`SessionsNotReviewed`](AppError::SessionsNotReviewed), until it is
//!   ended by the same signature.
//! - What was taken back in this browser and is under the root again is kept only when a review says so.
//! - Whoever shows a review passes on what it showed ([`ReviewedSessions`]). Then nothing is taken over from others while
//!   the operation is built, and sessions that were not shown are not kept. The same holds, without a review, from the
//!   preparing of an operation to its signature.

use std::collections::HashSet;

use alloy::primitives::{Address, B256};

use super::clock::unix_seconds;
use crate::error::AppError;
use use_aa_protocol::{
    lint::{FindingKind, LintContext, Severity, lint_kept},
    session::SessionLeaf,
};

/// What a review showed of the sessions that a signature would keep though they were not granted in this browser
/// ([`SessionLeaf::is_granted_here`]), and what was decided. By the leaves' hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewedSessions {
    /// These may stay.
    pub keep: Vec<B256>,
    /// These end with the signature; any session under the root may be named.
    pub end: Vec<B256>,
}

/// What a signature keeps and ends, decided.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// Sessions that stay and were not granted in this browser.
    pub leaves: Vec<SessionLeaf>,
    /// Ids of the sessions that end with the signature.
    pub ended: HashSet<String>,
}

impl Kept {
    /// Decides about the leaves under the root; `ended` are to end anyhow.
    pub fn decide<'a>(
        leaves: impl Iterator<Item = &'a SessionLeaf>,
        reviewed: Option<&ReviewedSessions>,
        mut ended: HashSet<String>,
        account: Address,
    ) -> Result<Self, AppError> {
        let hashes = |list: fn(&ReviewedSessions) -> &Vec<B256>| {
            reviewed.map(|reviewed| list(reviewed).iter().copied().collect::<HashSet<_>>()).unwrap_or_default()
        };
        let (keep, end) = (hashes(|reviewed| &reviewed.keep), hashes(|reviewed| &reviewed.end));
        let mut kept = Vec::new();
        let mut unseen = Vec::new();
        for leaf in leaves.filter(|leaf| !end.is_empty() || !leaf.is_granted_here()) {
            let hash = leaf.hash();
            if ended.contains(&leaf.session_id) || leaf.is_granted_here() && !end.contains(&hash) {
                continue;
            }
            if end.contains(&hash) {
                ended.insert(leaf.session_id.clone());
            } else {
                if (reviewed.is_some() || leaf.has_come_back()) && !keep.contains(&hash) {
                    unseen.push(leaf.session_id.clone());
                }
                kept.push(leaf.clone());
            }
        }
        if !unseen.is_empty() {
            let reason = "nobody has agreed to keep them".to_owned();
            return Err(AppError::SessionsNotReviewed { session_ids: unseen, reason });
        }
        let context = LintContext { account, now: unix_seconds(), ..LintContext::default() };
        let stops = lint_kept(&kept, context).into_iter().filter(|finding| {
            // As for new ones: what a function does by its name is what some apps are for; a review still stops it.
            finding.severity == Severity::Stop
                && !matches!(finding.kind, FindingKind::UnruledSpend | FindingKind::CallsInside | FindingKind::Control)
        });
        let stops = stops.collect::<Vec<_>>();
        let Some(first) = stops.first() else { return Ok(Self { leaves: kept, ended }) };
        let about = stops.iter().filter_map(|finding| kept.get(finding.leaf)).map(|leaf| leaf.session_id.clone());
        let mut session_ids = about.collect::<Vec<_>>();
        session_ids.dedup();
        Err(AppError::SessionsNotReviewed { session_ids, reason: first.text.clone() })
    }

    /// What was decided, for when the operation is built once more: nothing else may come in.
    pub fn as_reviewed(&self, reviewed: Option<&ReviewedSessions>) -> ReviewedSessions {
        match reviewed {
            Some(reviewed) => reviewed.clone(),
            None => ReviewedSessions { keep: self.leaves.iter().map(SessionLeaf::hash).collect(), end: Vec::new() },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use use_aa_protocol::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        policy::Policy,
        session::{SessionBook, SessionStatus},
    };

    const ACCOUNT: Address = Address::repeat_byte(0xaa);

    /// One leaf of our own, and these adopted.
    fn book(contracts: &[Address]) -> SessionBook {
        let leaf = |contract: &Address, function: &str| {
            let leaf =
                SessionLeaf::from_policy(&Policy::new(*contract, function), Address::repeat_byte(1), "own").unwrap();
            SessionLeaf { status: SessionStatus::Active, ..leaf }
        };
        let mut own = SessionBook { leaf_nodes: vec![leaf(&DEMO_NFT, "burn()")], ..Default::default() };
        let mut all = own.clone();
        all.leaf_nodes.extend(contracts.iter().map(|contract| leaf(contract, "safeMint(address)")));
        own.adopt(&all.published().unwrap()).unwrap();
        own
    }

    fn decide(book: &SessionBook, reviewed: Option<&ReviewedSessions>) -> Result<Kept, AppError> {
        Kept::decide(book.tree_leaves().into_iter(), reviewed, HashSet::new(), ACCOUNT)
    }

    #[test]
    fn what_was_not_shown_is_not_kept_and_what_must_not_be_granted_ends_or_stops() {
        let honest = book(&[DEMO_NFT, DEMO_TOKEN]);
        let [nft, token] = [1, 2].map(|index| honest.leaf_nodes[index].hash());
        assert_eq!(decide(&honest, None).unwrap().leaves.len(), 2, "no review: the linter decides");
        let shown = ReviewedSessions { keep: vec![nft, token], end: vec![] };
        assert_eq!(decide(&honest, Some(&shown)).unwrap().leaves.len(), 2);
        let half = ReviewedSessions { keep: vec![nft], end: vec![] };
        let refused = decide(&honest, Some(&half)).unwrap_err();
        assert!(
            matches!(&refused, AppError::SessionsNotReviewed { session_ids, .. } if *session_ids == [token.to_string()])
        );
        let ended = ReviewedSessions { end: vec![token], ..half };
        assert_eq!(decide(&honest, Some(&ended)).unwrap().ended, HashSet::from([token.to_string()]));

        let slipped = book(&[ACCOUNT]);
        let evil = slipped.leaf_nodes[1].hash();
        let reviews = [None, Some(ReviewedSessions { keep: vec![evil], end: vec![] })];
        for reviewed in reviews {
            let refused = decide(&slipped, reviewed.as_ref()).unwrap_err();
            assert_eq!(refused.name(), "SessionsNotReviewed", "{refused}");
        }
        let ended = ReviewedSessions { keep: vec![], end: vec![evil] };
        assert!(decide(&slipped, Some(&ended)).unwrap().leaves.is_empty());
    }
}
