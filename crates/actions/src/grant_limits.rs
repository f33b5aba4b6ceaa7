//! What is limited over many calls, as the variables of grants say it: [`ActionLimits`] for each policy, in their order.

use alloy::primitives::U256;

use crate::error::AppError;
use use_aa_protocol::{
    ProtocolError,
    call::VALUE_SELECTOR,
    kind::AccountKind,
    policy::{Condition, SessionPolicy},
    session_scheme::ActionLimits,
};

/// Where the amounts of a policy stand that it bounds from above: bytes after the selector.
fn amounts(policy: &SessionPolicy) -> Vec<u32> {
    match policy {
        // Behind the recipient.
        SessionPolicy::Erc20(_) => vec![32],
        SessionPolicy::Abi(policy) => {
            let is_bound = |condition| matches!(condition, Condition::LessThan | Condition::LessThanOrEqual);
            let mut offsets = Vec::new();
            for rule in policy.rules.iter().filter(|rule| is_bound(rule.condition)) {
                if !offsets.contains(&rule.offset) {
                    offsets.push(rule.offset);
                }
            }
            offsets
        }
    }
}

/// Sets the number of calls of each policy.
pub fn set_uses(limits: &mut Vec<ActionLimits>, policies: usize, uses: u128) {
    limits.resize_with(policies.max(limits.len()), ActionLimits::default);
    limits.iter_mut().for_each(|limits| limits.uses = Some(uses));
}

/// Sets what the amounts that policies bound may add up to, each policy for itself.
///
/// # Errors
/// `Invalid` where no policy bounds an amount: nobody knows what is to be added up.
pub fn set_total(limits: &mut Vec<ActionLimits>, policies: &[SessionPolicy], total: U256) -> Result<(), ProtocolError> {
    limits.resize_with(policies.len().max(limits.len()), ActionLimits::default);
    let mut found = false;
    for (limits, policy) in limits.iter_mut().zip(policies) {
        limits.totals = amounts(policy).into_iter().map(|offset| (offset, total)).collect();
        found |= !limits.totals.is_empty();
    }
    match found {
        true => Ok(()),
        false => Err(ProtocolError::invalid("total", "a policy with an amount of at most so much per call", "none")),
    }
}

/// Sets what the calls of each policy that may send the native currency may send in all, each policy for itself.
///
/// # Errors
/// `Invalid` where no policy lets a call send any: a budget that nothing can use was meant otherwise.
pub fn set_native_total(
    limits: &mut Vec<ActionLimits>,
    policies: &[SessionPolicy],
    total: U256,
) -> Result<(), ProtocolError> {
    limits.resize_with(policies.len().max(limits.len()), ActionLimits::default);
    let mut found = false;
    for (limits, policy) in limits.iter_mut().zip(policies) {
        let may_send = sends_native(policy);
        limits.total_value = may_send.then_some(total);
        found |= may_send;
    }
    match found {
        true => Ok(()),
        false => Err(ProtocolError::invalid("total", "a policy whose calls may send the native currency", "none")),
    }
}

/// May its calls send the native currency? Plain transfers do nothing else, and have no limit of their own for a single one.
fn sends_native(policy: &SessionPolicy) -> bool {
    match policy {
        SessionPolicy::Erc20(_) => false,
        SessionPolicy::Abi(policy) => {
            let is_plain = policy.function_selector.selector().is_ok_and(|selector| selector == VALUE_SELECTOR);
            is_plain || !policy.value_limit.is_zero()
        }
    }
}

/// The limits of the policy at this place.
pub fn limits_at(limits: &[ActionLimits], place: usize) -> ActionLimits {
    limits.get(place).cloned().unwrap_or_default()
}

/// Is anything limited over many calls?
pub fn counts_anything(limits: &[ActionLimits]) -> bool {
    limits.iter().any(|limits| *limits != ActionLimits::default())
}

/// Refuses limits where sessions count nothing.
pub(super) fn refuse_limits(limits: &[ActionLimits]) -> Result<(), AppError> {
    match counts_anything(limits) {
        true => Err(AppError::kind_cannot(AccountKind::BiconomyV2, "a limit over several calls (uses, totals)")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::Address;
    use use_aa_protocol::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        policy::{Erc20Policy, Policy},
    };

    use super::*;
    use crate::{create_batch_session::CreateBatchSessionVariables, create_session::CreateSessionVariables};

    #[test]
    fn each_policy_counts_for_itself_and_only_bounded_amounts_add_up() {
        let to = Address::repeat_byte(1);
        let mint = Policy::new(DEMO_NFT, "safeMint(address to)");
        let send = Erc20Policy::new(DEMO_TOKEN, to, U256::from(5));
        let policy = vec![SessionPolicy::from(mint.clone()), send.into()];
        let variables = CreateBatchSessionVariables { policy, ..Default::default() };
        let variables = variables.with_uses(10).with_total(U256::from(20)).unwrap();
        assert_eq!(variables.limits[0], ActionLimits { uses: Some(10), ..ActionLimits::default() });
        assert_eq!(variables.limits[1].totals, [(32, U256::from(20))]);
        let nothing = CreateSessionVariables { policy: vec![mint], ..Default::default() };
        assert!(nothing.clone().with_total(U256::from(1)).unwrap_err().to_string().starts_with("total"));
        assert!(refuse_limits(&nothing.limits).is_ok());
        assert!(nothing.clone().with_native_total(U256::from(1)).unwrap_err().to_string().starts_with("total"));
        let pays = Policy { value_limit: U256::from(5), ..Policy::new(DEMO_NFT, "buy(uint256 id)") };
        let policy = vec![SessionPolicy::from(pays), Erc20Policy::new(DEMO_TOKEN, to, U256::from(5)).into()];
        let variables = CreateBatchSessionVariables { policy, ..Default::default() };
        let variables = variables.with_native_total(U256::from(9)).unwrap().with_total(U256::from(20)).unwrap();
        let totals = variables.limits.iter().map(|limits| (limits.total_value, limits.totals.len()));
        assert_eq!(totals.collect::<Vec<_>>(), [(Some(U256::from(9)), 0), (None, 1)], "both stand side by side");
        let refused = refuse_limits(&nothing.with_uses(1).limits).unwrap_err();
        assert!(refused.to_string().contains("kind biconomy-v2; those of kind nexus can"), "{refused}");
    }
}
