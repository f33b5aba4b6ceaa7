//! From a leaf back to its policy, and the least wider policy that allows a given call: for "extend this session".

use alloy::primitives::{Address, B256, U256};

use super::{Condition, Erc20Policy, FunctionSelector, Policy, ReferenceValue, Rule, SessionPolicy};
use crate::{
    addresses::{ABI_SESSION_VALIDATION_MODULE, ERC20_SESSION_VALIDATION_MODULE},
    known_functions::{ArgumentKind, KnownFunction, known_function},
    session::SessionLeaf,
    session_data::{AbiSessionData, Erc20SessionData},
    simulate::judge_call,
    smart_account::Call,
};

impl SessionPolicy {
    /// What this leaf allows, for a key that is made anew; `None` when its data cannot be read.
    pub fn of_leaf(leaf: &SessionLeaf) -> Option<Self> {
        let interval = leaf.interval();
        match leaf.session_validation_module {
            ABI_SESSION_VALIDATION_MODULE => {
                let data = AbiSessionData::decode(&leaf.session_key_data).ok()?;
                let function = known_function(data.selector);
                let rules = data.rules.iter().map(|(offset, condition, word)| {
                    let offset = u32::from(*offset);
                    Some(Rule {
                        offset,
                        condition: Condition::from_code(*condition)?,
                        reference_value: typed(function, offset, *word),
                    })
                });
                Some(Self::Abi(Policy {
                    session_key_address: None,
                    contract_address: data.contract_address,
                    function_selector: named(data.selector, function),
                    rules: rules.collect::<Option<_>>()?,
                    interval,
                    value_limit: U256::from(data.value_limit),
                }))
            }
            ERC20_SESSION_VALIDATION_MODULE => {
                let data = Erc20SessionData::decode(&leaf.session_key_data).ok()?;
                Some(Self::Erc20(Erc20Policy {
                    session_key_address: None,
                    token: data.token,
                    recipient: data.recipient,
                    max_amount: data.max_amount,
                    interval,
                }))
            }
            _ => None,
        }
    }

    /// This policy, opened just so far that `call` passes: limits rise to the call's amounts, a receiver that must be
    /// one address becomes the call's. For another contract or function: [`Self::exactly`].
    pub fn widened(&self, call: &Call) -> Self {
        match self {
            Self::Abi(policy) if allows_function(policy, call) => {
                let arguments = call.data.get(4..).unwrap_or_default();
                let rules = policy.rules.iter().filter_map(|rule| widened_rule(rule, arguments)).collect();
                Self::Abi(Policy { rules, value_limit: policy.value_limit.max(call.value), ..policy.clone() })
            }
            Self::Erc20(policy) if policy.token == call.to && call.value.is_zero() => match erc20_arguments(call) {
                Some((recipient, amount)) => {
                    let max_amount = policy.max_amount.max(amount);
                    Self::Erc20(Erc20Policy { recipient, max_amount, ..policy.clone() })
                }
                None => self.exactly(call),
            },
            _ => self.exactly(call),
        }
    }

    /// A policy for nothing but calls like this one, in the window of `self`: addresses and unknown words as they are,
    /// amounts up to those of the call.
    pub fn exactly(&self, call: &Call) -> Self {
        let interval = self.interval();
        let selector = call.data.first_chunk().copied().unwrap_or_default();
        let function = known_function(selector);
        let words = call.data.get(4..).unwrap_or_default().chunks_exact(32);
        let rules = (0_u32..).zip(words).map(|(index, word)| {
            let offset = Rule::offset_by_index(index);
            let kind = function.and_then(|function| function.argument_at(offset)).map(|(_, kind)| kind);
            let condition = match kind {
                Some(ArgumentKind::TokenAmount) => Condition::LessThanOrEqual,
                _ => Condition::Equal,
            };
            Rule { offset, condition, reference_value: typed(function, offset, B256::from_slice(word)) }
        });
        Self::Abi(Policy {
            session_key_address: None,
            contract_address: call.to,
            function_selector: named(selector, function),
            rules: rules.collect(),
            interval,
            value_limit: call.value,
        })
    }
}

/// Does one of these policies allow the call?
pub fn allowed_by<'a>(policies: &'a [SessionPolicy], call: &Call) -> Option<&'a SessionPolicy> {
    policies.iter().find(|policy| {
        // Some key or other: whose it is decides about signatures only.
        policy.leaf(Address::repeat_byte(1), "").is_ok_and(|leaf| judge_call(&leaf, call).is_ok())
    })
}

