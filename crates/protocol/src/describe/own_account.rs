//! Rules that keep a session to the account that grants it.

use alloy::primitives::Address;

use super::{Constraint, DescribedValue, PolicyDescription};
use crate::policy::Condition;

impl Constraint {
    /// The rule that binds an argument to the own account: said as "only for your own account".
    fn is_for(&self, account: Address) -> bool {
        self.condition == Ok(Condition::Equal) && self.value == DescribedValue::Address(account)
    }
}

impl PolicyDescription {
    /// Does a rule say "only for your own account"? And the rules that are still to be said.
    pub(super) fn beside_own_account(&self, account: Option<Address>) -> (bool, Vec<Constraint>) {
        let mut rules = self.constraints();
        let all = rules.len();
        rules.retain(|rule| account.is_none_or(|account| !rule.is_for(account)));
        (rules.len() < all, rules)
    }
}
