//! What the rules leave open of the arguments, above all of functions that let something leave the account.

use alloy::primitives::{Address, U256};

use super::{FindingKind, Findings, satisfiable::bounds};
use crate::{
    describe::UNLIMITED,
    known_functions::{ArgumentKind, KnownFunction, Spend, known_function},
    session_data::AbiSessionData,
};

/// Findings about the arguments of an ABI session.
pub(super) fn check(data: &AbiSessionData, account: Address, found: &mut Findings<'_>) {
    let function = known_function(data.selector);
    let words = bounds(&data.rules);
    if words.values().any(|word| word.is_all()) {
        found.warn(FindingKind::VacuousRule, "One of its conditions is true of every value, so it limits nothing.");
    }
    let is_odd = |offset: &u16| {
        !offset.is_multiple_of(32)
            || function.is_some_and(|function| function.argument_at(u32::from(*offset)).is_none())
    };
    if words.keys().any(is_odd) {
        let text = "One of its conditions is about bytes that are no argument of this function.";
        found.warn(FindingKind::OddOffset, text);
    }
    let limits_something = words.values().any(|word| !word.is_all());
    match function.and_then(|function| Some((function, function.spends?))) {
        Some((function, _)) if !limits_something => {
            let text = format!("It may call {} with any arguments, and so take whatever is there.", function.name());
            found.stop(FindingKind::UnruledSpend, text);
        }
        Some((function, spend)) => spending(data, function, spend, account, found),
        None if !limits_something => {
            found.warn(FindingKind::NoRules, "The arguments of the call are not limited: any value is allowed.");
        }
        None => {}
    }
}

/// A transfer or an approval with some conditions: do they limit receiver and amount?
fn spending(data: &AbiSessionData, function: &KnownFunction, spend: Spend, account: Address, found: &mut Findings<'_>) {
    let words = bounds(&data.rules);
    let word = |place: usize| u16::try_from(place * 32).ok().and_then(|offset| words.get(&offset));
    let receiver = word(spend.receiver).and_then(|word| word.only());
    if receiver.is_none() {
        let text = if spend.is_allowance {
            "Anybody may be allowed to take it, not only one address."
        } else {
            "Anybody may be the receiver, not only one address."
        };
        found.warn(FindingKind::AnyReceiver, text);
    }
    let stays_here = receiver.is_some_and(|receiver| receiver == U256::from_be_bytes(account.into_word().0));
    let amount = spend.amount.and_then(|place| Some((place, function.arguments.get(place)?.1)));
    let is_unlimited = match amount {
        // The number of an item is no amount: any one of them may go.
        Some((place, ArgumentKind::TokenId)) => word(place).and_then(|word| word.only()).is_none(),
        Some((place, _)) => word(place).is_none_or(|word| word.highest() >= UNLIMITED),
        None => true,
    };
    if is_unlimited && !stays_here {
        let text = match amount {
            Some((_, ArgumentKind::TokenId)) => "Every item of the collection may leave, not only one.",
            Some(_) => "The amount is not limited.",
            None => "It is about everything the account has there.",
        };
        found.warn(FindingKind::UnlimitedAmount, text);
    }
}