/// The policy that comes nearest to allowing the call: one for its function, else one for its contract.
pub fn nearest(policies: &[SessionPolicy], call: &Call) -> Option<usize> {
    let same_function = |policy: &SessionPolicy| match policy {
        SessionPolicy::Abi(policy) => allows_function(policy, call),
        SessionPolicy::Erc20(_) => false,
    };
    let same_token = |policy: &SessionPolicy| matches!(policy, SessionPolicy::Erc20(policy) if policy.token == call.to);
    policies.iter().position(same_function).or_else(|| policies.iter().position(same_token))
}

/// These policies, opened just so far that each of the calls is allowed by one of them.
pub fn widen_for(mut policies: Vec<SessionPolicy>, calls: &[Call]) -> Vec<SessionPolicy> {
    for call in calls {
        if allowed_by(&policies, call).is_some() {
            continue;
        }
        match nearest(&policies, call) {
            Some(index) => policies[index] = policies[index].widened(call),
            None => match policies.first() {
                Some(first) => {
                    let added = first.exactly(call);
                    policies.push(added);
                }
                None => return policies,
            },
        }
    }
    policies
}

fn allows_function(policy: &Policy, call: &Call) -> bool {
    let called = call.data.first_chunk::<4>();
    policy.contract_address == call.to
        && called.is_some()
        && policy.function_selector.selector().ok().as_ref() == called
}

fn named(selector: [u8; 4], function: Option<&KnownFunction>) -> FunctionSelector {
    function.map_or(FunctionSelector::Raw(selector), |function| FunctionSelector::Signature(function.signature.into()))
}

/// The word as what it is known to be.
fn typed(function: Option<&KnownFunction>, offset: u32, word: B256) -> ReferenceValue {
    match function.and_then(|function| function.argument_at(offset)) {
        Some((_, ArgumentKind::Address)) if word[..12] == [0; 12] => ReferenceValue::Address(Address::from_word(word)),
        Some((_, ArgumentKind::TokenAmount | ArgumentKind::AmountOrId | ArgumentKind::TokenId)) => {
            ReferenceValue::Uint(U256::from_be_bytes(word.0))
        }
        _ => ReferenceValue::Raw(word),
    }
}

/// The rule with a reference that lets the call's word pass; `None` when only dropping it does.
fn widened_rule(rule: &Rule, arguments: &[u8]) -> Option<Rule> {
    let offset = usize::try_from(rule.offset).ok()?;
    let word = B256::from_slice(arguments.get(offset..offset.checked_add(32)?)?);
    let reference = rule.reference_value.word("referenceValue").ok()?;
    if rule.condition.holds(word, reference) {
        return Some(rule.clone());
    }
    let number = U256::from_be_bytes(word.0);
    let one = U256::from(1);
    let wanted = match rule.condition {
        Condition::Equal | Condition::LessThanOrEqual | Condition::GreaterThanOrEqual => number,
        Condition::LessThan => number.checked_add(one)?,
        Condition::GreaterThan => number.checked_sub(one)?,
        Condition::NotEqual => return None,
    };
    let reference_value = match rule.reference_value {
        ReferenceValue::Address(_) if word[..12] == [0; 12] => ReferenceValue::Address(Address::from_word(word)),
        ReferenceValue::Uint(_) => ReferenceValue::Uint(wanted),
        _ => ReferenceValue::Raw(B256::from(wanted)),
    };
    Some(Rule { reference_value, ..rule.clone() })
}

