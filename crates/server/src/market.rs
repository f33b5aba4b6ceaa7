//! What gas may cost: one formula for everybody who pays.
//!
//! *Due* is what the node says now ([`Market::due`]): twice its base fee and its tip. A bundler may advise
//! [`DEFAULT_BUNDLER_FACTOR`] times that (`USE_AA_BUNDLER_FEE_FACTOR`), so that there is room for bundlers that demand
//! more. A sponsor pays up to [`DEFAULT_FEE_FACTOR`] times (`caps.fee_factor` of the policy) what is due by the node or by
//! such an advice, whichever is more: fees rise while a person reads. Both hold for `maxFeePerGas` and, more important,
//! for `maxPriorityFeePerGas`: whoever bundles an operation keeps its tip, and may well be who sent it.

use alloy::primitives::U256;

use use_aa_actions::error::{AppError, Upstream};
use use_aa_protocol::{rpc::GasFees, user_operation::UserOperation};

/// A bundler may advise so many times what the node says.
pub const DEFAULT_BUNDLER_FACTOR: u64 = 5;
/// A sponsor pays up to so many times what is due.
pub const DEFAULT_FEE_FACTOR: u64 = 2;
/// Many nodes say that no tip is needed, and many bundlers want one: this share of the base fee is due in any case.
const TIP_SHARE: u64 = 20;
/// The least tip that is due, wei: the base fee of a chain where nobody sends is next to nothing.
const LEAST_TIP: u64 = 1_000_000;

/// Fees as the node sees them, wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Market {
    /// Of the latest block; 0 on chains without one.
    pub base_fee: U256,
    /// What it advises as tip; the whole gas price on chains without a base fee.
    pub tip: U256,
}

impl Market {
    /// What to offer when no bundler says anything else: enough for a base fee that doubles.
    pub fn advice(&self) -> GasFees {
        GasFees {
            max_fee_per_gas: self.base_fee.saturating_mul(U256::from(2)).saturating_add(self.tip),
            max_priority_fee_per_gas: self.tip,
        }
    }

    /// The formula: what limits are multiples of.
    pub fn due(&self) -> GasFees {
        let tip = self.tip.max(self.base_fee / U256::from(TIP_SHARE)).max(U256::from(LEAST_TIP));
        Self { tip, ..*self }.advice()
    }

    /// With another tip where that is more, up to `factor` times what is due.
    pub(super) fn with_tip_of(&self, tip: Option<U256>, factor: u64) -> Self {
        let most = times(&self.due(), factor).max_priority_fee_per_gas;
        Self { tip: self.tip.max(tip.unwrap_or_default().min(most)), ..*self }
    }

    /// This advice, raised where its tip is less than this market's.
    pub(super) fn larger_than(&self, advice: GasFees) -> GasFees {
        match self.tip > advice.max_priority_fee_per_gas {
            true => larger(&advice, &self.advice()),
            false => advice,
        }
    }

    /// Is a bundler's advice at most `factor` times what is due? Compares the tip that is effective, `min(maxFee − baseFee,
    /// maxPriorityFee)`: on some chains bundlers want both fees to be the same.
    pub fn check_advice(&self, advice: &GasFees, factor: u64) -> Result<(), AppError> {
        let most = times(&self.due(), factor);
        let earned = advice.max_fee_per_gas.saturating_sub(self.base_fee).min(advice.max_priority_fee_per_gas);
        for (name, advised, most) in [
            ("maxFeePerGas", advice.max_fee_per_gas, most.max_fee_per_gas),
            ("maxPriorityFeePerGas", earned, most.max_priority_fee_per_gas),
        ] {
            if advised > most {
                let reason = format!(
                    "it advises {name} {advised}; at most {most} is believed, {factor} times what the node says \
                     (USE_AA_BUNDLER_FEE_FACTOR)"
                );
                return Err(AppError::UpstreamMalformed { upstream: Upstream::Bundler, reason });
            }
        }
        Ok(())
    }
}

/// Are the operation's fees at most `factor` times what is due?
pub(super) fn check_against(user_operation: &UserOperation, due: &GasFees, factor: u64) -> Result<(), AppError> {
    let most = times(due, factor);
    for (name, asked, most) in [
        ("maxFeePerGas", user_operation.max_fee_per_gas, most.max_fee_per_gas),
        ("maxPriorityFeePerGas", user_operation.max_priority_fee_per_gas, most.max_priority_fee_per_gas),
    ] {
        if asked > most {
            let reason = format!(
                "{name} {asked}; at most {most} is paid now, {factor} times what is due (caps.fee_factor of the \
                 sponsorship policy)"
            );
            return Err(AppError::SponsorshipRefused { reason });
        }
    }
    Ok(())
}

fn times(fees: &GasFees, factor: u64) -> GasFees {
    let times = |fee: U256| fee.saturating_mul(U256::from(factor));
    GasFees {
        max_fee_per_gas: times(fees.max_fee_per_gas),
        max_priority_fee_per_gas: times(fees.max_priority_fee_per_gas),
    }
}

