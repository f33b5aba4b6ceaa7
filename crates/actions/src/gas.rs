//! Percentages on gas limits and fees, in exact integers (docs/protocol.md 6.3; `@biconomy/use-aa` uses doubles, 10-S7 and 10-S8).

use alloy::primitives::U256;

use super::options::GasOffset;
use crate::error::AppError;
use use_aa_protocol::{
    rpc::{GasEstimate, GasFees},
    user_operation::UserOperation,
};

/// Raises the operation's fees by their percentages.
pub fn offset_fees(fees: &GasFees, offset: &GasOffset) -> Result<GasFees, AppError> {
    Ok(GasFees {
        max_fee_per_gas: raise(
            fees.max_fee_per_gas,
            offset.max_fee_per_gas_offset_pct,
            "gasOffset.maxFeePerGasOffsetPct",
        )?,
        max_priority_fee_per_gas: raise(
            fees.max_priority_fee_per_gas,
            offset.max_priority_fee_per_gas_offset_pct,
            "gasOffset.maxPriorityFeePerGasOffsetPct",
        )?,
    })
}

/// Raises the limits by their percentages.
pub fn offset_limits(gas: &GasEstimate, offset: &GasOffset) -> Result<GasEstimate, AppError> {
    Ok(GasEstimate {
        call_gas_limit: raise(gas.call_gas_limit, offset.call_gas_limit_offset_pct, "gasOffset.callGasLimitOffsetPct")?,
        verification_gas_limit: raise(
            gas.verification_gas_limit,
            offset.verification_gas_limit_offset_pct,
            "gasOffset.verificationGasLimitOffsetPct",
        )?,
        pre_verification_gas: raise(
            gas.pre_verification_gas,
            offset.pre_verification_gas_offset_pct,
            "gasOffset.preVerificationGasOffsetPct",
        )?,
        paymaster: gas.paymaster,
    })
}

/// Puts the limits into the operation.
pub fn set_limits(user_operation: &mut UserOperation, gas: &GasEstimate) {
    gas.set(user_operation);
}

fn raise(value: U256, percent: Option<u32>, field: &str) -> Result<U256, AppError> {
    let percent = percent.unwrap_or(0);
    if percent > GasOffset::MAX_PCT {
        return Err(AppError::invalid(field, format!("0 to {} per cent", GasOffset::MAX_PCT), percent));
    }
    let raised = value.checked_mul(U256::from(100 + u64::from(percent))).map(|product| product / U256::from(100));
    raised.ok_or_else(|| AppError::invalid(field, "a value that fits in 256 bits", value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn raised(value: U256, percent: u32) -> Result<U256, AppError> {
        raise(value, Some(percent), "x")
    }

    #[test]
    fn matches_the_js_sdks_example_and_stays_exact() {
        // vectors/14: 86 895 + 50 % -> 130 342
        assert_eq!(raised(U256::from(86_895), 50).unwrap(), U256::from(130_342));
        assert_eq!(raise(U256::from(5), None, "x").unwrap(), U256::from(5));
        // docs/protocol.md 10-S8: a double's text of 1e21 becomes 1 in `@biconomy/use-aa`
        let large = U256::from(10).pow(U256::from(24));
        assert_eq!(raised(large, 10).unwrap(), large / U256::from(10) * U256::from(11));
    }

    #[test]
    fn too_much_is_refused_by_name() {
        assert!(matches!(
            raise(U256::from(1), Some(1001), "gasOffset.callGasLimitOffsetPct"),
            Err(AppError::InvalidInput { field, .. }) if field == "gasOffset.callGasLimitOffsetPct"
        ));
        assert!(raised(U256::MAX, 1).is_err());
    }
}
