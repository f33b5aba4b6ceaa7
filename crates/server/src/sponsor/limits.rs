//! What a grant may take from, and how that went. Amounts in the database are gwei.

use alloy::primitives::U256;

use super::policy::Open;

/// Stands for "no limit": sums of two of them still fit.
const UNLIMITED: i64 = i64::MAX / 4;
/// Budgets are counted in this, wei.
const GWEI: u64 = 1_000_000_000;

/// What a grant may take from, wei per day, and what may be open; `None` = unlimited.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub(super) account: Option<U256>,
    pub(super) key: Option<U256>,
    pub(super) global: Option<U256>,
    pub(super) open: Open,
}

/// How a grant went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BudgetOutcome {
    /// It is in the ledger and its cost is reserved.
    Written,
    /// Nothing was written: this budget does not reach.
    Exhausted {
        /// Whose.
        budget: &'static str,
        /// Its limit, wei.
        limit: U256,
    },
    /// Nothing was written: too many signatures are neither used nor run out.
    Crowded {
        /// Whose.
        whose: &'static str,
        /// How many may be.
        most: u32,
    },
    /// Nothing was written: signatures that are neither used nor run out have too much reserved.
    Overdrawn {
        /// Whose.
        whose: &'static str,
        /// How much may be, wei.
        most: U256,
    },
}

/// What an amount takes of a budget, gwei, rounded up.
pub(super) fn gwei_up(wei: U256) -> i64 {
    i64::try_from(wei.div_ceil(U256::from(GWEI))).unwrap_or(i64::MAX)
}

/// A limit, gwei, rounded down.
pub(super) fn gwei_limit(wei: Option<U256>) -> i64 {
    wei.map_or(UNLIMITED, |wei| i64::try_from(wei / U256::from(GWEI)).unwrap_or(UNLIMITED).min(UNLIMITED))
}
