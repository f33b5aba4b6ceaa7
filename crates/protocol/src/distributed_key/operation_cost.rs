//! What one operation may cost the account. No module on chain bounds fees, so the nodes do: it is the one limit of a
//! grant that only they keep.

use alloy::primitives::U256;

use super::{Grant, Refusal};
use crate::{addresses::VERIFYING_PAYMASTER, user_operation::UserOperation};

/// The limit, wei, of new grants for which nobody names another, and of those of versions 1 and 2, which name none: 0.05
/// of the native currency. A modest operation, of half a million gas, passes up to 100 gwei.
pub const DEFAULT_MAX_OPERATION_COST: U256 = U256::from_limbs([50_000_000_000_000_000, 0, 0, 0]);

/// The first version that names the limit.
const FIRST_VERSION_WITH_LIMIT: u32 = 3;

impl Grant {
    /// The most that the gas of one operation may cost the account, wei.
    pub fn operation_cost_limit(&self) -> U256 {
        self.max_operation_cost.unwrap_or(DEFAULT_MAX_OPERATION_COST)
    }
}

/// The limit is there exactly when the owner signed it: nobody could slip one into an earlier version.
pub(super) fn check_limit_is_signed(grant: &Grant) -> Result<(), Refusal> {
    match (grant.version >= FIRST_VERSION_WITH_LIMIT, grant.max_operation_cost.is_some()) {
        (true, false) => Err(Refusal::malformed("maxOperationCost", "missing")),
        (false, true) => Err(Refusal::malformed("maxOperationCost", "not part of this version")),
        _ => Ok(()),
    }
}

/// Does the operation cost the account no more than the grant allows?
pub(super) fn check_operation_cost(grant: &Grant, operation: &UserOperation) -> Result<(), Refusal> {
    let (limit, cost) = (grant.operation_cost_limit(), cost_to_account(operation));
    if cost <= limit { Ok(()) } else { Err(Refusal::OperationCost { limit, cost }) }
}

/// The most native currency that the account can lose to fees, wei: what the entry point reserves.
///
/// Only the verifying paymaster is known to take nothing from the account: its signer pays, and signed the very fees. A
/// token paymaster takes the price in tokens wherever it has an allowance, at its own rate, so what is bounded is the gas
/// and not the tokens. Of a paymaster that is not known here it
/// cannot be told which of the two it is, and a node asks no chain, so it counts as the account paying. An honest
/// sponsor loses nothing by that below the limit; a higher one can be granted.
fn cost_to_account(operation: &UserOperation) -> U256 {
    match operation.paymaster() {
        Some(VERIFYING_PAYMASTER) => U256::ZERO,
        _ => operation.required_prefund(),
    }
}
