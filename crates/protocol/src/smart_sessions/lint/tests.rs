//! Each trap is found, and an honest session is let through.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alloy::primitives::{B256, Bytes, FixedBytes, U256};

use super::{super::addresses::*, SessionFindingKind as Kind, *};
use crate::{
    addresses::{DEMO_NFT, DEMO_TOKEN},
    policy::{Condition, Policy},
    smart_sessions::{
        ActionData, ActionLimits, Erc7739Context, Erc7739Data, ParamCondition, ParamRule, SessionLimits,
        UniversalAction, session_of,
    },
};

const ACCOUNT: Address = Address::repeat_byte(0xaa);
const KEY: Address = Address::repeat_byte(7);
const NOW: u64 = 1_000;

fn honest() -> Session {
    let policy = Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, ACCOUNT);
    let policies = [(policy.with_valid_until(NOW + 60).into(), ActionLimits { uses: Some(3), ..Default::default() })];
    let limits = SessionLimits { operations: Some(3), ..Default::default() };
    session_of(&policies, KEY, B256::repeat_byte(9), &limits, ACCOUNT, NOW).unwrap()
}

fn data(config: PolicyConfig) -> PolicyData {
    PolicyData { policy: config.contract().address(), init_data: config.init_data().unwrap() }
}

fn found(session: &Session) -> Vec<(Severity, Kind)> {
    let context = SessionLintContext { account: ACCOUNT, now: NOW, ..Default::default() };
    lint(session, context).into_iter().map(|finding| (finding.severity, finding.kind)).collect()
}

#[test]
fn an_honest_session_is_stopped_by_nothing() {
    assert_eq!(found(&honest()), [(Severity::Warning, Kind::GasIsUnbounded)]);
}

#[test]
fn every_trap_is_stopped() {
    let action = |change: &dyn Fn(&mut ActionData)| {
        let mut session = honest();
        change(&mut session.actions[0]);
        session
    };
    let whole = |change: &dyn Fn(&mut Session)| {
        let mut session = honest();
        change(&mut session);
        session
    };
    let to = |target| action(&|it: &mut ActionData| it.action_target = target);
    let policy = |config: PolicyConfig| action(&|it: &mut ActionData| it.action_policies.push(data(config.clone())));
    let universal = |rule: ParamRule| {
        let rules = UniversalAction { rules: vec![rule], ..Default::default() };
        action(&|it: &mut ActionData| it.action_policies = vec![data(PolicyConfig::UniversalAction(rules.clone()))])
    };
    let only = |config: PolicyConfig| action(&|it: &mut ActionData| it.action_policies = vec![data(config.clone())]);
    let range = B256::from((U256::from(2) << 128_usize) | U256::from(1));
    let spending = PolicyConfig::SpendingLimit(vec![(DEMO_TOKEN, U256::from(5))]);
    let spend = |selector: [u8; 4]| ActionData {
        action_target: DEMO_TOKEN,
        action_target_selector: FixedBytes(selector),
        action_policies: vec![data(spending.clone())],
    };
    let window = |valid_until, valid_after| PolicyConfig::TimeFrame(SessionEpoch { valid_until, valid_after });
    for (session, kind) in [
        (to(FALLBACK_TARGET), Kind::Fallback),
        (to(ACCOUNT), Kind::OwnAccount),
        (to(SMART_SESSION), Kind::ObedientContract),
        (to(crate::entry_point::EntryPoint::V07.address()), Kind::ObedientContract),
        (to(crate::accounts::nexus::NexusRelease::V1_0_2.parts().owner_validator), Kind::ObedientContract),
        (to(Address::ZERO), Kind::ZeroAddress),
        (policy(PolicyConfig::UsageLimit(5)), Kind::OverwrittenPolicy),
        (only(PolicyConfig::Sudo), Kind::OpenAction),
        (only(PolicyConfig::UsageLimit(5)), Kind::OpenAction),
        // Sending native currency has no arguments that rules could look at, and the value in them stands in no words.
        (
            action(&|it| {
                it.action_target_selector = VALUE_SELECTOR.into();
                let rule = ParamRule::always();
                let judged = UniversalAction { value_limit_per_use: U256::MAX, rules: vec![rule] };
                it.action_policies = vec![data(PolicyConfig::UniversalAction(judged))];
            }),
            Kind::OpenAction,
        ),
        (only(window(0, 0)), Kind::NeverWorks),
        (only(PolicyConfig::ValueLimit(U256::ZERO)), Kind::NeverWorks),
        (only(PolicyConfig::UniversalAction(UniversalAction::default())), Kind::NeverWorks),
        (universal(ParamRule::new(0, ParamCondition::InRange, range)), Kind::NeverWorks),
        (universal(ParamRule { used: U256::from(1), ..ParamRule::always() }), Kind::NeverWorks),
        (universal(ParamRule::new(u64::MAX - 40, ParamCondition::Equal, range)), Kind::NeverWorks),
        (only(window(NOW, 0)), Kind::WindowOver),
        (action(&|it| it.action_policies.clear()), Kind::NothingAllowed),
        (action(&|it| it.action_policies[0].init_data = vec![1; 9].into()), Kind::Malformed),
        (action(&|it| it.action_policies[1].init_data = vec![1; 17].into()), Kind::Malformed),
        (action(&|it| it.action_policies[1].policy = KEY), Kind::UnknownPolicy),
        (whole(&|it| it.actions.clear()), Kind::NothingAllowed),
        (whole(&|it| it.actions.push(it.actions[0].clone())), Kind::DuplicateAction),
        (
            whole(&|it| it.actions = vec![spend([0xa9, 0x05, 0x9c, 0xbb]), spend([0x09, 0x5e, 0xa7, 0xb3])]),
            Kind::LimitPerAction,
        ),
        (whole(&|it| it.user_op_policies.push(data(window(NOW + 9, 0)))), Kind::GasIsUnbounded),
        (whole(&|it| it.user_op_policies.push(data(window(0, NOW + 90)))), Kind::EmptyWindow),
        (whole(&|it| it.user_op_policies.push(data(spending.clone()))), Kind::UnsupportedPolicy),
        (whole(&|it| it.salt = B256::ZERO), Kind::PredictableSalt),
        (whole(&|it| it.session_validator = KEY), Kind::UnknownValidator),
        (whole(&|it| it.session_validator_init_data = KEY.into_word().into()), Kind::BadKey),
        (whole(&|it| it.session_validator_init_data = Address::ZERO.to_vec().into()), Kind::ZeroAddress),
        (
            whole(&|it| {
                it.user_op_policies.clear();
                it.permit_erc4337_paymaster = true;
            }),
            Kind::SponsoringNeedsPolicy,
        ),
        (
            whole(&|it| {
                it.erc7739_policies =
                    Erc7739Data { allowed_erc7739_content: vec![Erc7739Context::default()], ..Default::default() }
            }),
            Kind::SignsMessages,
        ),
    ] {
        let all = found(&session);
        let is_warning = kind == Kind::GasIsUnbounded; // the honest control among them
        let expected = if is_warning { Severity::Warning } else { Severity::Stop };
        assert!(all.contains(&(expected, kind)), "{kind:?}: {all:?}");
        assert_eq!(all.iter().any(|(severity, _)| *severity == Severity::Stop), !is_warning, "{all:?}");
    }
}

