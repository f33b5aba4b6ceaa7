//! What may be open of one who asks.
//!
//! Asking costs nothing, and anybody may ask for anybody's account. What is only asked for therefore counts against who
//! asked, a *requester* being a key with an address, or an address alone:
//!
//! - so many signatures of one account, and so many in all, may be open of one requester;
//! - without a key, so much may be reserved by one requester and by all of them together;
//! - an account's budget holds against what the account did cost and what this requester has open for it, so that a stranger
//!   can neither use it up nor stand in its way. Who asks from several addresses at once may get it several times: only
//!   what the owner signs is mined, and then it counts for all;
//! - a reservation is handed over to the same requester's next offer only: a stranger's dearer offer is the stranger's.
//!
//! Keys and the budget of all count everything. All of it is counted last, while the budget that all share is locked:
//! exact, however many ask at once.

use alloy::primitives::U256;

use super::limits::{BudgetOutcome, Limits, gwei_limit};

/// What an account did cost on a day, and what a requester has open for it.
pub(super) const USED_OF_ACCOUNT: &str = "SELECT CAST(COALESCE(SUM(reserved), 0) AS BIGINT) FROM sponsorships WHERE chain_id = $1 \
    AND account = $2 AND day = $3 AND mode = 'SPONSORED' AND state IN ('reserved', 'settled') AND (state = 'settled' OR (state = 'reserved' \
    AND COALESCE(api_key, '') = $4 AND COALESCE(caller, '') = $5))";
/// Those that were handed over hold nothing and are not counted.
pub(super) const OPEN_OF_REQUESTER: &str = "SELECT COUNT(*), COUNT(CASE WHEN account = $4 THEN 1 END), \
    CAST(COALESCE(SUM(reserved), 0) AS BIGINT) FROM sponsorships WHERE chain_id = $1 AND COALESCE(api_key, '') = $2 \
    AND COALESCE(caller, '') = $3 AND state = 'reserved' AND reserved > 0";
pub(super) const OPEN_OF_THE_UNPROVEN: &str = "SELECT CAST(COALESCE(SUM(reserved), 0) AS BIGINT) FROM sponsorships \
    WHERE chain_id = $1 AND api_key IS NULL AND state = 'reserved' AND reserved > 0";

/// What is open, the new signature included, when everybody else waits for the budget that all share. Amounts are gwei.
pub(super) struct RequesterOpen {
    /// What the account did cost today, and what the requester has reserved for it.
    pub(super) of_account: i64,
    /// Signatures of the requester.
    pub(super) open: i64,
    /// Those of them for the same account.
    pub(super) of_the_account: i64,
    /// What they have reserved.
    pub(super) reserved: i64,
    /// What everybody without a key has reserved.
    pub(super) unproven: i64,
    /// There is a key.
    pub(super) proven: bool,
}

impl RequesterOpen {
    /// The limit that is passed, if one is.
    pub(super) fn refuse(&self, limits: &Limits) -> Option<BudgetOutcome> {
        if self.of_account > gwei_limit(limits.account) {
            let limit = limits.account.unwrap_or(U256::MAX);
            return Some(BudgetOutcome::Exhausted { budget: "the account's", limit });
        }
        let counts = [
            ("you have, for this account,", self.of_the_account, limits.open.per_account),
            ("you have", self.open, limits.open.per_caller),
        ];
        for (whose, open, most) in counts {
            if let Some(most) = most.filter(|most| open > i64::from(*most)) {
                return Some(BudgetOutcome::Crowded { whose, most });
            }
        }
        if self.proven {
            return None;
        }
        let amounts = [
            ("your address", self.reserved, limits.open.caller_amount),
            ("everybody without an API key", self.unproven, limits.open.unproven_amount),
        ];
        let passed = amounts.into_iter().find(|(_, reserved, most)| *reserved > gwei_limit(*most));
        passed.map(|(whose, _, most)| BudgetOutcome::Overdrawn { whose, most: most.unwrap_or(U256::MAX) })
    }
}
