//! How much gas for the calls is paid for on entry point v0.7, where a tenth of what is asked for and not used is charged all
//! the same.
//!
//! Whoever bundles an operation gets that tenth, burns nothing for it, and may well be who asked: a high limit over calls
//! that do nothing would be money for the asking.

use alloy::primitives::U256;

use super::super::bundler::Bundler;
use use_aa_protocol::{entry_point::EntryPoint, nexus::STUB_SIGNATURE, user_operation::UserOperation};

/// Limits of which the tenth is no more than what any operation costs beside its calls.
const MODEST: U256 = U256::from_limbs([200_000, 0, 0, 0]);
/// What apps and we ourselves add to an estimate, per cent, and where it is small.
const MARGIN: u64 = 150;
const SMALL_MARGIN: U256 = U256::from_limbs([100_000, 0, 0, 0]);

/// Are the limits for the calls, and for the paymaster's work afterwards, what our bundler finds for this operation, or
/// modest? The error is the reason.
pub(super) async fn check(bundler: &Bundler, operation: &UserOperation) -> Result<(), String> {
    let post_op = operation.paymaster_gas().unwrap_or_default().post_op;
    let asked = operation.call_gas_limit.saturating_add(post_op);
    if operation.entry_point == EntryPoint::V06 || asked <= MODEST {
        return Ok(());
    }
    let mut question = operation.clone();
    if question.signature.is_empty() {
        question.signature = STUB_SIGNATURE.to_vec().into();
    }
    let estimate = bundler.estimate(&question, None).await.map_err(|error| {
        format!("callGasLimit {asked}; at most {MODEST} is paid for without an estimate, and there is none: {error}")
    })?;
    let most = estimate.call_gas_limit.saturating_mul(U256::from(MARGIN)) / U256::from(100);
    let most = most.saturating_add(SMALL_MARGIN);
    if asked <= most {
        return Ok(());
    }
    Err(format!(
        "callGasLimit and paymasterPostOpGasLimit are {asked} together; at most {most} is paid for, as the bundler finds that \
         the calls take {}, and on entry point v0.7 a tenth of what is not used is charged",
        estimate.call_gas_limit
    ))
}