/// Trap: enabling again sets counters back.
#[test]
fn an_enabled_session_is_not_granted_again() {
    let id = ids::permission_id(&honest());
    let other = Session { actions: vec![], ..honest() };
    assert_eq!(ids::permission_id(&other), id, "policies are no part of the identity");
    let context = SessionLintContext { account: ACCOUNT, now: NOW, enabled: &[id], ..Default::default() };
    assert_eq!(lint(&honest(), context)[0].kind, Kind::AlreadyEnabled);
}

#[test]
fn a_named_contract_may_be_called_with_anything() {
    let mut session = honest();
    session.actions[0].action_policies = vec![PolicyData { policy: SUDO_POLICY, init_data: Bytes::new() }];
    let context =
        SessionLintContext { account: ACCOUNT, now: NOW, named: &[DEMO_NFT], ..SessionLintContext::default() };
    let all = lint(&session, context);
    assert!(all.iter().all(|finding| finding.severity == Severity::Warning), "{all:?}");
    assert!(all.iter().any(|finding| finding.kind == Kind::NativeValue), "{all:?}");
    assert!(all.iter().any(|finding| finding.kind == Kind::NoExpiry), "{all:?}");
}

/// A spending limit bounds the amount of a transfer: not what V2's linter stops, which has no such limit.
#[test]
fn arguments_are_judged_by_v2s_linter_with_the_limits_in_all() {
    let transfer = |config: PolicyConfig| {
        let action = ActionData {
            action_target: DEMO_TOKEN,
            action_target_selector: FixedBytes([0xa9, 0x05, 0x9c, 0xbb]),
            action_policies: vec![data(config)],
        };
        found(&Session { actions: vec![action], ..honest() })
    };
    let limited = transfer(PolicyConfig::SpendingLimit(vec![(DEMO_TOKEN, U256::from(5))]));
    assert!(limited.iter().all(|(severity, _)| *severity == Severity::Warning), "{limited:?}");
    assert!(limited.contains(&(Severity::Warning, Kind::Arguments(FindingKind::AnyReceiver))), "{limited:?}");
    let always = UniversalAction { rules: vec![ParamRule::always()], ..Default::default() };
    let free = transfer(PolicyConfig::UniversalAction(always));
    assert!(free.contains(&(Severity::Stop, Kind::Arguments(FindingKind::UnruledSpend))), "{free:?}");
}