/// Recipient and amount where the ERC-20 module looks for them.
fn erc20_arguments(call: &Call) -> Option<(Address, U256)> {
    let recipient = call.data.get(4..36).filter(|word| word[..12] == [0; 12])?;
    Some((Address::from_slice(&recipient[12..]), U256::from_be_slice(call.data.get(36..68)?)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        policy::SessionEpoch,
    };

    const KEY: Address = Address::repeat_byte(1);
    const OTHER: Address = Address::repeat_byte(7);

    fn call(to: Address, selector: [u8; 4], words: &[U256], value: u64) -> Call {
        let words = words.iter().flat_map(|word| word.to_be_bytes::<32>());
        Call { to, value: U256::from(value), data: selector.into_iter().chain(words).collect::<Vec<_>>().into() }
    }

    fn allows(policy: &SessionPolicy, call: &Call) -> bool {
        judge_call(&policy.leaf(KEY, "id").unwrap(), call).is_ok()
    }

    #[test]
    fn a_leaf_gives_its_policy_back() {
        let window = SessionEpoch { valid_until: 9, valid_after: 3 };
        let policy = Policy {
            interval: window,
            value_limit: U256::from(4),
            ..Policy::new(DEMO_TOKEN, "transfer(address,uint256)").with_rule(0, Condition::Equal, OTHER).with_rule(
                1,
                Condition::LessThan,
                5_u64,
            )
        };
        let transfers = Erc20Policy { interval: window, ..Erc20Policy::new(DEMO_TOKEN, OTHER, U256::from(5)) };
        for policy in [SessionPolicy::Abi(policy), SessionPolicy::Erc20(transfers)] {
            assert_eq!(SessionPolicy::of_leaf(&policy.leaf(KEY, "id").unwrap()), Some(policy));
        }
        assert_eq!(SessionPolicy::of_leaf(&SessionLeaf::default()), None);
    }

    #[test]
    fn a_set_is_widened_where_it_is_nearest() {
        let mint = Policy::new(DEMO_TOKEN, "mint(address,uint256)").with_rule(0, Condition::Equal, KEY).with_rule(
            1,
            Condition::LessThanOrEqual,
            5_u64,
        );
        let transfer = Erc20Policy::new(DEMO_TOKEN, OTHER, U256::from(5));
        let set = vec![SessionPolicy::from(mint), transfer.into()];
        let to = |address: Address| U256::from_be_slice(address.as_slice());
        let mint_more = call(DEMO_TOKEN, [0x40, 0xc1, 0x0f, 0x19], &[to(KEY), U256::from(9)], 0);
        let send_more = call(DEMO_TOKEN, [0xa9, 0x05, 0x9c, 0xbb], &[to(OTHER), U256::from(9)], 0);
        let elsewhere = call(DEMO_NFT, [0x40, 0xd0, 0x97, 0xc3], &[to(KEY)], 0);
        let calls = [mint_more, send_more, elsewhere];
        let wider = widen_for(set.clone(), &calls);
        assert_eq!(wider.len(), 3);
        assert!(calls.iter().all(|call| allowed_by(&wider, call).is_some() && allowed_by(&set, call).is_none()));
        assert_eq!(widen_for(wider.clone(), &calls), wider, "nothing is left to widen");
        assert_eq!(widen_for(Vec::new(), &calls), []);
    }

    #[test]
    fn a_transfer_session_is_opened_to_recipient_and_amount_and_no_further() {
        let policy = SessionPolicy::from(Erc20Policy::new(DEMO_TOKEN, OTHER, U256::from(5)));
        let more = call(DEMO_TOKEN, [0xa9, 5, 0x9c, 0xbb], &[U256::from_be_slice(KEY.as_slice()), U256::from(8)], 0);
        let wider = policy.widened(&more);
        assert_eq!(wider, Erc20Policy::new(DEMO_TOKEN, KEY, U256::from(8)).into());
        let elsewhere = call(DEMO_NFT, [0x40, 0xd0, 0x97, 0xc3], &[U256::from_be_slice(KEY.as_slice())], 0);
        let expected = Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, KEY);
        assert_eq!(policy.widened(&elsewhere), expected.into());
    }

    proptest! {
        /// Whatever the policy and the call: the wider one allows the call, and what was allowed by an upper bound stays.
        #[test]
        fn the_wider_policy_allows_the_call(
            rules in prop::collection::vec((0_u32..2, 0_u8..6, 0_u64..6), 0..2),
            words in prop::array::uniform2(0_u64..6),
            value in 0_u64..3,
        ) {
            let words = words.map(U256::from);
            let call = call(DEMO_TOKEN, [0xa9, 0x05, 0x9c, 0xbb], &words, value);
            let mut policy = Policy::new(DEMO_TOKEN, "transfer(address,uint256)");
            // One rule for each argument: two of them may contradict each other whatever is done to one.
            for (index, (_, condition, reference)) in rules.into_iter().enumerate() {
                policy = policy.with_rule(u32::try_from(index).unwrap(), Condition::from_code(condition).unwrap(), reference);
            }
            let policy = SessionPolicy::from(policy);
            let wider = policy.widened(&call);
            prop_assert!(allows(&wider, &call), "{wider:?}");
            if allows(&policy, &call) {
                prop_assert_eq!(wider, policy);
            }
        }
    }
}
