//! Rules that keep a session to the account that grants it.

use alloy::primitives::Address;

use super::{ArgumentPlace, Constraint, DescribedValue, Permission, PolicyDescription};
use crate::{known_functions::PublishedFunction, policy::Condition, reading::Reading};

impl Constraint {
    /// The rule that makes the own account the receiver: said as "only for your own account". Rules about other
    /// addresses are said in full, whatever address they name.
    fn is_for(&self, account: Address) -> bool {
        let is_receiver = matches!(self.place, ArgumentPlace::Argument { is_receiver: true, .. });
        is_receiver && self.condition == Ok(Condition::Equal) && self.value == DescribedValue::Address(account)
    }
}

impl PolicyDescription {
    /// May "only for your own account" be said? And the rules that are still to be said.
    pub(super) fn beside_own_account(&self, account: Option<Address>) -> (bool, Vec<Constraint>) {
        let mut rules = self.constraints();
        let Some(account) = account.filter(|account| self.only_receiver() == Some(*account)) else {
            return (false, rules);
        };
        let all = rules.len();
        rules.retain(|rule| !rule.is_for(account));
        (rules.len() < all, rules)
    }

    fn only_receiver(&self) -> Option<Address> {
        match &self.permission {
            Permission::Call { only_receiver, .. } => *only_receiver,
            Permission::Transfer { recipient, .. } => Some(*recipient),
            Permission::Unreadable { .. } => None,
        }
    }
}

/// The one address that has all benefit of a call; `None` when there may be another, or something goes elsewhere.
pub(super) fn only_receiver(reading: &Reading<'_>, function: &PublishedFunction) -> Option<Address> {
    let receivers = function.effects.iter().map(|effect| effect.receiver().and_then(|path| reading.only(path)));
    let receivers = receivers.collect::<Option<Vec<_>>>()?.concat();
    let first = *receivers.first()?;
    let is_one = first.bit_len() <= 160 && receivers.iter().all(|receiver| *receiver == first);
    is_one.then(|| Address::from_word(first.into()))
}
