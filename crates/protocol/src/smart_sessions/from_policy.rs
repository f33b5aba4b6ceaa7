//! Our [`Policy`](crate::policy::Policy) as an action of a session, and what can be limited beyond it.

use alloy::primitives::{Address, B256, FixedBytes, U256};

use super::{
    addresses::{FALLBACK_TARGET, SIMPLE_SIGNER, VALUE_SELECTOR},
    condition::ParamCondition,
    obedient::obeys_account,
    policy_data::PolicyConfig,
    session::{ActionData, MAX_ACTIONS, PolicyData, Session},
    universal::{MAX_RULES, ParamRule, UniversalAction},
};
use crate::{
    ProtocolError,
    known_functions::published_function,
    policy::{Erc20Policy, FunctionSelector, Policy, SessionEpoch, SessionPolicy},
    session_scheme::{ActionLimits, SessionLimits},
};

/// A session of these policies for the lab's session validator. `salt` is random, 32 bytes, for each session anew: with
/// the same key and salt it would be the same session. `now` in unix seconds.
///
/// # Errors
/// `PolicyRefused` or `Invalid` with the field: for what V2 refuses, too, and for what no session can say ("no
/// conditions" on a function without arguments, more than 16 conditions, one function twice).
pub fn session_of(
    policies: &[(SessionPolicy, ActionLimits)],
    session_key: Address,
    salt: B256,
    limits: &SessionLimits,
    account: Address,
    now: u64,
) -> Result<Session, ProtocolError> {
    if session_key.is_zero() {
        return Err(ProtocolError::refused("sessionKeyAddress", "nobody holds the key of the zero address"));
    }
    if salt.is_zero() {
        return Err(ProtocolError::refused("salt", "it must be random, or two sessions become one"));
    }
    if policies.is_empty() || policies.len() > MAX_ACTIONS {
        return Err(ProtocolError::invalid("policies", "1 to 128", policies.len()));
    }
    let mut actions = Vec::<ActionData>::new();
    for (index, (policy, limits)) in policies.iter().enumerate() {
        if policy.session_key_address().is_some_and(|own| own != session_key) {
            let field = format!("policies[{index}].sessionKeyAddress");
            return Err(ProtocolError::refused(field, "a session has one key for all that it may do"));
        }
        let action = action_of(policy, limits, account, now)?;
        let is_same = |other: &ActionData| {
            (other.action_target, other.action_target_selector) == (action.action_target, action.action_target_selector)
        };
        if actions.iter().any(is_same) {
            let field = format!("policies[{index}].functionSelector");
            return Err(ProtocolError::refused(field, "a function of a contract is named once in a session"));
        }
        actions.push(action);
    }
    limits.interval.check(now)?;
    let mut user_op_policies = Vec::new();
    user_op_policies.extend(time_frame(limits.interval)?);
    user_op_policies.extend(limits.operations.map(|most| PolicyConfig::UsageLimit(most).policy_data()).transpose()?);
    if limits.sponsored && user_op_policies.is_empty() {
        // A sponsored operation needs one policy at least.
        user_op_policies.push(PolicyConfig::Sudo.policy_data()?);
    }
    Ok(Session {
        session_validator: SIMPLE_SIGNER,
        session_validator_init_data: session_key.to_vec().into(),
        salt,
        user_op_policies,
        actions,
        permit_erc4337_paymaster: limits.sponsored,
        ..Session::default()
    })
}

fn time_frame(interval: SessionEpoch) -> Result<Option<PolicyData>, ProtocolError> {
    // Without begin and end the policy could never be used: it is left out.
    let is_limited = interval != SessionEpoch::INDEFINITELY;
    is_limited.then(|| PolicyConfig::TimeFrame(interval).policy_data()).transpose()
}

fn action_of(
    policy: &SessionPolicy,
    limits: &ActionLimits,
    account: Address,
    now: u64,
) -> Result<ActionData, ProtocolError> {
    let target = policy.contract();
    if target == FALLBACK_TARGET || obeys_account(target) {
        let reason = "it obeys the account, or stands for other contracts: the session could do anything";
        return Err(ProtocolError::refused("contractAddress", reason));
    }
    let (selector, universal, interval) = match policy {
        SessionPolicy::Abi(policy) => {
            policy.check(account, now)?;
            (policy.function_selector.selector()?, rules_of(policy)?, policy.interval)
        }
        SessionPolicy::Erc20(policy) => {
            policy.check(account, now)?;
            (TRANSFER, Some(transfer_rules(policy)), policy.interval)
        }
    };
    let mut policies = Vec::new();
    match universal {
        Some(universal) => {
            policies.push(PolicyConfig::UniversalAction(with_totals(universal, &limits.totals)?).policy_data()?);
        }
        None if limits.total_value.is_none() => {
            let reason = "a plain transfer of native currency needs a limit in all: no policy limits a single one";
            return Err(ProtocolError::refused("totalValue", reason));
        }
        None => {}
    }
    policies.extend(limits.total_value.map(|most| PolicyConfig::ValueLimit(most).policy_data()).transpose()?);
    policies.extend(limits.uses.map(|most| PolicyConfig::UsageLimit(most).policy_data()).transpose()?);
    policies.extend(time_frame(interval)?);
    Ok(ActionData { action_target_selector: FixedBytes(selector), action_target: target, action_policies: policies })
}

