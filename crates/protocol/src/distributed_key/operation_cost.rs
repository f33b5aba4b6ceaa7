//! What one operation may cost the account. No module on chain bounds fees, so the nodes do: it is the one limit of a
//! grant that only they keep.

use alloy::primitives::{Address, U256};

use super::{Grant, Refusal};
use crate::{addresses::verifying_paymaster, user_operation::UserOperation};

/// The limit, wei, of new grants for which nobody names another, where gas is not dear ([`default_operation_cost`]), and of
/// those of versions 1 and 2, which name none, where a node was told of no other ([`CostRules`]): 0.05 of the native currency. A modest operation, of half a million gas, passes up to 100 gwei.
pub const DEFAULT_MAX_OPERATION_COST: U256 = U256::from_limbs([50_000_000_000_000_000, 0, 0, 0]);

/// Gas of an operation that is to pass at any fee: a larger one than most.
const MODEST_GAS: U256 = U256::from_limbs([1_000_000, 0, 0, 0]);

/// The first version that names the limit.
const FIRST_VERSION_WITH_LIMIT: u32 = 3;

impl Grant {
    /// The most that the gas of one operation may cost the account, wei, at a node that was told of no other [`CostRules`].
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

/// The limit of a new grant for which nobody names another, wei: [`DEFAULT_MAX_OPERATION_COST`], or a million gas at this
/// fee where gas is so dear that the former would let no operation pass.
pub fn default_operation_cost(max_fee_per_gas: U256) -> U256 {
    default_operation_cost_with_data(max_fee_per_gas, U256::ZERO)
}

/// The same on a chain that takes so much, wei, for putting a modest operation's data on the chain below.
pub fn default_operation_cost_with_data(max_fee_per_gas: U256, data_fee: U256) -> U256 {
    let modest = max_fee_per_gas.saturating_mul(MODEST_GAS).saturating_add(data_fee);
    DEFAULT_MAX_OPERATION_COST.max(modest)
}

/// What a node's operator says about costs: no grant names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostRules {
    /// Paymasters that never charge an account, besides the entry point's
    /// [verifying paymaster](verifying_paymaster).
    pub sponsors: Vec<Address>,
    /// The limit, wei, of grants that name none: those of versions 1 and 2.
    pub unnamed_limit: U256,
}

impl Default for CostRules {
    fn default() -> Self {
        Self { sponsors: Vec::new(), unnamed_limit: DEFAULT_MAX_OPERATION_COST }
    }
}

impl CostRules {
    /// Does the gas of the operation cost the account no more than the grant allows?
    pub(super) fn check(&self, grant: &Grant, operation: &UserOperation) -> Result<(), Refusal> {
        let limit = grant.max_operation_cost.unwrap_or(self.unnamed_limit);
        let cost = self.cost_to_account(operation);
        if cost <= limit { Ok(()) } else { Err(Refusal::OperationCost { limit, cost }) }
    }

    /// The most native currency that the account can lose to fees, wei: what the entry point reserves.
    ///
    /// Only of a sponsor that the node was told of, and of the verifying paymaster, is it known that they take nothing
    /// from the account: they pay, and signed the very fees. A token paymaster takes the price in tokens wherever it has
    /// an allowance, at its own rate, so what is bounded is the gas and not the tokens. Of a paymaster that is not known
    /// here it cannot be told which of the two it is, and a node asks no chain, so it counts as the account paying. A
    /// sponsor that is not known loses nothing by that below the limit; a higher one can be granted.
    fn cost_to_account(&self, operation: &UserOperation) -> U256 {
        let verifying = verifying_paymaster(operation.entry_point);
        let is_sponsor = |paymaster: Address| paymaster == verifying || self.sponsors.contains(&paymaster);
        match operation.paymaster() {
            Some(paymaster) if is_sponsor(paymaster) => U256::ZERO,
            _ => operation.required_prefund(),
        }
    }
}
