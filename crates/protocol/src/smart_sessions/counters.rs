//! What the chain has counted of a session's limits, and how to ask for it.

use alloy::primitives::{Address, U256};

use super::{
    addresses::VALUE_SELECTOR,
    ids,
    policy_data::PolicyConfig,
    reads,
    session::{ActionData, Session},
};
use crate::{
    ProtocolError,
    call::Call,
    session_scheme::{Counted, Counter},
};

/// The limits of a session, in the order of its actions; last what is counted over all its operations.
pub(super) fn counters(session: &Session, account: Address) -> Vec<Counter> {
    let permission = ids::permission_id(session);
    let of_action = |(place, action): (usize, &ActionData)| {
        let config = ids::action_config_id(account, permission, ids::id_of_action(action));
        let policies = action.action_policies.iter().filter_map(|policy| PolicyConfig::read(policy).ok());
        policies
            .flat_map(|policy| of_policy(&policy, action.action_target, config, account))
            .map(|counter| Counter { action: Some(place), ..counter })
            .collect::<Vec<_>>()
    };
    let config = ids::user_op_config_id(account, permission);
    let of_operations = session.user_op_policies.iter().filter_map(|policy| PolicyConfig::read(policy).ok());
    let of_operations = of_operations.flat_map(|policy| of_policy(&policy, Address::ZERO, config, account));
    session.actions.iter().enumerate().flat_map(of_action).chain(of_operations).collect()
}

fn of_policy(
    policy: &PolicyConfig,
    target: Address,
    config: alloy::primitives::B256,
    account: Address,
) -> Vec<Counter> {
    let to = policy.contract().address();
    let asked = |what, most, data, rule| {
        let call = Call { to, value: U256::ZERO, data };
        Counter { action: None, what, most, call, rule }
    };
    match policy {
        PolicyConfig::UsageLimit(most) => {
            vec![asked(Counted::Uses, U256::from(*most), reads::used_call(config, account), None)]
        }
        PolicyConfig::ValueLimit(most) => {
            vec![asked(Counted::Native, *most, reads::used_call(config, account), None)]
        }
        PolicyConfig::SpendingLimit(tokens) => {
            let of_token = |(token, most): &(Address, U256)| {
                asked(Counted::Token(*token), *most, reads::spending_call(config, *token, account), None)
            };
            tokens.iter().map(of_token).collect()
        }
        PolicyConfig::UniversalAction(action) => {
            let limited = action.rules.iter().enumerate().filter_map(|(place, rule)| Some((place, rule.limit?)));
            let call = || reads::universal_action_call(config, account);
            limited.map(|(place, most)| asked(Counted::Token(target), most, call(), Some(place))).collect()
        }
        PolicyConfig::Sudo | PolicyConfig::TimeFrame(_) => Vec::new(),
    }
}

/// What is left, by the contract's answer.
pub(super) fn left(counter: &Counter, answer: &[u8]) -> Result<U256, ProtocolError> {
    match (counter.what, counter.rule) {
        (Counted::Token(_), Some(place)) => {
            let action = reads::decode_universal_action(answer)?;
            let rule = action.rules.get(place);
            let limit = rule.and_then(|rule| rule.limit.map(|limit| limit.saturating_sub(rule.used)));
            limit.ok_or_else(|| ProtocolError::invalid("answer", "the limit that was granted", "none"))
        }
        (Counted::Token(_), None) => reads::decode_spending(answer).map(reads::Spending::remaining),
        (Counted::Uses | Counted::Native, _) => Ok(counter.most.saturating_sub(reads::decode_number(answer)?)),
    }
}

