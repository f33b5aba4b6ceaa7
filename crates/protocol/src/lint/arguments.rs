//! What the rules leave open of the arguments, above all of functions that let something leave the account.

use alloy::primitives::{Address, U256};

use super::{FindingKind, Findings};
use crate::{
    bounds::bounds,
    known_functions::{Amount, ArgumentPath, Effect, PublishedFunction, published_function},
    reading::{Place, Reading},
    session_data::AbiSessionData,
};

/// Amounts from here on are no limit: with the usual 18 decimals 79 billion of a token, more than there is of almost
/// any. A bound below it may still be more than the account has.
pub(super) const ABSURD: U256 = U256::from_limbs([0, 1 << 32, 0, 0]);

/// Findings about the arguments of an ABI session.
pub(super) fn check(data: &AbiSessionData, account: Address, found: &mut Findings<'_>) {
    let rules = bounds(&data.rules);
    if rules.values().any(|word| word.is_all()) {
        found.warn(FindingKind::VacuousRule, "One of its conditions is true of every value, so it limits nothing.");
    }
    let odd = "One of its conditions is about bytes that are no argument of this function.";
    let Some(function) = published_function(data.selector) else {
        if rules.keys().any(|offset| !offset.is_multiple_of(32)) {
            found.warn(FindingKind::OddOffset, odd);
        }
        if rules.values().all(|word| word.is_all()) {
            found.warn(FindingKind::NoRules, NO_RULES);
        } else if rules.keys().any(|offset| *offset > 0) {
            let text = "What this function does is not known here, and so not what its conditions are worth: one about \
                        data of variable length can be got around.";
            found.warn(FindingKind::UnknownFunction, text);
        }
        return;
    };
    let reading = Reading::of(function, &rules);
    let places = rules.keys().map(|offset| reading.place(*offset)).collect::<Vec<_>>();
    if places.iter().any(|place| matches!(place, Place::Nothing)) {
        found.warn(FindingKind::OddOffset, odd);
    }
    if places.iter().any(|place| matches!(place, Place::Evaded)) {
        let text = "One of its conditions can be got around: the call itself says where the function finds that \
                    argument, and the condition looks at one place only. It limits nothing.";
        found.warn(FindingKind::EvadedRule, text);
    }
    let takes_nothing = function.effects.iter().all(|effect| matches!(effect, Effect::Gives(_)));
    if takes_nothing && !reading.limits_something() {
        found.warn(FindingKind::NoRules, NO_RULES);
    }
    for effect in function.effects {
        judge(effect, function, &reading, account, found);
    }
}

const NO_RULES: &str = "The arguments of the call are not limited: any value is allowed.";

/// One thing that the function does: do rules limit who has the benefit, and how much?
fn judge(
    effect: &Effect,
    function: &PublishedFunction,
    reading: &Reading<'_>,
    account: Address,
    found: &mut Findings<'_>,
) {
    let name = function.name();
    let own = U256::from_be_bytes(account.into_word().0);
    let receivers = effect.receiver().map(|path| reading.only(path));
    let anybody = receivers == Some(None);
    let stays_here = matches!(&receivers, Some(Some(all)) if all.iter().all(|receiver| *receiver == own));
    let amount = match effect {
        Effect::Gives(_) => return,
        Effect::Calls(arguments) => {
            if !arguments.iter().all(|path| reading.is_fixed(path)) {
                let text = ["A call of ", name, " carries other calls inside, and nothing limits those."].concat();
                found.stop(FindingKind::CallsInside, text);
            }
            return;
        }
        Effect::Controls(_) if stays_here => return,
        Effect::Controls(Some(_)) if anybody => {
            let text = ["A call of ", name, " lets anybody take control of the contract."].concat();
            return found.stop(FindingKind::Control, text);
        }
        Effect::Controls(Some(_)) => {
            let text = ["A call of ", name, " gives control of the contract, or a part of it, to another address."];
            return found.warn(FindingKind::Control, text.concat());
        }
        Effect::Controls(None) => {
            let text = ["A call of ", name, " gives up control of the contract for good."].concat();
            return found.warn(FindingKind::Control, text);
        }
        Effect::Leaves(_, amount) | Effect::Lends(_, amount) | Effect::Swaps(_, amount) => *amount,
    };
    if is_nothing(amount, reading) {
        return;
    }
    let limit = limit_of(amount, reading);
    // Who says neither to whom nor how much has said nothing.
    if limit.is_none() && receivers.is_none_or(|receivers| receivers.is_none()) {
        let text = [
            "It may call ",
            name,
            ", and no condition limits who receives or how much: it could take whatever is there.",
        ];
        return found.stop(FindingKind::UnruledSpend, text.concat());
    }
    if anybody {
        let text = match effect {
            Effect::Lends(..) => "Anybody may be allowed to take it, not only one address.",
            _ => "Anybody may be the receiver, not only one address.",
        };
        found.warn(FindingKind::AnyReceiver, text);
    }
    // What is swapped leaves, whoever has the rest.
    if stays_here && !matches!(effect, Effect::Swaps(..)) {
        return;
    }
    match limit {
        None => found.warn(FindingKind::UnlimitedAmount, unlimited(amount)),
        Some(Limit::SomeItem(most)) => {
            let text = [
                "The number ",
                &most.to_string(),
                " limits an amount only if the contract is a fungible token. If it is a collection it is the number of \
                 an item, and any item up to it may leave.",
            ];
            found.warn(FindingKind::AmountOrItem, text.concat());
        }
        Some(Limit::Amount) => {}
    }
}

/// Whatever the call says, it moves nothing: an allowance is taken back, a list is empty.
fn is_nothing(amount: Amount, reading: &Reading<'_>) -> bool {
    match amount {
        Amount::AllIf(path) | Amount::Units(path) | Amount::Sum(path) | Amount::Items(_, path) => {
            reading.highest(path).is_zero()
        }
        Amount::All | Amount::Item(_) | Amount::Either(_) => false,
    }
}

/// What limits an amount.
enum Limit {
    /// So much, or one item.
    Amount,
    /// So much if the contract counts amounts, and one of many items if it has items.
    SomeItem(U256),
}

fn limit_of(amount: Amount, reading: &Reading<'_>) -> Option<Limit> {
    let pinned = |path: ArgumentPath| reading.only(path).is_some();
    let is_limited = match amount {
        Amount::All | Amount::AllIf(_) => false,
        Amount::Units(path) | Amount::Sum(path) => reading.highest(path) < ABSURD,
        Amount::Item(path) => pinned(path),
        Amount::Items(item, many) => pinned(item) && reading.highest(many) < ABSURD,
        Amount::Either(path) if pinned(path) => true,
        Amount::Either(path) => {
            let most = reading.highest(path);
            return (most < ABSURD).then_some(Limit::SomeItem(most));
        }
    };
    is_limited.then_some(Limit::Amount)
}

fn unlimited(amount: Amount) -> &'static str {
    match amount {
        Amount::All | Amount::AllIf(_) => "It is about everything the account has there.",
        Amount::Item(_) => "Every item of the collection may leave, not only one.",
        Amount::Items(..) => "Neither one item nor how many of it are set: all the account has there may leave.",
        Amount::Units(_) | Amount::Sum(_) | Amount::Either(_) => UNLIMITED,
    }
}

pub(super) const UNLIMITED: &str = "The amount is not limited, or so high that it is no limit.";
