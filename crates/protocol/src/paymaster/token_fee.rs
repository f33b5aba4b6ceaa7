//! What the token paymaster charges, exactly as the contract reckons it.

use alloy::primitives::U256;

use super::TokenPaymasterData;
use crate::{rpc::GasEstimate, user_operation::UserOperation};

/// Gas of the charge itself, which comes on top of the operation's, gas units (the contract's constant).
pub const POST_OP_GAS: u64 = 45_000;
/// Price markup that adds nothing, millionths.
pub const NO_MARKUP: u32 = 1_000_000;
/// Highest price markup that the contract takes, millionths.
pub const MAX_MARKUP: u32 = 2_000_000;

/// `wei` in smallest units of the token, rounded down twice as the contract does; `None` when it does not fit 256
/// bits, where the contract reverts. The rate is in units per 1e18 wei, the markup in millionths.
pub fn token_amount(wei: U256, exchange_rate: U256, price_markup: u32) -> Option<U256> {
    let native = U256::from(10).pow(U256::from(18));
    let price = wei.checked_mul(exchange_rate)? / native;
    Some(price.checked_mul(U256::from(price_markup))? / U256::from(NO_MARKUP))
}

/// The most that an operation with these limits can be charged: what the contract wants the account to hold.
pub fn most_charged(gas: &GasEstimate, max_fee_per_gas: U256, exchange_rate: U256, price_markup: u32) -> Option<U256> {
    let units = gas
        .verification_gas_limit
        .checked_mul(U256::from(3))?
        .checked_add(gas.call_gas_limit)?
        .checked_add(gas.pre_verification_gas)?
        .checked_add(U256::from(POST_OP_GAS))?;
    token_amount(units.checked_mul(max_fee_per_gas)?, exchange_rate, price_markup)
}

impl TokenPaymasterData {
    /// The most that this operation can be charged under these terms.
    pub fn most_charged(&self, user_operation: &UserOperation) -> Option<U256> {
        let gas = GasEstimate {
            call_gas_limit: user_operation.call_gas_limit,
            verification_gas_limit: user_operation.verification_gas_limit,
            pre_verification_gas: user_operation.pre_verification_gas,
            paymaster: None,
        };
        most_charged(&gas, user_operation.max_fee_per_gas, self.exchange_rate, self.price_markup)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// The operation of vectors/09 costs 111,083,300,000,000 wei at most; checked against the contract in
    /// `tests/onchain/paymasters.rs`.
    #[test]
    fn the_charge_is_the_contracts() {
        let gas = GasEstimate {
            call_gas_limit: U256::from(77_217),
            verification_gas_limit: U256::from(86_895),
            pre_verification_gas: U256::from(772_931),
            paymaster: None,
        };
        let fee = U256::from(100_000_000);
        // one unit per wei
        let rate = U256::from(10).pow(U256::from(18));
        let wei = 111_083_300_000_000_u64 + POST_OP_GAS * 100_000_000;
        assert_eq!(most_charged(&gas, fee, rate, NO_MARKUP), Some(U256::from(wei)));
        assert_eq!(most_charged(&gas, fee, rate, 1_070_000), Some(U256::from(wei) * U256::from(107) / U256::from(100)));
    }

    #[test]
    fn it_rounds_down_twice_and_never_overflows() {
        let (rate, one) = (U256::from(2_000_000_000_u64), U256::ONE);
        assert_eq!(token_amount(U256::from(499_999_999), rate, NO_MARKUP), Some(U256::ZERO));
        assert_eq!(token_amount(U256::from(500_000_000), rate, NO_MARKUP), Some(one));
        assert_eq!(token_amount(U256::from(500_000_000), rate, 1_999_999), Some(one), "1.999999 units are 1");
        assert_eq!(token_amount(U256::MAX, rate, NO_MARKUP), None);
    }
}
