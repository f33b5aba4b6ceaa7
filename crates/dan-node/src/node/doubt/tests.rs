//! What liars can have honest nodes do with their shares: the very rules, every lie.
use std::collections::{BTreeMap, BTreeSet};

use alloy::primitives::B256;
use proptest::prelude::*;

use super::{super::epochs::newest_of_all, Report, all_use, decision};

const OLD: B256 = B256::repeat_byte(1);
const NEW: B256 = B256::repeat_byte(2);
/// Honest nodes, and one that lies: the n of a network with t = 3.
const HONEST: usize = 4;

/// What an honest node has.
#[derive(Clone, Copy, Debug)]
struct Has {
    current: B256,
    staged: B256,
    previous: B256,
}

impl Has {
    fn says(self) -> Report {
        (self.current, if self.staged.is_zero() { self.previous } else { self.staged })
    }

    fn marks(self) -> BTreeSet<B256> {
        [self.current, self.staged, self.previous].into_iter().filter(|mark| !mark.is_zero()).collect()
    }

    fn commit(&mut self) {
        *self = Self { current: NEW, staged: B256::ZERO, previous: OLD };
    }

    /// `Node::settle`.
    fn settle(&mut self, answers: &BTreeMap<u8, Report>) {
        if !self.staged.is_zero() {
            match decision(self.staged, answers, HONEST) {
                Some(true) => self.commit(),
                Some(false) => self.staged = B256::ZERO,
                None => return,
            }
        }
        if all_use(self.current, answers, HONEST) {
            self.previous = B256::ZERO;
        }
    }
}

/// The liar's word, or none.
fn lie() -> impl Strategy<Value = Option<Report>> {
    let mark = || prop::sample::select(vec![B256::ZERO, OLD, NEW]);
    prop::option::of((mark(), mark()))
}

fn report(of: &[Has], me: usize, hears: u8, lie: Option<Report>) -> BTreeMap<u8, Report> {
    let heard = of.iter().enumerate().filter(|(node, _)| *node != me && hears & (1 << *node) != 0);
    let heard = heard.map(|(node, has)| (u8::try_from(node).unwrap_or_default(), has.says()));
    heard.chain(lie.map(|lie| (9, lie))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Whoever prepared, whatever the liar says to whom and whoever is not heard: all honest nodes can go on together.
    #[test]
    fn no_lie_leaves_honest_nodes_without_shares_in_common(
        prepared in 0u8..16,
        steps in prop::collection::vec((0usize..HONEST, any::<u8>(), lie()), 0..40),
    ) {
        let mut nodes = [0, 1, 2, 3].map(|node| {
            let staged = if prepared & (1 << node) == 0 { B256::ZERO } else { NEW };
            Has { current: OLD, staged, previous: B256::ZERO }
        });
        for (me, hears, lie) in steps {
            let answers = report(&nodes, me, hears, lie);
            nodes[me].settle(&answers);
            let common = nodes.iter().map(|has| has.marks()).reduce(|all, marks| &all & &marks).unwrap_or_default();
            prop_assert!(!common.is_empty(), "{nodes:?}");
            // And any of them find them, each by itself.
            let found: BTreeSet<_> = (0..HONEST).map(|me| {
                let own: Vec<_> = nodes[me].marks().into_iter().map(|mark| (u64::from(mark == NEW), mark)).collect();
                newest_of_all(&own, &report(&nodes, me, u8::MAX, None))
            }).collect();
            prop_assert!(found.len() == 1 && !found.contains(&None), "{nodes:?}");
        }
    }
}

/// The attack: only two of four prepared, and the liar tells them that it has committed.
#[test]
fn two_that_were_lied_to_still_sign_with_the_two_others() {
    let plain = Has { current: OLD, staged: B256::ZERO, previous: B256::ZERO };
    let mut nodes = [Has { staged: NEW, ..plain }, Has { staged: NEW, ..plain }, plain, plain];
    for me in [0, 1] {
        let answers = report(&nodes, me, u8::MAX, Some((NEW, B256::ZERO)));
        nodes[me].settle(&answers);
        assert_eq!((nodes[me].current, nodes[me].previous), (NEW, OLD));
    }
    let with_others = report(&nodes, 0, u8::MAX, None);
    assert_eq!(newest_of_all(&[(1, NEW), (0, OLD)], &with_others), Some(OLD));
    // The honest: all have prepared and one has committed. All do, and then the old shares go.
    let mut nodes = [Has { staged: NEW, ..plain }; HONEST];
    nodes[0].commit();
    for _ in 0..2 {
        for me in 0..HONEST {
            let answers = report(&nodes, me, u8::MAX, Some((NEW, B256::ZERO)));
            nodes[me].settle(&answers);
        }
    }
    assert!(nodes.iter().all(|has| has.marks() == BTreeSet::from([NEW])), "{nodes:?}");
}
