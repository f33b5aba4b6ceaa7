//! What no policy bounds: the fees of a session's own operations.

use super::{FindingKind, Findings};
use crate::{distributed_key::is_distributed, session::SessionLeaf};

/// Whoever holds a session key signs whole operations, gas limits and fees among them; the modules look at calls only.
/// Said of every leaf but those that say that nodes share their key: these keep to the limit of the grant.
pub const UNBOUNDED_FEES: &str = "Its calls are limited, its fees are not: whoever has the key decides what its operations cost, and can burn or pocket as fees all the native currency that your account holds (its balance and its deposit at the entry point), and the tokens that a token paymaster may still take.";

pub(super) fn check(leaf: &SessionLeaf, found: &mut Findings<'_>) {
    if !is_distributed(leaf) {
        found.warn(FindingKind::GasIsUnbounded, UNBOUNDED_FEES);
    }
}