/// How much of a limit calls would take, as its contract would count.
pub(super) fn taken(session: &Session, counter: &Counter, calls: &[Call]) -> U256 {
    let action = counter.action.and_then(|place| session.actions.get(place));
    let concerned = calls.iter().filter(|call| action.is_none_or(|action| is_of(call, action)));
    let sum = |amounts: &mut dyn Iterator<Item = U256>| amounts.fold(U256::ZERO, U256::saturating_add);
    match (counter.what, action) {
        (Counted::Uses, None) => U256::ONE,
        (Counted::Uses, Some(_)) => U256::from(concerned.count()),
        (Counted::Native, _) => sum(&mut concerned.map(|call| call.value)),
        (Counted::Token(_), action) => {
            let policies = action.into_iter().flat_map(|action| &action.action_policies);
            let offset =
                policies.filter_map(|policy| PolicyConfig::read(policy).ok()).find_map(|policy| match policy {
                    PolicyConfig::UniversalAction(action) => {
                        action.rules.get(counter.rule?).and_then(|rule| usize::try_from(rule.offset).ok())
                    }
                    _ => None,
                });
            // The spending limit reads allowances, too: the chain judges that.
            let Some(offset) = offset else { return U256::ZERO };
            let word = |call: &Call| {
                let begin = offset.checked_add(4)?;
                call.data.get(begin..begin.checked_add(32)?).map(U256::from_be_slice)
            };
            sum(&mut concerned.filter_map(word))
        }
    }
}

fn is_of(call: &Call, action: &ActionData) -> bool {
    let selector = call.data.first_chunk::<4>().copied().unwrap_or(VALUE_SELECTOR);
    call.to == action.action_target && selector == action.action_target_selector.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::B256;

    use super::*;
    use crate::{
        addresses::DEMO_TOKEN,
        policy::{Condition, Policy},
        smart_sessions::{ActionLimits, SessionLimits, addresses::USAGE_LIMIT_POLICY, session_of},
    };

    const ACCOUNT: Address = Address::repeat_byte(0xaa);

    #[test]
    fn each_limit_is_asked_of_its_contract_and_what_was_used_is_taken_off() {
        let send = Policy::new(DEMO_TOKEN, "transfer(address to, uint256 amount)")
            .with_rule_on("amount", Condition::LessThanOrEqual, 5)
            .unwrap();
        let limits = ActionLimits { uses: Some(10), totals: vec![(32, U256::from(20))], ..ActionLimits::default() };
        let all = SessionLimits { operations: Some(3), ..SessionLimits::default() };
        let key = Address::repeat_byte(7);
        let session = session_of(&[(send.into(), limits)], key, B256::repeat_byte(9), &all, ACCOUNT, 1).unwrap();
        let counters = counters(&session, ACCOUNT);
        let said = counters.iter().map(|counter| (counter.action, counter.what, counter.most)).collect::<Vec<_>>();
        assert_eq!(
            said,
            [
                (Some(0), Counted::Token(DEMO_TOKEN), U256::from(20)),
                (Some(0), Counted::Uses, U256::from(10)),
                (None, Counted::Uses, U256::from(3)),
            ]
        );
        assert_eq!(counters[1].call.to, USAGE_LIMIT_POLICY);
        assert_ne!(counters[1].call.data, counters[2].call.data, "counted apart");
        let used = U256::from(4).to_be_bytes::<32>();
        assert_eq!(left(&counters[1], &used), Ok(U256::from(6)));
        assert_eq!(left(&counters[2], &used), Ok(U256::ZERO), "more than the limit is nothing left");
        assert!(left(&counters[1], &[1, 2]).is_err());
        assert!(left(&counters[0], &used).is_err(), "no rules in it");

        let send = |amount: u64| {
            let words = [ACCOUNT.into_word().0, U256::from(amount).to_be_bytes::<32>()].concat();
            Call { to: DEMO_TOKEN, value: U256::ZERO, data: [&[0xa9, 0x05, 0x9c, 0xbb][..], &words].concat().into() }
        };
        let taken = |calls: &[Call]| {
            counters.iter().map(|counter| taken(&session, counter, calls).to::<u64>()).collect::<Vec<_>>()
        };
        assert_eq!(taken(&[send(3), send(4)]), [7, 2, 1]);
        assert_eq!(taken(&[Call { to: ACCOUNT, ..send(3) }]), [0, 0, 1], "another contract's");
        let cut = Call { data: send(3).data.slice(..40), ..send(3) };
        assert_eq!(taken(&[cut]), [0, 1, 1]);
    }
}
