//! Nodes that do not work together, as far as one of the two said so.
//!
//! Nobody knows which of the two is right: a node that blames others without reason is avoided like one that is blamed
//! with reason. Whoever is in the fewest disputes is asked first.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use use_aa_dan::api::NodeRefusal;

/// A node was gone or silent, or nobody knows who spoilt a signature: that may be over soon.
const SHORT: Duration = Duration::from_secs(5);
/// A ban lasts until an operator lifts it; the servers ask from time to time.
const LONG: Duration = Duration::from_secs(10 * 60);

/// Disputes that last, by the two ids, the lower one first.
#[derive(Default)]
pub(super) struct Disputes(Mutex<HashMap<(u8, u8), Instant>>);

impl Disputes {
    /// Learns from the refusals of one request to `signers`.
    pub(super) fn learn<'a>(
        &self,
        refusals: impl Iterator<Item = &'a NodeRefusal> + Clone,
        signers: &[u8],
        now: Instant,
    ) {
        let mut named = false;
        for refusal in refusals.clone() {
            if let Some(peer) = refusal.peer.filter(|peer| signers.contains(peer) && *peer != refusal.node) {
                let lasting = if refusal.code == "peer-banned" { LONG } else { SHORT };
                self.note(refusal.node, peer, now + lasting);
                named = true;
            }
        }
        // Its new shares are not decided on: the others do without it meanwhile.
        for refusal in refusals.clone().filter(|refusal| refusal.code == "share-epoch" && refusal.peer.is_none()) {
            for other in signers.iter().filter(|other| **other != refusal.node) {
                self.note(refusal.node, *other, now + SHORT);
            }
        }
        // The last message of a signature can be wrong without anybody knowing whose it was.
        if !named && refusals.into_iter().any(|refusal| refusal.code == "aborted") {
            for (index, first) in signers.iter().enumerate() {
                signers.iter().skip(index + 1).for_each(|second| self.note(*first, *second, now + SHORT));
            }
        }
    }

    fn note(&self, first: u8, second: u8, until: Instant) {
        let mut disputes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = disputes.entry((first.min(second), first.max(second))).or_insert(until);
        *end = until.max(*end);
    }

    /// In how many this node is.
    pub(super) fn of(&self, node: u8, now: Instant) -> usize {
        let disputes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        disputes.iter().filter(|((first, second), until)| [*first, *second].contains(&node) && **until > now).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(node: u8, code: &str, peer: Option<u8>) -> NodeRefusal {
        NodeRefusal { code: code.into(), message: String::new(), node, peer }
    }

    fn counts(disputes: &Disputes, now: Instant) -> Vec<usize> {
        (1..=5).map(|node| disputes.of(node, now)).collect()
    }

    #[test]
    fn a_banned_node_is_in_more_disputes_than_those_that_banned_it() {
        let (disputes, now) = (Disputes::default(), Instant::now());
        for node in [1, 2] {
            let refusals = [refusal(node, "peer-banned", Some(3)), refusal(4, "peer-refused", None)];
            disputes.learn(refusals.iter(), &[node, 3, 4], now);
        }
        assert_eq!(counts(&disputes, now), [1, 1, 2, 0, 0]);
        assert_eq!(counts(&disputes, now + LONG), [0; 5]);
    }

    #[test]
    fn a_silent_node_is_forgiven_soon_and_a_ban_is_not_shortened() {
        let (disputes, now) = (Disputes::default(), Instant::now());
        disputes.learn([refusal(1, "timeout", Some(2))].iter(), &[1, 2, 3], now);
        assert_eq!(counts(&disputes, now + SHORT / 2), [1, 1, 0, 0, 0]);
        assert_eq!(counts(&disputes, now + SHORT), [0; 5]);
        disputes.learn([refusal(1, "peer-banned", Some(2))].iter(), &[1, 2, 3], now);
        disputes.learn([refusal(2, "timeout", Some(1))].iter(), &[1, 2, 3], now);
        assert_eq!(counts(&disputes, now + SHORT), [1, 1, 0, 0, 0]);
    }

    #[test]
    fn where_nobody_is_named_all_signers_are_avoided_and_who_is_there_twice_most() {
        let (disputes, now) = (Disputes::default(), Instant::now());
        disputes.learn([refusal(1, "aborted", None)].iter(), &[1, 2, 3], now);
        disputes.learn([refusal(4, "aborted", None)].iter(), &[3, 4, 5], now);
        assert_eq!(counts(&disputes, now), [2, 2, 4, 2, 2]);
    }

    #[test]
    fn a_node_in_doubt_about_its_shares_is_passed_over_for_a_moment() {
        let (disputes, now) = (Disputes::default(), Instant::now());
        let refusals =
            [refusal(2, "share-epoch", None), refusal(1, "peer-refused", None), refusal(3, "peer-refused", None)];
        disputes.learn(refusals.iter(), &[1, 2, 3], now);
        assert_eq!(counts(&disputes, now), [1, 2, 1, 0, 0]);
        assert_eq!(counts(&disputes, now + SHORT), [0; 5]);
        // Two of different epochs: each says so of the other.
        disputes.learn([refusal(4, "share-epoch", Some(5))].iter(), &[3, 4, 5], now);
        assert_eq!(counts(&disputes, now), [1, 2, 1, 1, 1]);
    }

    #[test]
    fn nobody_is_blamed_who_did_not_take_part() {
        let (disputes, now) = (Disputes::default(), Instant::now());
        let refusals =
            [refusal(1, "timeout", Some(4)), refusal(2, "peer-down", Some(2)), refusal(3, "policy-violation", None)];
        disputes.learn(refusals.iter(), &[1, 2, 3], now);
        assert_eq!(counts(&disputes, now), [0; 5]);
    }
}