const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];

/// Unlike V2's ERC-20 module this closes the token's other functions.
fn transfer_rules(policy: &Erc20Policy) -> UniversalAction {
    let rules = vec![
        ParamRule::new(0, ParamCondition::Equal, policy.recipient.into_word()),
        ParamRule::new(32, ParamCondition::LessThanOrEqual, B256::from(policy.max_amount)),
    ];
    UniversalAction { value_limit_per_use: U256::ZERO, rules }
}

/// The rules of a policy, conditions renumbered; `None` for plain transfers, which have no arguments.
fn rules_of(policy: &Policy) -> Result<Option<UniversalAction>, ProtocolError> {
    let selector = policy.function_selector.selector()?;
    if selector == VALUE_SELECTOR {
        return match policy.rules.first() {
            None => Ok(None),
            Some(_) => Err(ProtocolError::refused("rules", "a plain transfer has no arguments to look at")),
        };
    }
    if policy.rules.len() > MAX_RULES {
        return Err(ProtocolError::refused("rules", "more than 16 conditions on one function"));
    }
    let mut rules = Vec::new();
    for (index, rule) in policy.rules.iter().enumerate() {
        let reference = rule.reference_value.word(&format!("rules[{index}].referenceValue"))?;
        rules.push(ParamRule::new(rule.offset.into(), rule.condition.into(), reference));
    }
    if rules.is_empty() {
        if has_no_arguments(&policy.function_selector) {
            let reason = "the policy looks at arguments, and this function has none, so that every use would revert; \
                          name a function with an argument";
            return Err(ProtocolError::refused("rules", reason));
        }
        rules.push(ParamRule::always());
    }
    Ok(Some(UniversalAction { value_limit_per_use: policy.value_limit, rules }))
}

fn has_no_arguments(function: &FunctionSelector) -> bool {
    let published = || published_function(function.selector().ok()?).map(|known| known.declaration.to_owned());
    function.canonical().or_else(published).is_some_and(|declared| declared.ends_with("()"))
}

