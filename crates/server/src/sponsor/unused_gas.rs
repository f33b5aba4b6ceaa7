//! How much gas for the calls is paid for on entry point v0.7, where a tenth of what is asked for and not used is charged all
//! the same.
//!
//! Whoever bundles an operation gets that tenth, burns nothing for it, and may well be who asked: a high limit over calls
//! that do nothing would be money for the asking. No estimate tells which calls those are: the code that is called may be
//! the asker's, and do in a bundle something else than before. So the tenth itself is bounded, whoever found the limits.

use alloy::primitives::U256;

use super::policy::Caps;
use use_aa_protocol::{entry_point::EntryPoint, user_operation::UserOperation};

/// What of the gas that is not used is charged for: one of so many parts.
const SHARE: U256 = U256::from_limbs([10, 0, 0, 0]);

impl Caps {
    /// What may be charged for unused gas of one operation when the policy does not say: 1,500,000 gas may be asked for,
    /// as a grant of four actions with two rules each takes.
    pub const UNUSED_CALL_GAS: U256 = U256::from_limbs([150_000, 0, 0, 0]);

    /// Is what is charged if the calls, and the paymaster's work afterwards, use nothing within the cap? The error is the
    /// reason.
    pub(super) fn check_unused(&self, operation: &UserOperation) -> Result<(), String> {
        if operation.entry_point == EntryPoint::V06 {
            return Ok(());
        }
        let post_op = operation.paymaster_gas().unwrap_or_default().post_op;
        let asked = operation.call_gas_limit.saturating_add(post_op);
        let most = self.unused_call_gas.unwrap_or(Self::UNUSED_CALL_GAS);
        if asked / SHARE <= most {
            return Ok(());
        }
        let paid_for = most.saturating_mul(SHARE);
        Err(format!(
            "callGasLimit and paymasterPostOpGasLimit are {asked} together; at most {paid_for} is paid for, as a tenth of \
             what is not used is charged on entry point v0.7 (caps.unused_call_gas of the policy): do less in one operation"
        ))
    }
}