/// The larger of each of two fees.
pub(super) fn larger(one: &GasFees, other: &GasFees) -> GasFees {
    GasFees {
        max_fee_per_gas: one.max_fee_per_gas.max(other.max_fee_per_gas),
        max_priority_fee_per_gas: one.max_priority_fee_per_gas.max(other.max_priority_fee_per_gas),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const GWEI: u64 = 1_000_000_000;

    fn market(base_fee: u64, tip: u64) -> Market {
        Market { base_fee: U256::from(base_fee), tip: U256::from(tip) }
    }

    fn fees(max: u64, tip: u64) -> GasFees {
        GasFees { max_fee_per_gas: U256::from(max), max_priority_fee_per_gas: U256::from(tip) }
    }

    /// What alto asks for, measured or computed from its rules, on chains of several kinds.
    #[test]
    fn honest_bundlers_are_believed_and_paid() {
        for (chain, market, advice) in [
            ("Ethereum", market(10 * GWEI, GWEI / 10), fees(12 * GWEI + GWEI / 10, GWEI / 10)),
            ("Polygon: its gas station asks more than the node", market(GWEI, 25 * GWEI), fees(60 * GWEI, 45 * GWEI)),
            ("Arbitrum: the node wants no tip, alto a 200th", market(GWEI / 100, 0), fees(GWEI / 83, GWEI / 16_600)),
            ("OP stack", market(5_000_000, 1_000_000), fees(7_000_000, 1_000_000)),
            ("the lab at rest", market(7, GWEI), fees(GWEI + 8, GWEI)),
            ("no base fee", market(0, 5 * GWEI), fees(6 * GWEI, 6 * GWEI)),
            ("both fees the same", market(20 * GWEI, GWEI), fees(24 * GWEI, 24 * GWEI)),
            ("gas for nothing", market(0, 0), fees(0, 0)),
        ] {
            let believed = market.check_advice(&advice, DEFAULT_BUNDLER_FACTOR);
            assert_eq!(believed, Ok(()), "{chain}");
            let operation = UserOperation {
                max_fee_per_gas: advice.max_fee_per_gas,
                max_priority_fee_per_gas: advice.max_priority_fee_per_gas,
                ..Default::default()
            };
            let due = larger(&market.due(), &advice);
            assert_eq!(check_against(&operation, &due, DEFAULT_FEE_FACTOR), Ok(()), "{chain}");
        }
    }

    #[test]
    fn a_margin_is_added_up_to_the_bound() {
        let market = market(10 * GWEI, GWEI);
        let tip = |tip: u64| market.with_tip_of(Some(U256::from(tip)), 5).advice();
        assert_eq!(tip(2 * GWEI), fees(22 * GWEI, 2 * GWEI));
        assert_eq!(tip(GWEI / 2), market.advice(), "less than the node's is none");
        assert_eq!(tip(1_000 * GWEI), fees(25 * GWEI, 5 * GWEI), "and no more than is believed");
        assert_eq!(market.with_tip_of(None, 5), market);
        let raised = market.with_tip_of(Some(U256::from(2 * GWEI)), 5);
        assert_eq!(raised.larger_than(fees(30 * GWEI, GWEI)), fees(30 * GWEI, 2 * GWEI));
        assert_eq!(raised.larger_than(fees(12 * GWEI, 3 * GWEI)), fees(12 * GWEI, 3 * GWEI));
    }

    #[test]
    fn a_bundler_that_asks_far_too_much_is_named_with_what_to_set() {
        let market = market(10 * GWEI, GWEI);
        for (advice, field) in [
            (fees(21_000 * GWEI, GWEI), "maxFeePerGas"),
            (fees(100 * GWEI, 6 * GWEI), "maxPriorityFeePerGas"),
            (fees(100 * GWEI, 90 * GWEI), "maxPriorityFeePerGas"),
        ] {
            let told = market.check_advice(&advice, DEFAULT_BUNDLER_FACTOR).unwrap_err();
            let AppError::UpstreamMalformed { upstream: Upstream::Bundler, reason } = &told else { panic!("{told:?}") };
            assert!(reason.contains(field) && reason.contains("USE_AA_BUNDLER_FEE_FACTOR"), "{reason}");
            assert_eq!(market.check_advice(&advice, 1_000), Ok(()));
        }
    }

    #[test]
    fn both_fees_are_bounded() {
        let due = market(10 * GWEI, GWEI).due();
        let asking = |max: u64, tip: u64| {
            let operation = UserOperation {
                max_fee_per_gas: U256::from(max * GWEI),
                max_priority_fee_per_gas: U256::from(tip * GWEI),
                ..Default::default()
            };
            check_against(&operation, &due, DEFAULT_FEE_FACTOR)
        };
        assert_eq!(asking(42, 2), Ok(()));
        for (max, tip, field) in [(43, 2, "maxFeePerGas"), (42, 3, "maxPriorityFeePerGas")] {
            let told = asking(max, tip).unwrap_err().to_string();
            assert!(told.contains(field) && told.contains("caps.fee_factor"), "{told}");
        }
    }
}