/// Puts each limit in all to a rule about the same word; without one to a rule of its own, true of every word.
fn with_totals(mut universal: UniversalAction, totals: &[(u32, U256)]) -> Result<UniversalAction, ProtocolError> {
    for (index, (offset, most)) in totals.iter().enumerate() {
        if totals.iter().take(index).any(|(other, _)| other == offset) {
            return Err(ProtocolError::refused(format!("totals[{index}]"), "this word is limited already"));
        }
        let offset = u64::from(*offset);
        match universal.rules.iter_mut().find(|rule| rule.offset == offset) {
            Some(rule) => rule.limit = Some(*most),
            None => universal.rules.push(ParamRule { offset, limit: Some(*most), ..ParamRule::always() }),
        }
    }
    if universal.rules.len() > MAX_RULES {
        return Err(ProtocolError::refused("rules", "more than 16 conditions and limits on one function"));
    }
    Ok(universal)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::{
        addresses::{DEMO_NFT, DEMO_TOKEN},
        policy::Condition,
        smart_sessions::addresses::SMART_SESSION,
    };

    const ACCOUNT: Address = Address::repeat_byte(0xaa);
    const KEY: Address = Address::repeat_byte(7);
    const SALT: B256 = B256::repeat_byte(9);

    fn policy() -> Policy {
        Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::LessThanOrEqual, ACCOUNT)
    }

    fn session(policy: Policy, limits: ActionLimits) -> Result<Session, ProtocolError> {
        session_of(&[(policy.into(), limits)], KEY, SALT, &SessionLimits::default(), ACCOUNT, 1_000)
    }

    fn configs(session: &Session) -> Vec<PolicyConfig> {
        session.actions[0].action_policies.iter().map(|policy| PolicyConfig::read(policy).unwrap()).collect()
    }

    #[test]
    fn conditions_are_renumbered_and_limits_stand_beside() {
        let limits = ActionLimits {
            uses: Some(3),
            total_value: Some(U256::from(5)),
            totals: vec![(0, U256::from(9)), (32, U256::from(8))],
        };
        let made = session(policy().with_valid_until(2_000), limits).unwrap();
        let [PolicyConfig::UniversalAction(rules), value, uses, time] = &configs(&made)[..] else { panic!() };
        assert_eq!((rules.rules[0].condition.code(), rules.rules[0].limit), (4, Some(U256::from(9))));
        assert_eq!((rules.rules[1].offset, rules.rules[1].limit), (32, Some(U256::from(8))));
        assert_eq!(*value, PolicyConfig::ValueLimit(U256::from(5)));
        assert_eq!(*uses, PolicyConfig::UsageLimit(3));
        assert_eq!(*time, PolicyConfig::TimeFrame(SessionEpoch { valid_until: 2_000, valid_after: 0 }));
        assert_eq!(made.session_validator_init_data[..], KEY[..]);
        assert!(made.user_op_policies.is_empty() && !made.permit_erc4337_paymaster);
    }

    /// Trap: a sponsored use needs the permission and a policy of whole operations.
    #[test]
    fn a_sponsored_session_has_what_sponsoring_needs() {
        let made = |limits: SessionLimits| {
            session_of(&[(policy().into(), ActionLimits::default())], KEY, SALT, &limits, ACCOUNT, 1_000).unwrap()
        };
        let sponsored = made(SessionLimits { sponsored: true, ..Default::default() });
        assert!(sponsored.permit_erc4337_paymaster);
        assert_eq!(PolicyConfig::read(&sponsored.user_op_policies[0]).unwrap(), PolicyConfig::Sudo);
        let limited = made(SessionLimits { sponsored: true, operations: Some(4), ..Default::default() });
        assert_eq!(limited.user_op_policies.len(), 1);
        assert_eq!(PolicyConfig::read(&limited.user_op_policies[0]).unwrap(), PolicyConfig::UsageLimit(4));
    }

    /// Trap: "no rules" cannot be said.
    #[test]
    fn no_conditions_are_one_that_is_always_true_and_never_on_a_function_without_arguments() {
        let any = session(Policy::new(DEMO_NFT, "safeMint(address)"), ActionLimits::default()).unwrap();
        let [PolicyConfig::UniversalAction(rules)] = &configs(&any)[..] else { panic!() };
        assert_eq!(rules.rules, [ParamRule::always()]);
        for named in ["pause()", "function pause ( ) external"] {
            let error = session(Policy::new(DEMO_NFT, named), ActionLimits::default()).unwrap_err().to_string();
            assert!(error.contains("rules: ") && error.contains("every use would revert"), "{error}");
        }
    }

    #[test]
    fn a_token_policy_closes_the_tokens_other_functions() {
        let erc20 = Erc20Policy::new(DEMO_TOKEN, KEY, U256::from(5));
        let limits = ActionLimits { totals: vec![(32, U256::from(50))], ..Default::default() };
        let made = session_of(&[(erc20.into(), limits)], KEY, SALT, &SessionLimits::default(), ACCOUNT, 1_000).unwrap();
        assert_eq!(made.actions[0].action_target_selector.0, TRANSFER);
        let [PolicyConfig::UniversalAction(rules)] = &configs(&made)[..] else { panic!() };
        assert_eq!(rules.rules[1].limit, Some(U256::from(50)));
        assert_eq!(rules.value_limit_per_use, U256::ZERO);
    }

    #[test]
    fn a_plain_transfer_is_limited_in_all() {
        let plain = Policy { function_selector: FunctionSelector::Raw(VALUE_SELECTOR), ..Policy::new(KEY, "x()") };
        assert!(session(plain.clone(), ActionLimits::default()).unwrap_err().to_string().contains("totalValue"));
        let limits = ActionLimits { total_value: Some(U256::from(5)), ..Default::default() };
        assert_eq!(configs(&session(plain, limits).unwrap()), [PolicyConfig::ValueLimit(U256::from(5))]);
    }

    #[test]
    fn what_no_session_can_or_may_say_is_refused() {
        let to = |contract_address| Policy { contract_address, ..policy() };
        let many = Policy { rules: vec![policy().rules[0].clone(); 17], ..policy() };
        let limits = ActionLimits::default;
        for (policy, limits, field) in [
            (to(SMART_SESSION), limits(), "contractAddress"),
            (to(FALLBACK_TARGET), limits(), "contractAddress"),
            (to(ACCOUNT), limits(), "contractAddress"),
            (to(Address::ZERO), limits(), "contractAddress"),
            (to(crate::entry_point::EntryPoint::V07.address()), limits(), "contractAddress"),
            (to(crate::accounts::nexus::NexusRelease::V1_2_0.parts().owner_validator), limits(), "contractAddress"),
            (many, limits(), "rules"),
            (policy().with_valid_until(1_000), limits(), "interval.validUntil"),
            (policy(), ActionLimits { uses: Some(0), ..limits() }, "usageLimit"),
            (policy(), ActionLimits { total_value: Some(U256::ZERO), ..limits() }, "valueLimit"),
            (policy(), ActionLimits { totals: vec![(0, U256::ZERO)], ..limits() }, "rules[0].limit"),
            (policy(), ActionLimits { totals: vec![(0, U256::from(1)); 2], ..limits() }, "totals[1]"),
            (Policy { session_key_address: Some(ACCOUNT), ..policy() }, limits(), "policies[0].sessionKeyAddress"),
        ] {
            let error = session(policy, limits).unwrap_err().to_string();
            assert!(error.contains(&format!("{field}:")), "{field}: {error}");
        }
        let twice = [(policy().into(), limits()), (policy().into(), limits())];
        let made = |key, salt| session_of(&twice, key, salt, &SessionLimits::default(), ACCOUNT, 0).unwrap_err();
        assert!(made(KEY, SALT).to_string().contains("policies[1].functionSelector"));
        assert!(made(KEY, B256::ZERO).to_string().contains("salt"));
        assert!(made(Address::ZERO, SALT).to_string().contains("sessionKeyAddress"));
    }
}
