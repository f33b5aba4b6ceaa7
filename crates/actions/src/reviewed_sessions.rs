//! What a signature keeps of sessions that were not granted in this browser.
//!
//! The root that a grant, a revocation or a restoration sets is made over everything that stays. What stays is known
//! from the root on chain, which a node tells, and from leaves that anybody may have published: together they could slip
//! sessions in that the owner then signs. So:
//!
//! - What the linter stops is never kept: [`SessionsNotReviewed`](AppError::SessionsNotReviewed), until it is ended by
//!   the same signature. Here nothing is left to the app, as it is for what the app itself grants.
//! - What was taken back in this browser and is under the root again is kept only when a review says so.
//! - Whoever shows a review passes on what it showed ([`ReviewedSessions`]). Then nothing is taken over from others while
//!   the operation is built, and sessions that were not shown are not kept. The same holds, without a review, from the
//!   preparing of an operation to its signature.

use std::collections::HashSet;

use alloy::primitives::{Address, B256};

use super::clock::unix_seconds;
use crate::error::AppError;
use use_aa_protocol::{
    lint::{LintContext, Severity, lint_kept},
    session::{SessionBook, SessionLeaf},
};

/// What a review showed of the sessions that a signature would keep though they were not granted in this browser
/// ([`SessionLeaf::is_granted_here`]), and what was decided. By the leaves' hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewedSessions {
    /// These may stay.
    pub keep: Vec<B256>,
    /// These end with the signature; any session under a root that it sets may be named.
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
    /// Decides about the leaves under the roots that are set anew; `ended` are to end anyhow. `book` holds those under
    /// other roots, too, `modules` are the account's.
    pub fn decide(
        leaves: &[&SessionLeaf],
        book: &SessionBook,
        reviewed: Option<&ReviewedSessions>,
        mut ended: HashSet<String>,
        account: Address,
        modules: &[Address],
    ) -> Result<Self, AppError> {
        let hashes = |list: fn(&ReviewedSessions) -> &Vec<B256>| {
            reviewed.map(|reviewed| list(reviewed).iter().copied().collect::<HashSet<_>>()).unwrap_or_default()
        };
        let (keep, end) = (hashes(|reviewed| &reviewed.keep), hashes(|reviewed| &reviewed.end));
        let mut kept = Vec::new();
        let mut unseen = Vec::new();
        refuse_ends_elsewhere(leaves, book, reviewed)?;
        for leaf in leaves.iter().copied().filter(|leaf| !end.is_empty() || !leaf.is_granted_here()) {
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
        let context = LintContext { account, now: unix_seconds(), modules, ..LintContext::default() };
        let mut stops = lint_kept(&kept, context);
        stops.retain(|finding| finding.severity == Severity::Stop);
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

/// What is to end must end: a root that the signature does not set keeps what it holds. What is under no root any more
/// has ended already.
pub(super) fn refuse_ends_elsewhere(
    leaves: &[&SessionLeaf],
    book: &SessionBook,
    reviewed: Option<&ReviewedSessions>,
) -> Result<(), AppError> {
    let Some(end) = reviewed.map(|reviewed| &reviewed.end).filter(|end| !end.is_empty()) else { return Ok(()) };
    let end = end.iter().copied().collect::<HashSet<_>>();
    let touched = leaves.iter().map(|leaf| leaf.hash()).collect::<HashSet<_>>();
    let is_elsewhere = |leaf: &&SessionLeaf| {
        let hash = leaf.hash();
        leaf.status.in_tree() && end.contains(&hash) && !touched.contains(&hash)
    };
    match book.leaf_nodes.iter().find(is_elsewhere) {
        Some(leaf) => {
            let got = format!("{}, which another session key manager holds", leaf.session_id);
            Err(AppError::invalid("reviewed.end", "sessions under a root that the signature sets", got))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
