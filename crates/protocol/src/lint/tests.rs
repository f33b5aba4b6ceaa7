#![allow(clippy::unwrap_used, clippy::expect_used)]
use alloy::primitives::U256;

use super::*;
use crate::{
    addresses::{DEMO_NFT, DEMO_TOKEN},
    distributed_key::DanModuleInfo,
    policy::{Condition, Policy},
};

const ACCOUNT: Address = Address::repeat_byte(0xaa);
const KEY: Address = Address::repeat_byte(0x11);
const NOW: u64 = 1_000;

fn leaf(policy: &Policy) -> SessionLeaf {
    SessionLeaf::from_policy(policy, KEY, "id").unwrap()
}

fn mint() -> Policy {
    Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, ACCOUNT).with_valid_until(NOW + 60)
}

fn transfer() -> Policy {
    Policy::new(DEMO_TOKEN, "transfer(address,uint256)").with_valid_until(NOW + 60)
}

/// All but what is said of every key that one party holds.
fn kinds(leaves: &[SessionLeaf]) -> Vec<FindingKind> {
    let found = lint(leaves, LintContext { account: ACCOUNT, now: NOW, granted: &[] });
    let unbounded = |found: &&Finding| found.kind == FindingKind::GasIsUnbounded;
    assert_eq!(found.iter().filter(unbounded).count(), leaves.len(), "{found:?}");
    found.iter().filter(|found| !unbounded(found)).map(|found| found.kind).collect()
}

fn kinds_of(policy: &Policy) -> Vec<FindingKind> {
    kinds(&[leaf(policy)])
}

#[test]
fn a_narrow_policy_has_nothing_to_find() {
    assert_eq!(kinds_of(&mint()), []);
    let narrow = transfer().with_rule(0, Condition::Equal, KEY).with_rule(1, Condition::LessThanOrEqual, 5_u64);
    assert_eq!(kinds_of(&narrow), []);
}

#[test]
fn a_key_that_nodes_share_is_not_said_to_decide_its_fees() {
    let mut shared = leaf(&mint());
    let info = DanModuleInfo {
        mpc_key_id: B256::ZERO.to_string(),
        parties_number: 5,
        threshold: 3,
        eoa_address: ACCOUNT,
        chain_id: 1,
    };
    info.write(&mut shared);
    assert_eq!(lint(&[shared], LintContext { account: ACCOUNT, now: NOW, granted: &[] }), []);
}

#[test]
fn what_obeys_the_account_is_stopped() {
    let to = |contract_address| kinds_of(&Policy { contract_address, ..mint() });
    assert_eq!(to(ACCOUNT), [FindingKind::OwnAccount]);
    for module in OBEDIENT {
        assert_eq!(to(module), [FindingKind::SessionModule], "{module}");
    }
    assert_eq!(to(Address::ZERO), [FindingKind::ZeroAddress]);
}

#[test]
fn windows_are_judged_by_the_clock() {
    let window =
        |valid_until, valid_after| kinds_of(&Policy { interval: SessionEpoch { valid_until, valid_after }, ..mint() });
    assert_eq!(window(0, 0), [FindingKind::NoExpiry]);
    assert_eq!(window(NOW, 0), [FindingKind::WindowOver]);
    assert_eq!(window(NOW + 1, NOW + 2), [FindingKind::WindowReversed]);
    assert_eq!(window(NOW + YEAR + 1, 0), [FindingKind::LongWindow]);
    assert_eq!(window(NOW + YEAR, NOW + YEAR), []);
}

