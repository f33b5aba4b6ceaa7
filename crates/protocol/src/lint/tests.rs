#![allow(clippy::unwrap_used, clippy::expect_used)]
use alloy::primitives::U256;

use super::*;
use crate::{
    addresses::{DEMO_NFT, DEMO_TOKEN},
    distributed_key::DanModuleInfo,
    entry_point::EntryPoint,
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
fn findings(leaves: &[SessionLeaf], modules: &[Address]) -> Vec<(Severity, FindingKind)> {
    let found = lint(leaves, LintContext { account: ACCOUNT, now: NOW, modules, ..Default::default() });
    let (unbounded, others) =
        found.into_iter().partition::<Vec<_>, _>(|found| found.kind == FindingKind::GasIsUnbounded);
    assert_eq!(unbounded.len(), leaves.len(), "{unbounded:?}");
    others.into_iter().map(|found| (found.severity, found.kind)).collect()
}

fn kinds(leaves: &[SessionLeaf]) -> Vec<FindingKind> {
    findings(leaves, &[]).into_iter().map(|(_, kind)| kind).collect()
}

fn kinds_of(policy: &Policy) -> Vec<FindingKind> {
    kinds(&[leaf(policy)])
}

#[test]
fn a_narrow_policy_has_nothing_to_find() {
    assert_eq!(kinds_of(&mint()), []);
    let narrow = transfer().with_rule(0, Condition::Equal, KEY).with_rule(1, Condition::LessThanOrEqual, 5_u64);
    assert_eq!(kinds_of(&narrow), []);
    let demo = Policy::new(DEMO_TOKEN, "mint(address,uint256)").with_valid_until(NOW + 60);
    let demo = demo.with_rule(0, Condition::Equal, ACCOUNT);
    assert_eq!(kinds_of(&demo), []);
    assert_eq!(kinds_of(&demo.with_rule(1, Condition::LessThanOrEqual, 5_u64)), []);
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
    assert_eq!(lint(&[shared], LintContext { account: ACCOUNT, now: NOW, ..Default::default() }), []);
}

#[test]
fn what_obeys_the_account_is_stopped() {
    let to = |contract_address| kinds_of(&Policy { contract_address, ..mint() });
    assert_eq!(to(ACCOUNT), [FindingKind::OwnAccount]);
    for module in OBEDIENT.into_iter().chain(EntryPoint::ALL.map(EntryPoint::address)) {
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

fn with_rules(declaration: &str, rules: &[(u32, Condition, U256)]) -> Policy {
    let policy = Policy::new(DEMO_TOKEN, declaration).with_valid_until(NOW + 60);
    rules.iter().fold(policy, |policy, (place, condition, value)| policy.with_rule(*place, *condition, *value))
}

fn of(declaration: &str, rules: &[(u32, Condition, U256)]) -> Vec<FindingKind> {
    kinds_of(&with_rules(declaration, rules))
}

#[test]
fn rules_that_bind_neither_receiver_nor_amount_are_no_rules() {
    use Condition::*;
    let key = U256::from_be_slice(KEY.as_slice());
    for rules in [
        [(0, NotEqual, U256::ZERO), (1, GreaterThan, U256::ZERO)],
        [(0, GreaterThanOrEqual, U256::ONE), (1, NotEqual, U256::from(7))],
        [(1, LessThanOrEqual, U256::from(1) << 127), (1, GreaterThanOrEqual, U256::from(1))],
    ] {
        assert_eq!(of("transfer(address,uint256)", &rules), [FindingKind::UnruledSpend], "{rules:?}");
    }
    let bound = |most| of("transfer(address,uint256)", &[(0, Equal, key), (1, LessThan, most)]);
    assert_eq!(bound(U256::from(1) << 127), [FindingKind::UnlimitedAmount]);
    assert_eq!(bound(U256::from(1) << 96), []);
    // What only looks like a rule of the receiver: `from` is the account's anyway.
    let own = U256::from_be_slice(ACCOUNT.as_slice());
    assert_eq!(of("transferFrom(address,address,uint256)", &[(0, Equal, own)]), [FindingKind::UnruledSpend]);
}

#[test]
fn a_number_below_n_is_any_of_n_items() {
    use Condition::*;
    let key = U256::from_be_slice(KEY.as_slice());
    let most = (2, LessThanOrEqual, U256::from(9));
    let nft = "safeTransferFrom(address,address,uint256)";
    assert_eq!(of(nft, &[most]), [FindingKind::UnruledSpend]);
    assert_eq!(of(nft, &[(1, Equal, key), most]), [FindingKind::UnlimitedAmount]);
    // A token or a collection: both are said; one number is one item, and that much at most.
    let either = "transferFrom(address,address,uint256)";
    assert_eq!(of(either, &[(1, Equal, key), most]), [FindingKind::AmountOrItem]);
    assert_eq!(of(either, &[(1, Equal, key), (2, Equal, U256::from(9))]), []);
    // One number that is far more than anybody has of a token: an allowance of everything, or one item.
    let approve = "approve(address,uint256)";
    for most in [U256::MAX, U256::from(1) << 255, U256::from(1) << 96] {
        assert_eq!(of(approve, &[(0, Equal, key), (1, Equal, most)]), [FindingKind::AmountOrItem]);
        assert_eq!(of(approve, &[(1, Equal, most)]), [FindingKind::UnruledSpend]);
        assert_eq!(of(either, &[(1, Equal, key), (2, Equal, most)]), [FindingKind::AmountOrItem]);
        assert_eq!(of("burn(uint256)", &[(0, Equal, most)]), [FindingKind::AmountOrItem]);
        assert_eq!(of(nft, &[(1, Equal, key), (2, Equal, most)]), []);
    }
    assert_eq!(of(approve, &[(0, Equal, key), (1, Equal, U256::from(7))]), []);
    let many = "safeTransferFrom(address,address,uint256,uint256,bytes)";
    let some = (3, LessThanOrEqual, U256::from(5));
    assert_eq!(of(many, &[(1, Equal, key), most, some]), [FindingKind::UnlimitedAmount]);
    assert_eq!(of(many, &[(1, Equal, key), (2, Equal, U256::ONE), some]), []);
}

#[test]
fn other_names_of_transfer_and_approve_are_known() {
    for (declaration, receiver, amount) in [
        ("approve(address,address,uint160,uint48)", 1, Some(2)),
        ("permit(address,((address,uint160,uint48,uint48),address,uint256),bytes)", 5, Some(2)),
        ("transferFrom(address,address,uint160,address)", 1, Some(2)),
        ("permitTransferFrom(((address,uint256),uint256,uint256),(address,uint256),address,bytes)", 4, Some(5)),
        ("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", 1, Some(2)),
        ("permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)", 1, None),
        ("increaseApproval(address,uint256)", 0, Some(1)),
        ("increaseAllowance(address,uint256)", 0, Some(1)),
        ("send(address,uint256,bytes)", 0, Some(1)),
        ("operatorSend(address,address,uint256,bytes,bytes)", 1, Some(2)),
        ("authorizeOperator(address)", 0, None),
        ("transferAndCall(address,uint256,bytes)", 0, Some(1)),
        ("approveAndCall(address,uint256,bytes)", 0, Some(1)),
        ("transferFromAndCall(address,address,uint256,bytes)", 1, Some(2)),
        ("withdraw(uint256,address,address)", 1, Some(0)),
        ("redeem(uint256,address,address)", 1, Some(0)),
        ("deposit(uint256,address)", 1, Some(0)),
        ("setOperator(address,bool)", 0, None),
        ("setApprovalForAll(address,bool)", 0, None),
    ] {
        let key = (receiver, Condition::Equal, U256::from_be_slice(KEY.as_slice()));
        assert_eq!(of(declaration, &[]), [FindingKind::UnruledSpend], "{declaration}");
        assert_eq!(of(declaration, &[key]), [FindingKind::UnlimitedAmount], "{declaration}");
        if let Some(amount) = amount {
            let most = (amount, Condition::LessThanOrEqual, U256::from(5));
            assert_eq!(of(declaration, &[key, most]), [], "{declaration}");
            assert_eq!(of(declaration, &[most]), [FindingKind::AnyReceiver], "{declaration}");
        }
    }
    for (declaration, receiver, amount) in [
        ("exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))", 3, 5),
        ("swapExactTokensForTokens(uint256,uint256,address[],address,uint256)", 3, 0),
        ("addLiquidityETH(address,uint256,uint256,uint256,address,uint256)", 4, 1),
    ] {
        // Even for the own account: what comes back is what a pool gives that the call names.
        let own = (receiver, Condition::Equal, U256::from_be_slice(ACCOUNT.as_slice()));
        let most = (amount, Condition::LessThanOrEqual, U256::from(5));
        assert_eq!(of(declaration, &[own, most]), [FindingKind::Trade], "{declaration}");
        assert_eq!(of(declaration, &[own]), [FindingKind::UnlimitedAmount, FindingKind::Trade], "{declaration}");
        assert_eq!(of(declaration, &[]), [FindingKind::UnruledSpend, FindingKind::Trade], "{declaration}");
    }
    let bought = "swapExactETHForTokens(uint256,address[],address,uint256)";
    let own = (2, Condition::Equal, U256::from_be_slice(ACCOUNT.as_slice()));
    assert_eq!(of(bought, &[own]), [FindingKind::Trade]);
    assert_eq!(of(bought, &[]), [FindingKind::NoRules, FindingKind::Trade]);
    for declaration in ["burn(uint256,bytes)", "burnFrom(address,uint256)"] {
        assert_eq!(of(declaration, &[]), [FindingKind::UnruledSpend], "{declaration}");
    }
    // What only takes back is no spending.
    let flag = |value| [(1, Condition::Equal, U256::from(u8::from(value)))];
    assert_eq!(of("setApprovalForAll(address,bool)", &flag(false)), []);
    assert_eq!(of("setApprovalForAll(address,bool)", &flag(true)), [FindingKind::UnruledSpend]);
    assert_eq!(of("decreaseAllowance(address,uint256)", &[]), [FindingKind::NoRules]);
}

#[test]
fn calls_inside_calls_and_control_are_stopped() {
    use Condition::Equal;
    for declaration in [
        "multicall(bytes[])",
        "multicall(uint256,bytes[])",
        "multicall(bytes32,bytes[])",
        "execute(address,uint256,bytes)",
        "execute(address,bytes)",
        "execute(bytes32,bytes)",
        "execute(bytes,bytes[],uint256)",
        "executeBatch(address[],bytes[])",
        "executeCall(address,uint256,bytes)",
    ] {
        assert_eq!(of(declaration, &[]), [FindingKind::CallsInside], "{declaration}");
        let first = (0, Equal, U256::from_be_slice(KEY.as_slice()));
        assert!(of(declaration, &[first]).contains(&FindingKind::CallsInside), "{declaration}");
    }
    // Nothing is left to the call: it is always the same one, whatever that does.
    let rest = [(1, 0), (2, 96), (3, 4)].map(|(place, value)| (place, Equal, U256::from(value)));
    let target = (0, Equal, U256::from_be_slice(KEY.as_slice()));
    let whole = [target, rest[0], rest[1], rest[2], (4, Equal, U256::from(0xdead_beef_u64) << 224)];
    let severities =
        |rules: &[(u32, Condition, U256)]| findings(&[leaf(&with_rules("execute(address,uint256,bytes)", rules))], &[]);
    assert_eq!(severities(&whole), [(Severity::Warning, FindingKind::CallsInside)]);
    for index in 0..whole.len() {
        let mut open = whole.to_vec();
        open.remove(index);
        let found = severities(&open);
        assert!(found.contains(&(Severity::Stop, FindingKind::CallsInside)), "{index}: {found:?}");
    }
    for (declaration, place) in [
        ("transferOwnership(address)", 0),
        ("setOwner(address)", 0),
        ("grantRole(bytes32,address)", 1),
        ("upgradeTo(address)", 0),
        ("changeAdmin(address)", 0),
        ("setAuthority(address)", 0),
        ("beginDefaultAdminTransfer(address)", 0),
    ] {
        let to = |address: Address| lint_of(declaration, place, address);
        assert_eq!(of(declaration, &[]), [FindingKind::Control], "{declaration}");
        assert_eq!(to(KEY), [(Severity::Warning, FindingKind::Control)], "{declaration}");
        assert_eq!(to(ACCOUNT), [], "{declaration}");
    }
    let upgrade = of("upgradeToAndCall(address,bytes)", &[]);
    assert_eq!(upgrade, [FindingKind::Control, FindingKind::CallsInside]);
}

fn lint_of(declaration: &str, place: u32, address: Address) -> Vec<(Severity, FindingKind)> {
    let policy = Policy::new(DEMO_TOKEN, declaration).with_valid_until(NOW + 60);
    findings(&[leaf(&policy.with_rule(place, Condition::Equal, address))], &[])
}

#[test]
fn modules_of_this_very_account_are_stopped() {
    let with = |modules: &[Address]| findings(&[leaf(&mint())], modules);
    assert_eq!(with(&[KEY, DEMO_NFT]), [(Severity::Stop, FindingKind::SessionModule)]);
    assert_eq!(with(&[KEY]), []);
}

#[test]
fn conditions_on_what_is_not_known_are_said_to_be_of_unknown_worth() {
    use Condition::Equal;
    let unknown = "mint(bytes,address,uint256)";
    assert_eq!(of(unknown, &[(1, Equal, U256::ONE)]), [FindingKind::UnknownFunction]);
    // The first argument is one among others: `approveDelegation` of any amount to this one.
    let key = U256::from_be_slice(KEY.as_slice());
    assert_eq!(of("approveDelegation(address,uint256)", &[(0, Equal, key)]), [FindingKind::UnknownFunction]);
    assert_eq!(of(unknown, &[]), [FindingKind::NoRules]);
}

#[test]
fn what_cannot_work_is_stopped() {
    let none = mint().with_rule(0, Condition::NotEqual, ACCOUNT);
    assert_eq!(kinds_of(&none), [FindingKind::Unsatisfiable]);
    assert_eq!(kinds_of(&mint().with_rule(1, Condition::Equal, 1_u64)), [FindingKind::OddOffset]);
    let once = leaf(&mint());
    assert_eq!(kinds(&[once.clone(), once.clone()]), [FindingKind::Duplicate]);
    let context = LintContext { account: ACCOUNT, now: NOW, granted: &[once.hash()], ..Default::default() };
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
    let found = lint(&policies, LintContext { account: ACCOUNT, now: NOW, ..Default::default() });
    let seen = found.iter().map(|found| (found.severity, found.leaf)).collect::<Vec<_>>();
    // No end, and then of each that its fees are not bounded.
    let warning = |leaf| (Severity::Warning, leaf);
    assert_eq!(seen, [(Severity::Stop, 1), warning(0), warning(0), warning(1)]);
}
