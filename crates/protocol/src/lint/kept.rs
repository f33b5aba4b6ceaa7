//! Findings about sessions that are there already and that a signature keeps.

use super::{Finding, FindingKind, LintContext, lint};
use crate::session::SessionLeaf;

/// What there is to say about sessions that a signature would keep, as [`lint`] says it of new ones. Being there already
/// is no fault, nor is a window that is over or never opens; what every key can do is not said again of each. No clock decides whether one of them is a
/// [`Severity::Stop`](super::Severity::Stop).
pub fn lint_kept(leaves: &[SessionLeaf], context: LintContext<'_>) -> Vec<Finding> {
    let mut findings = lint(leaves, LintContext { granted: &[], ..context });
    findings.retain(|finding| {
        use FindingKind::{Duplicate, GasIsUnbounded, WindowOver, WindowReversed};
        !matches!(finding.kind, Duplicate | GasIsUnbounded | WindowOver | WindowReversed)
    });
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::Address;

    use super::*;
    use crate::{addresses::DEMO_NFT, lint::Severity, policy::Policy};

    #[test]
    fn what_would_be_refused_anew_stops_and_what_is_merely_there_or_over_does_not() {
        let account = Address::repeat_byte(0xaa);
        let leaf = |contract, until| {
            let policy = Policy::new(contract, "safeMint(address)").with_valid_until(until);
            SessionLeaf::from_policy(&policy, Address::repeat_byte(1), "id").unwrap()
        };
        let leaves = [leaf(DEMO_NFT, 2_000), leaf(account, 2_000), leaf(DEMO_NFT, 500), leaf(account, 500)];
        let found = lint_kept(
            &leaves,
            LintContext { account, now: 1_000, granted: &[leaves[0].hash()], ..LintContext::default() },
        );
        let stops = found.iter().filter(|finding| finding.severity == Severity::Stop);
        let stops = stops.map(|stop| (stop.leaf, stop.kind)).collect::<Vec<_>>();
        assert_eq!(stops, [(1, FindingKind::OwnAccount), (3, FindingKind::OwnAccount)]);
    }
}