#[test]
fn spending_without_limits_is_stopped_or_pointed_out() {
    use Condition::*;
    assert_eq!(kinds_of(&transfer()), [FindingKind::UnruledSpend]);
    let vacuous = transfer().with_rule(1, GreaterThanOrEqual, 0_u64);
    assert_eq!(kinds_of(&vacuous), [FindingKind::UnruledSpend, FindingKind::VacuousRule]);
    let any_receiver = transfer().with_rule(1, LessThanOrEqual, 5_u64);
    assert_eq!(kinds_of(&any_receiver), [FindingKind::AnyReceiver]);
    let any_amount = transfer().with_rule(0, Equal, KEY);
    assert_eq!(kinds_of(&any_amount), [FindingKind::UnlimitedAmount]);
    let everything = transfer().with_rule(0, Equal, KEY).with_rule(1, LessThanOrEqual, U256::MAX - U256::from(1));
    assert_eq!(kinds_of(&everything), [FindingKind::UnlimitedAmount]);
    let operator = Policy::new(DEMO_NFT, "setApprovalForAll(address,bool)").with_valid_until(NOW + 60);
    assert_eq!(kinds_of(&operator.with_rule(0, Equal, KEY)), [FindingKind::UnlimitedAmount]);
    let item = Policy::new(DEMO_NFT, "safeTransferFrom(address,address,uint256)").with_valid_until(NOW + 60);
    let item = item.with_rule(1, Equal, KEY);
    assert_eq!(kinds_of(&item), [FindingKind::UnlimitedAmount]);
    assert_eq!(kinds_of(&item.with_rule(2, Equal, 7_u64)), []);
    let native = Policy { value_limit: U256::from(1), ..mint() };
    assert_eq!(kinds_of(&native), [FindingKind::NativeValue]);
    assert_eq!(kinds_of(&Policy { rules: vec![], ..mint() }), [FindingKind::NoRules]);
}

#[test]
fn what_cannot_work_is_stopped() {
    let none = mint().with_rule(0, Condition::NotEqual, ACCOUNT);
    assert_eq!(kinds_of(&none), [FindingKind::Unsatisfiable]);
    assert_eq!(kinds_of(&mint().with_rule(1, Condition::Equal, 1_u64)), [FindingKind::OddOffset]);
    let once = leaf(&mint());
    assert_eq!(kinds(&[once.clone(), once.clone()]), [FindingKind::Duplicate]);
    let context = LintContext { account: ACCOUNT, now: NOW, granted: &[once.hash()] };
    assert_eq!(lint(std::slice::from_ref(&once), context)[0].kind, FindingKind::Duplicate);

    let cut = SessionLeaf { session_key_data: once.session_key_data.slice(..80), ..once.clone() };
    assert_eq!(kinds(&[cut]), [FindingKind::Malformed]);
    // C3: a count of 0 with rule bytes behind it lets everything pass
    let mut uncounted = once.session_key_data.to_vec();
    uncounted[61] = 0;
    let uncounted = SessionLeaf { session_key_data: uncounted.into(), ..once.clone() };
    assert_eq!(kinds(&[uncounted]), [FindingKind::Malformed, FindingKind::NoRules]);
    let other_key = SessionLeaf { session_key_address: ACCOUNT, ..once.clone() };
    assert_eq!(kinds(&[other_key]), [FindingKind::KeyMismatch]);
    let unknown = SessionLeaf { session_validation_module: KEY, ..once };
    assert_eq!(kinds(&[unknown]), [FindingKind::UnknownModule]);
}

#[test]
fn the_erc20_modules_gap_is_always_pointed_out() {
    let data = Erc20SessionData {
        session_key_address: KEY,
        token: DEMO_TOKEN,
        recipient: Address::repeat_byte(0x22),
        max_amount: U256::from(5),
    };
    let window = SessionEpoch { valid_until: NOW + 60, valid_after: 0 };
    let of = |data: &Erc20SessionData| kinds(&[SessionLeaf::erc20(data, window, "id").unwrap()]);
    assert_eq!(of(&data), [FindingKind::Erc20AnyFunction]);
    let unlimited = Erc20SessionData { max_amount: U256::MAX, ..data.clone() };
    assert_eq!(of(&unlimited), [FindingKind::UnlimitedAmount, FindingKind::Erc20AnyFunction]);
    let own_account = Erc20SessionData { token: ACCOUNT, ..data };
    assert_eq!(of(&own_account), [FindingKind::OwnAccount, FindingKind::Erc20AnyFunction]);
}

#[test]
fn the_gravest_comes_first() {
    let policies = [leaf(&mint().with_valid_until(0)), leaf(&transfer())];
    let found = lint(&policies, LintContext { account: ACCOUNT, now: NOW, granted: &[] });
    let seen = found.iter().map(|found| (found.severity, found.leaf)).collect::<Vec<_>>();
    // No end, and then of each that its fees are not bounded.
    let warning = |leaf| (Severity::Warning, leaf);
    assert_eq!(seen, [(Severity::Stop, 1), warning(0), warning(0), warning(1)]);
}
