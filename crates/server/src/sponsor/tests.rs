#![allow(clippy::unwrap_used, clippy::expect_used)]
use alloy::{
    primitives::{B256, Bytes, address},
    sol_types::SolCall,
};
use proptest::prelude::*;

use super::*;
use use_aa_protocol::{
    abi::{IEntryPoint, IErc20, ISmartAccount},
    addresses::{
        ACCOUNT_FACTORY, BATCHED_SESSION_ROUTER, DEMO_NFT, DEMO_TOKEN, ECDSA_MODULE, ENTRY_POINT, MULTICHAIN_MODULE,
        SESSION_KEY_MANAGER, TOKEN_PAYMASTER,
    },
    entry_point::EntryPoint,
    nexus::NexusRelease,
    smart_account::{
        AccountTemplate, Call, counterfactual_address, disable_module, enable_module, encode_calls, init_code,
        set_merkle_root, setup_and_enable_module,
    },
};

const EXAMPLE: &str = include_str!("policy.example.toml");
const ACCOUNT: Address = address!("0788816536DEFa6A14779711c0B08b7f0edFe68b");
const ETHER: u64 = 1_000_000_000_000_000_000;

fn parse(text: &str) -> Result<SponsorPolicy, PolicyError> {
    SponsorPolicy::parse(text, |name| (name == "TOKEN").then(|| "Bearer abc".to_owned()))
}

fn refusal(text: &str) -> String {
    parse(text).map(|policy| format!("accepted: {policy:?}")).unwrap_err().to_string()
}

/// A policy with these lines in front of an unlimited budget.
fn policy(head: &str) -> SponsorPolicy {
    parse(&format!("{head}\n[budgets]\nglobal_per_day = \"unlimited\"\n")).unwrap()
}

fn operation(calls: &[Call]) -> UserOperation {
    UserOperation { sender: ACCOUNT, call_data: encode_calls(calls, false).unwrap(), ..Default::default() }
}

fn call(to: Address, data: &[u8]) -> Call {
    Call { to, value: U256::ZERO, data: Bytes::copy_from_slice(data) }
}

fn mint() -> Call {
    call(DEMO_NFT, &[0x40, 0xd0, 0x97, 0xc3, 0, 0, 0, 1])
}

fn sponsored(policy: &SponsorPolicy, calls: &[Call]) -> Result<(), String> {
    policy.check(&operation(calls), PaymasterMode::Sponsored, None)
}

#[test]
fn the_example_is_a_policy() {
    let policy = parse(EXAMPLE).unwrap();
    assert!(policy.version.starts_with("2026-11 ") && policy.version.len() == 16, "{}", policy.version);
    assert_eq!(policy.modes, [PaymasterMode::Sponsored, PaymasterMode::Erc20]);
    assert_eq!(policy.budgets.global_per_day, Some(U256::from(5 * u128::from(ETHER))));
    assert_eq!(
        (policy.caps.fee_factor, policy.caps.expiry, policy.open.unproven_seconds),
        (Some(2), Some(1_800), Some(300))
    );
    assert_eq!(
        policy.targets[0].functions.as_ref().unwrap().selectors[0],
        [0x40, 0xd0, 0x97, 0xc3],
        "safeMint(address)"
    );
    assert_eq!(sponsored(&policy, &[mint()]), Ok(()));
    assert!(SponsorPolicy::without_file(true).unwrap().budgets.global_per_day > policy.budgets.global_per_day);
    assert_eq!(SponsorPolicy::without_file(false).unwrap().budgets.global_per_day, Some(U256::from(ETHER)));
    let (lab, public) = (SponsorPolicy::without_file(true).unwrap(), SponsorPolicy::without_file(false).unwrap());
    assert_eq!(lab.open, Open { unproven_seconds: Some(3_600), ..Open::default() }, "the lab has no limits");
    let ether = |part: u64| Some(U256::from(ETHER / part));
    assert_eq!((public.open.caller_amount, public.open.unproven_amount), (ether(50), ether(2)));
    assert_eq!(
        (public.open.unproven_seconds, public.caps.cost),
        (Some(300), None),
        "the account's budget bounds the cost"
    );
    assert!([&lab, &public].iter().all(|policy| policy.caps.calls.is_some() && policy.caps.total_gas.is_some()));
}

/// Every key that the example documents is known, those in comments as well.
#[test]
fn what_the_example_leaves_in_comments_works() {
    let webhook = EXAMPLE.split("# [[webhooks]]").nth(1).unwrap();
    let webhook: String = webhook.lines().map(|line| format!("{}\n", line.trim_start_matches("# "))).collect();
    let text =
        format!("{}\n[[webhooks]]{webhook}", EXAMPLE.replace("SHOP_TOKEN", "TOKEN")).replace("SHOP_TOKEN", "TOKEN");
    let policy = parse(&text).unwrap();
    let webhook = &policy.webhooks[0];
    assert!(webhook.post && webhook.include_operation && webhook.authorization.is_some());
    assert!(
        !format!("{policy:?}").contains("abc") && !format!("{policy:?}").contains("/sponsor"),
        "no secrets in print"
    );
}

#[test]
fn json_does_as_well() {
    let text = r#"{"targets": [{"address": "*", "functions": ["receive"], "max_value": "1 gwei"}],
        "budgets": {"global_per_day": 5000000000, "account_per_day": "unlimited"}}"#;
    let policy = parse(text).unwrap();
    assert_eq!(policy.budgets, Budgets { account_per_day: None, global_per_day: Some(U256::from(5_000_000_000u64)) });
    assert_eq!(policy.modes, [PaymasterMode::Sponsored]);
    assert!(!policy.session_setup);
    assert_eq!((policy.open.per_account, policy.open.per_caller), (Some(16), Some(64)));
    assert_eq!(policy.open.caller_amount, Some(U256::from(100_000_000)));
    assert_eq!(policy.deployment_modules[..2], [ECDSA_MODULE, MULTICHAIN_MODULE]);
    assert_eq!(policy.deployment_modules[2..], NexusRelease::ALL.map(|release| release.parts().owner_validator));
    assert_eq!(policy.factories[0], ACCOUNT_FACTORY);
    assert_eq!(policy.factories[1..], NexusRelease::ALL.map(|release| release.parts().factory));
    let pay = |value: u64| Call { to: DEMO_NFT, value: U256::from(value), data: Bytes::new() };
    assert_eq!(sponsored(&policy, &[pay(1_000_000_000)]), Ok(()));
    assert!(sponsored(&policy, &[pay(1_000_000_001)]).is_err());
    assert!(sponsored(&policy, &[call(DEMO_NFT, &[1])]).is_err(), "not a call without data");
}

#[test]
fn mistakes_are_named_with_their_key() {
    let good = "targets = []\n[budgets]\nglobal_per_day = 0\n";
    assert!(parse(good).is_ok());
    for (text, named) in [
        ("targets = []\nbudget = 5\n[budgets]\nglobal_per_day = 0", "budget"),
        ("targets = []\n[budgets]\nglobal_per_day = 0\nper_week = 1", "budgets.per_week"),
        ("[[targets]]\naddress = \"*\"\nselector = \"x\"\n[budgets]\nglobal_per_day = 0", "targets[0].selector"),
        ("[[targets]]\naddress = \"0x12\"\n[budgets]\nglobal_per_day = 0", "targets[0].address"),
        (
            "[[targets]]\naddress = \"*\"\nfunctions = [\"mint\"]\n[budgets]\nglobal_per_day = 0",
            "targets[0].functions[0]",
        ),
        ("targets = []\n[budgets]\nglobal_per_day = \"5 dollars\"", "budgets.global_per_day"),
        ("targets = []\n[budgets]\nglobal_per_day = -1", "budgets.global_per_day"),
        ("targets = []\n[budgets]\nglobal_per_day = 0.5", "budgets.global_per_day"),
        ("targets = []\n[budgets]\naccount_per_day = 1", "global_per_day"),
        ("[budgets]\nglobal_per_day = 0", "targets"),
        ("targets = []\nmodes = []\n[budgets]\nglobal_per_day = 0", "modes"),
        ("targets = []\nmodes = [\"FREE\"]\n[budgets]\nglobal_per_day = 0", "modes[0]"),
        ("targets = []\n[caps]\ncost = \"much\"\n[budgets]\nglobal_per_day = 0", "caps.cost"),
        ("targets = []\n[open]\nper_account = 0\n[budgets]\nglobal_per_day = 0", "open.per_account"),
        ("targets = []\n[open]\nper_caller = \"many\"\n[budgets]\nglobal_per_day = 0", "open.per_caller"),
        ("targets = []\n[open]\nunproven_seconds = 5\n[budgets]\nglobal_per_day = 0", "open.unproven_seconds"),
        ("targets = []\n[open]\ncaller_amount = \"much\"\n[budgets]\nglobal_per_day = 0", "open.caller_amount"),
        ("targets = []\n[caps]\nexpiry = 7200\n[budgets]\nglobal_per_day = 0", "caps.expiry"),
        ("targets = []\n[caps]\nfee_factor = 0\n[budgets]\nglobal_per_day = 0", "caps.fee_factor"),
        ("targets = []\ndeployment_modules = [\"0x1\"]\n[budgets]\nglobal_per_day = 0", "deployment_modules[0]"),
        ("targets = []\n[open]\nper_day = 5\n[budgets]\nglobal_per_day = 0", "open.per_day"),
        ("targets = [\n\n!", "line 3"),
        ("{\"targets\": [", "line 1"),
        ("targets = []\n[budgets]\nglobal_per_day = 0\n[[webhooks]]\nurl = \"ftp://secret\"", "webhooks[0].url"),
        (
            "targets = []\n[budgets]\nglobal_per_day = 0\n[[webhooks]]\nurl = \"http://a\"\ntimeout_ms = 0",
            "webhooks[0].timeout_ms",
        ),
        (
            "targets = []\n[budgets]\nglobal_per_day = 0\n[[webhooks]]\nurl = \"http://a\"\nauthorization_env = \"NONE\"",
            "webhooks[0].authorization_env",
        ),
    ] {
        let told = refusal(text);
        assert!(told.contains(named), "{text}\n{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}

#[test]
fn every_call_of_a_batch_must_be_allowed() {
    let policy = policy(&format!("[[targets]]\naddress = \"{DEMO_NFT}\"\nfunctions = [\"safeMint(address)\"]"));
    assert_eq!(sponsored(&policy, &[mint()]), Ok(()));
    assert_eq!(sponsored(&policy, &[mint(), mint()]), Ok(()));
    let told = sponsored(&policy, &[mint(), call(DEMO_TOKEN, &[0xa9, 0x05, 0x9c, 0xbb])]).unwrap_err();
    assert!(told.starts_with("call 2") && told.contains("0xa9059cbb"), "{told}");
    assert!(sponsored(&policy, &[call(DEMO_NFT, &[0x40, 0xd0, 0x97])]).is_err(), "three bytes are no selector");
    assert!(sponsored(&policy, &[call(DEMO_NFT, &[])]).is_err());
}

/// The four ways to spell an operation's calls are read alike.
#[test]
fn both_twins_are_decoded() {
    let policy = policy(&format!("[[targets]]\naddress = \"{DEMO_NFT}\""));
    for (to, allowed) in [(DEMO_NFT, true), (DEMO_TOKEN, false)] {
        let data = Bytes::from(vec![1, 2, 3, 4]);
        for call_data in [
            ISmartAccount::execute_ncCCall { dest: to, value: U256::ZERO, func: data.clone() }.abi_encode(),
            ISmartAccount::executeCall { dest: to, value: U256::ZERO, func: data.clone() }.abi_encode(),
            ISmartAccount::executeBatch_y6UCall { dest: vec![to], value: vec![U256::ZERO], func: vec![data.clone()] }
                .abi_encode(),
            ISmartAccount::executeBatchCall { dest: vec![to], value: vec![U256::ZERO], func: vec![data.clone()] }
                .abi_encode(),
        ] {
            let operation = UserOperation { sender: ACCOUNT, call_data: call_data.into(), ..Default::default() };
            let checked = policy.check(&operation, PaymasterMode::Sponsored, None);
            assert_eq!(checked.is_ok(), allowed, "{checked:?}");
        }
    }
}

fn withdraw_to(recipient: Address) -> Call {
    let call = IEntryPoint::withdrawToCall { withdrawAddress: recipient, withdrawAmount: U256::from(5) };
    Call { to: ENTRY_POINT, value: U256::ZERO, data: call.abi_encode().into() }
}

#[test]
fn sessions_are_set_up_only_where_the_policy_says_so() {
    let setup = setup_and_enable_module(ACCOUNT, BATCHED_SESSION_ROUTER, Bytes::new());
    let calls = [
        enable_module(ACCOUNT, SESSION_KEY_MANAGER),
        disable_module(ACCOUNT, ECDSA_MODULE, BATCHED_SESSION_ROUTER),
        set_merkle_root(B256::repeat_byte(1)),
        setup,
        // So that the session finds no deposit.
        withdraw_to(DEMO_NFT),
    ];
    let everything = "[[targets]]\naddress = \"*\"";
    let (without, with) = (policy(everything), policy(&format!("session_setup = true\n{everything}")));
    for call in &calls {
        let told = sponsored(&without, std::slice::from_ref(call)).unwrap_err();
        assert!(told.contains("session_setup is off"), "{told}");
        assert_eq!(sponsored(&with, std::slice::from_ref(call)), Ok(()));
    }
    // It opens nothing else of the account.
    for call in [
        enable_module(ACCOUNT, DEMO_NFT),
        disable_module(ACCOUNT, SESSION_KEY_MANAGER, ECDSA_MODULE),
        setup_and_enable_module(ACCOUNT, DEMO_TOKEN, Bytes::new()),
        call(SESSION_KEY_MANAGER, &[1, 2, 3, 4]),
        call(ECDSA_MODULE, &[0xf2, 0xfd, 0xe3, 0x8b]),
        Call { value: U256::from(1), ..set_merkle_root(B256::ZERO) },
        Call { value: U256::from(1), ..withdraw_to(ACCOUNT) },
        call(ENTRY_POINT, &[0x0b, 0xd2, 0x8e, 0x3b]),
        call(ENTRY_POINT, &[]),
    ] {
        assert!(sponsored(&with, std::slice::from_ref(&call)).is_err(), "{call:?}");
    }
    let own = policy("[[targets]]\naddress = \"account\"");
    assert_eq!(sponsored(&own, &[enable_module(ACCOUNT, DEMO_NFT)]), Ok(()));
    assert!(sponsored(&own, &[mint()]).is_err());
}

#[test]
fn deployments_factories_accounts_modes_and_lengths() {
    let (mint, owner) = ([mint()], ACCOUNT);
    let deploying = |init_code: Bytes, calls: &[Call]| {
        let call_data = if calls.is_empty() { Bytes::new() } else { encode_calls(calls, false).unwrap() };
        UserOperation { sender: counterfactual_address(owner, U256::ZERO), init_code, call_data, ..Default::default() }
    };
    let check = |policy: &SponsorPolicy, operation: &UserOperation| {
        policy.check(operation, PaymasterMode::Sponsored, None).map_err(|reason| reason.to_string())
    };
    let own = init_code(owner, U256::ZERO);
    let foreign: Bytes = [DEMO_NFT.as_slice(), &own[20..]].concat().into();
    let usual = policy("[[targets]]\naddress = \"*\"");
    assert_eq!(check(&usual, &deploying(own.clone(), &mint)), Ok(()));
    assert_eq!(check(&usual, &deploying(own.clone(), &[])), Ok(()), "a bare deployment");
    assert!(check(&usual, &deploying(Bytes::new(), &[])).unwrap_err().contains("does nothing"));
    assert!(check(&usual, &deploying(foreign, &mint)).unwrap_err().contains("factory"));
    assert!(check(&usual, &deploying(Bytes::from(vec![0; 19]), &mint)).is_err());
    let none = policy("deployments = false\n[[targets]]\naddress = \"*\"");
    assert!(check(&none, &deploying(own, &mint)).unwrap_err().contains("deploying"));

    let listed = policy(&format!("targets = [{{address = \"*\"}}]\n[accounts]\nallow = [\"{ACCOUNT}\"]"));
    assert_eq!(sponsored(&listed, &mint), Ok(()));
    let other = policy(&format!("targets = [{{address = \"*\"}}]\n[accounts]\nallow = [\"{DEMO_NFT}\"]"));
    assert!(sponsored(&other, &mint).unwrap_err().contains("does not list"));
    let denied =
        format!("targets = [{{address = \"*\"}}]\n[accounts]\nallow = [\"{ACCOUNT}\"]\ndeny = [\"{ACCOUNT}\"]");
    assert!(sponsored(&policy(&denied), &mint).unwrap_err().contains("excludes"));

    let two = policy("targets = [{address = \"*\"}]\n[caps]\ncalls = 1");
    assert_eq!(sponsored(&two, &mint), Ok(()));
    assert!(sponsored(&two, &[mint[0].clone(), mint[0].clone()]).unwrap_err().contains("at most 1"));

    assert!(usual.check(&operation(&mint), PaymasterMode::Erc20, None).unwrap_err().contains("ERC20"));
    // In mode ERC20 the fee may be approved, in mode SPONSORED nobody takes one.
    let approve = |spender: Address| IErc20::approveCall { spender, amount: U256::MAX }.abi_encode();
    let fee = Some(FeeTaker { token: DEMO_TOKEN, spender: TOKEN_PAYMASTER });
    let tokens = policy(&format!("modes = [\"ERC20\", \"SPONSORED\"]\n[[targets]]\naddress = \"{DEMO_NFT}\""));
    let with = |approval: Call| operation(&[approval, mint[0].clone()]);
    let good = with(call(DEMO_TOKEN, &approve(TOKEN_PAYMASTER)));
    assert_eq!(tokens.check(&good, PaymasterMode::Erc20, fee), Ok(()));
    assert!(tokens.check(&good, PaymasterMode::Sponsored, fee).is_err());
    assert!(tokens.check(&good, PaymasterMode::Erc20, None).is_err());
    let longer = [approve(TOKEN_PAYMASTER), vec![1]].concat();
    for (wrong, why) in [
        (call(DEMO_TOKEN, &approve(ACCOUNT)), "another spender"),
        (call(TOKEN_PAYMASTER, &approve(TOKEN_PAYMASTER)), "another contract"),
        (call(DEMO_TOKEN, &longer), "more than an approval"),
        (Call { value: U256::ONE, ..call(DEMO_TOKEN, &approve(TOKEN_PAYMASTER)) }, "money beside it"),
    ] {
        let told = tokens.check(&with(wrong), PaymasterMode::Erc20, fee);
        assert!(told.unwrap_err().contains("not among the policy's targets"), "{why}");
    }
}

/// Some tokens want an allowance to be nothing before it changes: two approvals, and no third.
#[test]
fn the_fee_is_approved_once_or_after_nothing() {
    let fee = Some(FeeTaker { token: DEMO_TOKEN, spender: TOKEN_PAYMASTER });
    let tokens = policy(&format!("modes = [\"ERC20\"]\n[[targets]]\naddress = \"{DEMO_NFT}\""));
    let approve = |amount: u64| {
        call(DEMO_TOKEN, &IErc20::approveCall { spender: TOKEN_PAYMASTER, amount: U256::from(amount) }.abi_encode())
    };
    let mint = call(DEMO_NFT, &[1, 2, 3, 4]);
    let check = |calls: &[Call]| {
        tokens.check(&operation(&[calls, std::slice::from_ref(&mint)].concat()), PaymasterMode::Erc20, fee)
    };
    for good in [vec![approve(5)], vec![approve(0), approve(5)], vec![mint.clone(), approve(0), approve(5)]] {
        assert_eq!(check(&good), Ok(()));
    }
    for wrong in [
        vec![approve(0)],
        vec![approve(5), approve(0)],
        vec![approve(5), approve(5)],
        vec![approve(0), approve(0), approve(5)],
        vec![approve(0), mint.clone(), approve(5)],
        vec![approve(0), approve(5), approve(0)],
    ] {
        assert!(check(&wrong).unwrap_err().contains("not among the policy's targets"), "{wrong:?}");
    }
}

/// A factory lets the new account call anything while it is set up.
#[test]
fn only_known_set_ups_are_deployed() {
    let owner = Address::repeat_byte(9);
    let index = U256::from(7);
    let usual = policy("[[targets]]\naddress = \"*\"");
    let check = |policy: &SponsorPolicy, sender: Address, init_code: Bytes| {
        let operation = UserOperation { sender, init_code, ..Default::default() };
        policy.check(&operation, PaymasterMode::Sponsored, None)
    };
    for module in [ECDSA_MODULE, MULTICHAIN_MODULE] {
        let known = AccountTemplate::with_module(module, owner);
        assert_eq!(check(&usual, known.address(index), known.init_code(index)), Ok(()));
        let told = check(&usual, ACCOUNT, known.init_code(index)).unwrap_err();
        assert!(told.contains("another account"), "{told}");
    }
    let known = AccountTemplate::ecdsa(owner);
    let (good, honest) = (known.init_code(index), known.address(index));
    let told = |sender: Address, init_code: Vec<u8>| check(&usual, sender, init_code.into()).unwrap_err();
    // Another module, other data for a known one, another function, bytes more or less, a shared or moved offset.
    let other = AccountTemplate::with_module(DEMO_TOKEN, owner);
    assert!(told(other.address(index), other.init_code(index).to_vec()).contains("set up by"));
    let anything = AccountTemplate { setup_data: vec![1, 2, 3, 4].into(), ..known.clone() };
    let longer = AccountTemplate { setup_data: [&known.setup_data[..], &[0; 32]].concat().into(), ..known.clone() };
    let dirty =
        AccountTemplate { setup_data: [&[0x2e, 0xde, 0x3b, 0xc0, 1], &known.setup_data[5..]].concat().into(), ..known };
    for template in [anything, longer, dirty] {
        assert!(told(template.address(index), template.init_code(index).to_vec()).contains("known set-up"));
    }
    let deploy_account = [&good[..20], &[0x1b, 2, 3, 4], &good[24..]].concat();
    let moved = {
        let mut moved = good.to_vec();
        moved[20 + 4 + 32 + 31] += 32;
        moved.splice(20 + 4 + 96..20 + 4 + 96, [0; 32]);
        moved
    };
    for wrong in
        [deploy_account, moved, good[..good.len() - 1].to_vec(), [&good[..], &[0]].concat(), good[..20].to_vec()]
    {
        assert!(told(honest, wrong).contains("known set-up"));
    }
    // Who wants more lists it.
    let more = policy(&format!("deployment_modules = [\"{DEMO_TOKEN}\"]\n[[targets]]\naddress = \"*\""));
    assert_eq!(check(&more, other.address(index), other.init_code(index)), Ok(()));
    assert!(check(&more, honest, good).is_err());
    let own = policy(&format!("factories = [\"{DEMO_NFT}\"]\n[[targets]]\naddress = \"*\""));
    let template = AccountTemplate { factory: DEMO_NFT, ..AccountTemplate::ecdsa(owner) };
    assert_eq!(check(&own, ACCOUNT, template.init_code(index)), Ok(()), "the chain knows its address");
    let anything = AccountTemplate { setup_data: vec![1].into(), ..template };
    assert!(check(&own, ACCOUNT, anything.init_code(index)).is_err());
}

#[test]
fn caps_hold_for_each_limit() {
    let within = UserOperation {
        call_gas_limit: U256::from(100),
        verification_gas_limit: U256::from(200),
        pre_verification_gas: U256::from(300),
        max_fee_per_gas: U256::from(10),
        paymaster_and_data: vec![1; 20].into(),
        ..Default::default()
    };
    // (200 * 3 + 100 + 300) * 10
    assert_eq!(within.required_prefund(), U256::from(10_000));
    for (limit, name, fits) in [
        ("call_gas", "callGasLimit", 100),
        ("verification_gas", "verificationGasLimit", 200),
        ("pre_verification_gas", "preVerificationGas", 300),
        ("total_gas", "total gas", 600),
        ("fee_per_gas", "maxFeePerGas", 10),
        ("cost", "cost", 10_000),
    ] {
        let caps = |most: u64| policy(&format!("targets = []\n[caps]\n{limit} = {most}")).caps;
        assert_eq!(caps(fits).check(&within), Ok(()), "{limit}");
        let told = caps(fits - 1).check(&within).unwrap_err();
        assert!(told.contains(name), "{told}");
    }
}

/// Units of gas are not worth the same everywhere: what is built in looks at the money, too, and stands back where the
/// policy says something.
#[test]
fn gas_without_a_limit_in_the_policy_is_bounded_in_money() {
    let of = |gas: u64, fee: u64| UserOperation {
        pre_verification_gas: U256::from(gas),
        max_fee_per_gas: U256::from(fee),
        ..Default::default()
    };
    let caps = |text: &str| policy(&format!("targets = []\n[caps]\n{text}")).caps;
    const GWEI: u64 = 1_000_000_000;
    let (modest, rollup, dear) = (of(15_000_000, 500 * GWEI), of(900_000_000, 50_000_000), of(15_000_001, 4 * GWEI));
    for (operation, text, allowed) in [
        (&modest, "", true),
        (&rollup, "", true),
        (&dear, "", false),
        (&of(u64::MAX, 0), "", false),
        (&dear, "total_gas = 20_000_000", true),
        (&dear, "cost = \"0.07 ether\"", true),
        (&rollup, "cost = \"0.04 ether\"", false),
        (&rollup, "total_gas = 15_000_000", false),
        (&rollup, "pre_verification_gas = 1_000_000", false),
        (&dear, "pre_verification_gas = 20_000_000", false),
        // The three together bound the whole.
        (&dear, "call_gas = 1_000_000\nverification_gas = 1_000_000\npre_verification_gas = 20_000_000", true),
        (&dear, "call_gas = 1_000_000\nverification_gas = 1_000_000\npre_verification_gas = 1_000_000", false),
    ] {
        let told = caps(text).check(operation);
        assert_eq!(told.is_ok(), allowed, "{text}: {told:?}");
    }
    // Numbers that add up to nothing the chain would take.
    let all = UserOperation { call_gas_limit: U256::MAX, ..of(u64::MAX, 1) };
    assert!(caps("").check(&all).unwrap_err().contains("caps.cost"));
    assert!(SponsorPolicy::without_file(false).unwrap().caps.check(&rollup).is_ok());
    // Without a file the lab's numbers bound what is dear.
    for unmodest in [&dear, &of(10_000_001, 6 * GWEI)] {
        assert!(SponsorPolicy::without_file(false).unwrap().caps.check(unmodest).unwrap_err().contains("total gas"));
        assert!(SponsorPolicy::without_file(true).unwrap().caps.check(unmodest).is_err());
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
        let _ = parse(&text);
    }

    /// A good file with one line changed: an error or a policy, never a panic.
    #[test]
    fn no_mutation_makes_the_parser_panic(line in 0usize..90, insert in "[a-z_\\[\\]{}=\" 0-9.#x]{0,24}") {
        let mut lines: Vec<&str> = EXAMPLE.lines().collect();
        let at = line.min(lines.len() - 1);
        lines[at] = &insert;
        let _ = parse(&lines.join("\n"));
    }

    /// Whatever the call data is: what is not decoded is not paid for.
    #[test]
    fn arbitrary_call_data_never_panics(bytes in proptest::collection::vec(any::<u8>(), 1..400), selector in 0usize..5) {
        let mut call_data = match selector {
            0 => ISmartAccount::execute_ncCCall::SELECTOR.to_vec(),
            1 => ISmartAccount::executeCall::SELECTOR.to_vec(),
            2 => ISmartAccount::executeBatch_y6UCall::SELECTOR.to_vec(),
            3 => ISmartAccount::executeBatchCall::SELECTOR.to_vec(),
            _ => Vec::new(),
        };
        call_data.extend(bytes);
        let operation = UserOperation { sender: ACCOUNT, call_data: call_data.into(), ..Default::default() };
        let allowed = policy("targets = [{address = \"*\"}]").check(&operation, PaymasterMode::Sponsored, None);
        let nothing = policy("targets = []").check(&operation, PaymasterMode::Sponsored, None);
        prop_assert!(nothing.is_err());
        if allowed.is_ok() {
            prop_assert!(use_aa_protocol::smart_account::decode_calls(&operation.call_data).is_ok());
        }
    }

    /// A policy for one target allows exactly the batches that call nothing else.
    #[test]
    fn one_foreign_call_refuses_the_batch(foreign in proptest::collection::vec(any::<bool>(), 1..8)) {
        let policy = policy(&format!("[[targets]]\naddress = \"{DEMO_NFT}\""));
        let calls: Vec<_> = foreign.iter().map(|foreign| call(if *foreign { DEMO_TOKEN } else { DEMO_NFT }, &[1, 2, 3, 4])).collect();
        prop_assert_eq!(sponsored(&policy, &calls).is_ok(), foreign.iter().all(|foreign| !foreign));
    }
}

mod in_the_database {
    use super::{
        super::{
            ledger::{Decision, day_of},
            limits::{BudgetOutcome, Limits},
        },
        *,
    };

    const NOW: u64 = 1_800_000_000;

    fn decision(number: u8, gwei: u64) -> Decision {
        Decision {
            chain_id: 31_337,
            entry_point: EntryPoint::V06,
            decided_at: NOW,
            mode: "SPONSORED",
            account: ACCOUNT,
            nonce: U256::from(number),
            user_op_hash: B256::repeat_byte(number),
            max_cost: U256::from(gwei) * U256::from(1_000_000_000),
            policy_version: "test".into(),
            api_key: Some("k1".into()),
            webhooks: None,
            valid_until: NOW + 300,
            paymaster: Some(DEMO_NFT),
            caller: Some([9, 9, 9, 9].into()),
        }
    }

    fn gwei(amount: u64) -> Option<U256> {
        Some(U256::from(amount) * U256::from(1_000_000_000))
    }

    async fn used(database: &Database) -> u64 {
        database.sponsored_on(31_337, NOW, None).await.unwrap()
    }

    /// A longer offer of the same operation may be the one that is mined.
    #[tokio::test]
    async fn what_is_handed_over_is_held_until_the_longest_offer_has_run_out() {
        let database = Database::at("sqlite::memory:").unwrap();
        let limits = Limits { account: gwei(100), global: gwei(100), ..Limits::default() };
        let long = Decision { valid_until: NOW + 3_600, ..decision(1, 40) };
        assert_eq!(database.grant(&long, Some(&limits)).await, Ok(BudgetOutcome::Written));
        let short = Decision { valid_until: NOW + 30, user_op_hash: B256::repeat_byte(2), ..long.clone() };
        assert_eq!(database.grant(&short, Some(&limits)).await, Ok(BudgetOutcome::Written));
        assert_eq!(database.release_expired(31_337, NOW + 31).await, Ok(0));
        assert_eq!(used(&database).await, 40);
        database.release_expired(31_337, NOW + 3_601).await.unwrap();
        assert_eq!(used(&database).await, 0);
    }

    #[tokio::test]
    async fn a_budget_is_taken_until_it_does_not_reach() {
        let database = Database::at("sqlite::memory:").unwrap();
        let limits = Limits { account: gwei(100), key: gwei(70), global: gwei(90), ..Limits::default() };
        assert_eq!(database.grant(&decision(1, 40), Some(&limits)).await, Ok(BudgetOutcome::Written));
        // The same operation again takes nothing.
        assert_eq!(database.grant(&decision(1, 40), Some(&limits)).await, Ok(BudgetOutcome::Written));
        assert_eq!(used(&database).await, 40);
        let exhausted = |budget, limit: u64| Ok(BudgetOutcome::Exhausted { budget, limit: gwei(limit).unwrap() });
        assert_eq!(database.grant(&decision(2, 31), Some(&limits)).await, exhausted("the API key's", 70));
        // What was taken of the account's budget before that is given back.
        assert_eq!(database.sponsored_on(31_337, NOW, Some(ACCOUNT)).await, Ok(40));
        let other_key = Decision { api_key: None, ..decision(3, 51) };
        assert_eq!(database.grant(&other_key, Some(&limits)).await, exhausted("the", 90));
        assert_eq!(database.grant(&decision(4, 101), Some(&limits)).await, exhausted("the account's", 100));
        assert_eq!(database.grant(&decision(5, 30), Some(&limits)).await, Ok(BudgetOutcome::Written));
        assert_eq!(used(&database).await, 70);
        // Another day, another budget.
        let tomorrow = Decision { decided_at: NOW + 86_400, ..decision(6, 70) };
        assert_eq!(database.grant(&tomorrow, Some(&limits)).await, Ok(BudgetOutcome::Written));
        assert_eq!(day_of(NOW) + 1, day_of(NOW + 86_400));
        assert_eq!(database.sponsorships(31_337, 100).await.unwrap().len(), 3, "what was undone left no row");
    }

    /// One of them at most is ever mined.
    #[tokio::test]
    async fn the_same_nonce_again_reserves_only_the_difference() {
        let database = Database::at("sqlite::memory:").unwrap();
        let limits = Limits { account: gwei(100), ..Limits::default() };
        let offer = |number: u8, gwei: u64, until: u64| {
            let offer = Decision { nonce: U256::from(7), valid_until: until, ..decision(number, gwei) };
            let (database, limits) = (&database, &limits);
            async move { database.grant(&offer, Some(limits)).await }
        };
        assert_eq!(offer(1, 60, NOW + 10).await, Ok(BudgetOutcome::Written));
        assert_eq!(offer(2, 70, NOW + 20).await, Ok(BudgetOutcome::Written));
        assert_eq!(used(&database).await, 70);
        assert_eq!(offer(3, 40, NOW + 30).await, Ok(BudgetOutcome::Written));
        assert_eq!(used(&database).await, 70, "the dearest of them may be the one");
        // Another nonce is another operation, and another key another budget.
        assert!(matches!(database.grant(&decision(4, 31), Some(&limits)).await, Ok(BudgetOutcome::Exhausted { .. })));
        assert!(matches!(offer(5, 101, NOW + 40).await, Ok(BudgetOutcome::Exhausted { .. })));
        let other_key = Decision { api_key: None, nonce: U256::from(7), ..decision(6, 30) };
        assert_eq!(database.grant(&other_key, Some(&limits)).await, Ok(BudgetOutcome::Written));
        assert_eq!(used(&database).await, 100);
        // The first one runs out and holds nothing; the second one is mined, then the third runs out.
        assert_eq!(database.release_expired(31_337, NOW + 11).await, Ok(1));
        assert_eq!(used(&database).await, 100);
        let cost = U256::from(50_000_000_000u64);
        assert_eq!(database.settle(31_337, B256::repeat_byte(2), cost, B256::ZERO, NOW).await, Ok(true));
        assert_eq!(database.release_expired(31_337, NOW + 31).await, Ok(1));
        assert_eq!(used(&database).await, 80, "50 paid, 30 of the other key");
    }

    #[tokio::test]
    async fn a_cost_is_settled_once_and_again_after_a_reorganisation() {
        let database = Database::at("sqlite::memory:").unwrap();
        database.grant(&decision(1, 40), Some(&Limits::default())).await.unwrap();
        let settle =
            |wei: u64| database.settle(31_337, B256::repeat_byte(1), U256::from(wei), B256::repeat_byte(9), NOW);
        // 10.000000001 gwei: rounded up.
        assert_eq!(settle(10_000_000_001).await, Ok(true));
        assert_eq!(used(&database).await, 11);
        assert_eq!(settle(10_000_000_001).await, Ok(false));
        assert_eq!(settle(12_000_000_000).await, Ok(true));
        assert_eq!(used(&database).await, 12);
        let entry = database.sponsorships(31_337, 1).await.unwrap().remove(0);
        assert_eq!((entry.state.as_str(), entry.actual_cost.as_deref()), ("settled", Some("12000000000")));
        // Foreign operations are passed over; settled ones are not released.
        assert_eq!(database.settle(31_337, B256::ZERO, U256::from(1), B256::ZERO, NOW).await, Ok(false));
        assert_eq!(database.release_expired(31_337, u64::MAX).await, Ok(0));
    }

    #[tokio::test]
    async fn what_runs_out_unused_is_given_back() {
        let database = Database::at("sqlite::memory:").unwrap();
        database.grant(&decision(1, 40), Some(&Limits::default())).await.unwrap();
        assert_eq!(database.release_expired(31_337, NOW + 300).await, Ok(0), "good to the last second");
        assert_eq!(database.release_expired(1, NOW + 301).await, Ok(0), "another chain's");
        assert_eq!(database.open_paymasters(31_337).await.unwrap(), [(DEMO_NFT, "SPONSORED".to_owned())]);
        assert_eq!(database.release_expired(31_337, NOW + 301).await, Ok(1));
        assert_eq!((used(&database).await, database.open_paymasters(31_337).await.unwrap().len()), (0, 0));
        // It was mined after all, and is found late.
        assert_eq!(
            database.settle(31_337, B256::repeat_byte(1), U256::from(5_000_000_000u64), B256::ZERO, NOW).await,
            Ok(true)
        );
        assert_eq!(used(&database).await, 5);
    }

    #[tokio::test]
    async fn refusals_and_token_payments_are_written_and_take_nothing() {
        let database = Database::at("sqlite::memory:").unwrap();
        database.refuse(&decision(1, 40), "no such target").await.unwrap();
        database.refuse(&decision(1, 40), "no such target").await.unwrap();
        database.grant(&Decision { mode: "ERC20", ..decision(2, 40) }, None).await.unwrap();
        let entries = database.sponsorships(31_337, 10).await.unwrap();
        let seen: Vec<_> =
            entries.iter().map(|entry| (entry.mode.as_str(), entry.outcome.as_str(), entry.state.as_str())).collect();
        assert_eq!(
            seen,
            [("ERC20", "granted", "reserved"), ("SPONSORED", "refused", "none"), ("SPONSORED", "refused", "none")]
        );
        assert_eq!(entries[1].reason.as_deref(), Some("no such target"));
        assert_eq!((used(&database).await, database.release_expired(31_337, u64::MAX).await), (0, Ok(1)));
        assert_eq!(used(&database).await, 0);
    }

    #[tokio::test]
    async fn what_is_paid_in_a_token_is_settled_with_its_charge() {
        let database = Database::at("sqlite::memory:").unwrap();
        let (hash, units) = (B256::repeat_byte(2), U256::from(1_258_551));
        database.grant(&Decision { mode: "ERC20", ..decision(2, 40) }, None).await.unwrap();
        database.grant(&decision(3, 40), Some(&Limits::default())).await.unwrap();
        let mut open = database.open_paymasters(31_337).await.unwrap();
        open.sort();
        assert_eq!(open, [(DEMO_NFT, "ERC20".to_owned()), (DEMO_NFT, "SPONSORED".to_owned())]);
        assert_eq!(database.charge(31_337, hash, DEMO_TOKEN, units).await, Ok(true));
        assert_eq!(database.charge(31_337, hash, DEMO_TOKEN, units).await, Ok(false), "told twice");
        assert_eq!(database.charge(31_337, B256::repeat_byte(3), DEMO_TOKEN, units).await, Ok(false), "we paid for it");
        assert_eq!(database.settle(31_337, hash, U256::from(7), B256::ZERO, NOW).await, Ok(true));
        let entries = database.sponsorships(31_337, 10).await.unwrap();
        let paid = entries.iter().find(|entry| entry.mode == "ERC20").unwrap();
        assert_eq!((paid.state.as_str(), paid.actual_cost.as_deref()), ("settled", Some("7")));
        assert_eq!((paid.token.clone(), paid.charged.as_deref()), (Some(format!("{DEMO_TOKEN:#x}")), Some("1258551")));
        assert_eq!(used(&database).await, 40, "no budget paid for it");
    }

    fn open(per_account: Option<u32>, per_caller: Option<u32>) -> Limits {
        Limits { open: Open { per_account, per_caller, ..Open::default() }, ..Limits::default() }
    }

    #[tokio::test]
    async fn one_account_has_only_so_many_open() {
        let database = Database::at("sqlite::memory:").unwrap();
        let limits = open(Some(2), None);
        assert_eq!(database.grant(&decision(1, 10), Some(&limits)).await, Ok(BudgetOutcome::Written));
        assert_eq!(database.grant(&decision(2, 10), Some(&limits)).await, Ok(BudgetOutcome::Written));
        let crowded = Ok(BudgetOutcome::Crowded { whose: "you have, for this account,", most: 2 });
        assert_eq!(database.grant(&decision(3, 10), Some(&limits)).await, crowded);
        assert_eq!((used(&database).await, database.sponsorships(31_337, 9).await.unwrap().len()), (20, 2));
        // The same nonce again takes the other one's place; another account is another matter.
        let again = Decision { nonce: U256::from(2), ..decision(4, 10) };
        assert_eq!(database.grant(&again, Some(&limits)).await, Ok(BudgetOutcome::Written));
        let other = Decision { account: DEMO_TOKEN, ..decision(5, 10) };
        assert_eq!(database.grant(&other, Some(&limits)).await, Ok(BudgetOutcome::Written));
        // One is used, one runs out: room for two.
        database.settle(31_337, B256::repeat_byte(1), U256::from(1), B256::ZERO, NOW).await.unwrap();
        assert_eq!(database.grant(&decision(6, 10), Some(&limits)).await, Ok(BudgetOutcome::Written));
        assert!(matches!(database.grant(&decision(7, 10), Some(&limits)).await, Ok(BudgetOutcome::Crowded { .. })));
        database.release_expired(31_337, NOW + 301).await.unwrap();
        assert_eq!(database.grant(&decision(8, 10), Some(&limits)).await, Ok(BudgetOutcome::Written));
    }

    #[tokio::test]
    async fn one_caller_has_only_so_many_open_whatever_the_account() {
        let database = Database::at("sqlite::memory:").unwrap();
        let limits = open(None, Some(2));
        let asked = |number: u8, caller: u8| {
            let account = Address::repeat_byte(number);
            let decision = Decision { account, caller: Some([9, 9, 9, caller].into()), ..decision(number, 10) };
            let (database, limits) = (&database, &limits);
            async move { database.grant(&decision, Some(limits)).await }
        };
        assert_eq!((asked(1, 1).await, asked(2, 1).await), (Ok(BudgetOutcome::Written), Ok(BudgetOutcome::Written)));
        assert_eq!(asked(3, 1).await, Ok(BudgetOutcome::Crowded { whose: "you have", most: 2 }));
        assert_eq!(asked(3, 2).await, Ok(BudgetOutcome::Written));
        // Nobody's address is kept longer than needed.
        database.settle(31_337, B256::repeat_byte(1), U256::from(1), B256::ZERO, NOW).await.unwrap();
        database.release_expired(31_337, NOW + 301).await.unwrap();
        let pool = database.pool().await.unwrap();
        let crate::database::Pool::Sqlite(pool) = pool else { panic!("not SQLite") };
        let kept: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sponsorships WHERE caller IS NOT NULL")
            .fetch_one(pool)
            .await
            .unwrap();
        assert_eq!(kept, 0);
    }

    /// Without a key: from this address, with this nonce.
    fn without_key(number: u8, caller: u8, nonce: u64, gwei: u64) -> Decision {
        let caller = Some([9, 9, 9, caller].into());
        Decision { api_key: None, caller, nonce: U256::from(nonce), ..decision(number, gwei) }
    }

    #[tokio::test]
    async fn a_stranger_neither_uses_up_an_accounts_budget_nor_stands_in_its_way() {
        let database = Database::at("sqlite::memory:").unwrap();
        let limits = Limits { account: gwei(100), ..open(Some(2), None) };
        let ask = async |decision: Decision| database.grant(&decision, Some(&limits)).await.unwrap();
        // The stranger takes all that one may, with the very nonces that the owner needs.
        assert_eq!(ask(without_key(1, 1, 0, 50)).await, BudgetOutcome::Written);
        assert_eq!(ask(without_key(2, 1, 1, 50)).await, BudgetOutcome::Written);
        let crowded = BudgetOutcome::Crowded { whose: "you have, for this account,", most: 2 };
        assert_eq!(
            ask(Decision { max_cost: U256::ZERO, ..without_key(3, 1, 2, 0) }).await,
            BudgetOutcome::Written,
            "holds nothing"
        );
        assert!(matches!(ask(without_key(4, 1, 2, 1)).await, BudgetOutcome::Exhausted { budget: "the account's", .. }));
        // The owner, from elsewhere: another nonce, and the same one for less.
        assert_eq!(ask(without_key(5, 2, 0, 20)).await, BudgetOutcome::Written);
        assert_eq!(ask(without_key(6, 2, 1, 30)).await, BudgetOutcome::Written);
        assert_eq!(used(&database).await, 150, "what the stranger asked for is not handed over");
        assert_eq!(ask(without_key(7, 2, 3, 10)).await, crowded);
        // Mined, it counts for all; the stranger's offer for that nonce is worth nothing any more.
        let mined = B256::repeat_byte(6);
        database.settle(31_337, mined, U256::from(90_000_000_000u64), B256::ZERO, NOW).await.unwrap();
        database.release_replaced(31_337, (EntryPoint::V06, ACCOUNT, U256::from(1)), mined).await.unwrap();
        assert!(matches!(
            ask(without_key(8, 2, 4, 10)).await,
            BudgetOutcome::Exhausted { budget: "the account's", .. }
        ));
        assert!(matches!(
            ask(without_key(9, 3, 5, 11)).await,
            BudgetOutcome::Exhausted { budget: "the account's", .. }
        ));
        assert_eq!(ask(without_key(10, 3, 5, 10)).await, BudgetOutcome::Written);
    }

    #[tokio::test]
    async fn who_has_proven_nothing_reserves_little() {
        let database = Database::at("sqlite::memory:").unwrap();
        let open = Open { caller_amount: gwei(50), unproven_amount: gwei(100), ..Open::default() };
        let limits = Limits { global: gwei(200), open, ..Limits::default() };
        let ask = async |decision: Decision| database.grant(&decision, Some(&limits)).await.unwrap();
        assert_eq!(ask(without_key(1, 1, 1, 50)).await, BudgetOutcome::Written);
        let whose = "your address";
        assert_eq!(ask(without_key(2, 1, 2, 1)).await, BudgetOutcome::Overdrawn { whose, most: gwei(50).unwrap() });
        assert_eq!(ask(without_key(3, 2, 3, 50)).await, BudgetOutcome::Written);
        let whose = "everybody without an API key";
        assert_eq!(ask(without_key(4, 3, 4, 1)).await, BudgetOutcome::Overdrawn { whose, most: gwei(100).unwrap() });
        // A key is held to its own budget, and finds the rest.
        assert_eq!(ask(decision(5, 100)).await, BudgetOutcome::Written);
        // Used or run out, it is no longer reserved.
        database.settle(31_337, B256::repeat_byte(1), U256::from(1_000_000_000u64), B256::ZERO, NOW).await.unwrap();
        assert_eq!(ask(without_key(6, 1, 6, 49)).await, BudgetOutcome::Written);
    }

    #[tokio::test]
    async fn what_may_have_been_mined_holds_its_cost_and_is_not_open() {
        let database = Database::at("sqlite::memory:").unwrap();
        let limits = open(Some(2), None);
        for number in [1, 2] {
            assert_eq!(database.grant(&decision(number, 40), Some(&limits)).await, Ok(BudgetOutcome::Written));
        }
        assert!(database.expired(31_337, NOW + 300, 9).await.unwrap().is_empty());
        let expired = database.expired(31_337, NOW + 301, 9).await.unwrap();
        assert_eq!(
            expired.iter().map(|row| row.nonce.unwrap().nonce).collect::<Vec<_>>(),
            [U256::from(1), U256::from(2)]
        );
        for row in &expired {
            database.presume_mined(row.id).await.unwrap();
        }
        assert_eq!((used(&database).await, database.release_expired(31_337, u64::MAX).await), (80, Ok(0)));
        assert_eq!(database.open_paymasters(31_337).await.unwrap().len(), 1, "logs are still wanted");
        assert_eq!(database.grant(&decision(3, 40), Some(&limits)).await, Ok(BudgetOutcome::Written));
        // The logs come: one was mined, the other one's nonce was used by another operation.
        let settled =
            database.settle(31_337, B256::repeat_byte(1), U256::from(5_000_000_000u64), B256::ZERO, NOW).await;
        assert_eq!(settled, Ok(true));
        assert_eq!(
            database.release_replaced(31_337, (EntryPoint::V06, ACCOUNT, U256::from(2)), B256::ZERO).await,
            Ok(1)
        );
        assert_eq!(used(&database).await, 45);
    }

    #[tokio::test]
    async fn a_nonce_that_was_used_sets_the_others_free() {
        let database = Database::at("sqlite::memory:").unwrap();
        let with_nonce = |number: u8, api_key: Option<&str>| Decision {
            nonce: U256::from(7),
            api_key: api_key.map(Into::into),
            ..decision(number, 40)
        };
        // Another key's reservation of the same nonce is not handed over.
        database.grant(&with_nonce(1, None), Some(&Limits::default())).await.unwrap();
        database.grant(&with_nonce(2, Some("k2")), Some(&Limits::default())).await.unwrap();
        database.grant(&decision(3, 40), Some(&Limits::default())).await.unwrap();
        assert_eq!(used(&database).await, 120);
        let mined = B256::repeat_byte(1);
        assert_eq!(database.release_replaced(31_337, (EntryPoint::V06, ACCOUNT, U256::from(7)), mined).await, Ok(1));
        assert_eq!(database.settle(31_337, mined, U256::from(5_000_000_000u64), B256::ZERO, NOW).await, Ok(true));
        assert_eq!(used(&database).await, 45, "5 paid, 40 of another nonce");
        assert_eq!(
            database.release_replaced(31_337, (EntryPoint::V06, DEMO_NFT, U256::from(3)), mined).await,
            Ok(0),
            "another account"
        );
    }

    #[tokio::test]
    async fn old_decisions_are_forgotten_but_not_open_ones() {
        let database = Database::at("sqlite::memory:").unwrap();
        database.refuse(&decision(1, 40), "no such target").await.unwrap();
        database.grant(&decision(2, 40), Some(&Limits::default())).await.unwrap();
        let later = Decision { decided_at: NOW + 86_400, ..decision(3, 40) };
        database.refuse(&later, "no such target").await.unwrap();
        assert_eq!(database.forget_before(31_337, NOW).await, Ok(0), "not old enough");
        assert_eq!(database.forget_before(1, NOW + 1).await, Ok(0), "another chain's");
        assert_eq!(database.forget_before(31_337, NOW + 86_400).await, Ok(1));
        let left: Vec<_> =
            database.sponsorships(31_337, 9).await.unwrap().into_iter().map(|entry| entry.state).collect();
        assert_eq!(left, ["none", "reserved"]);
        assert_eq!(used(&database).await, 0, "its budget is of the past");
        database.release_expired(31_337, NOW + 301).await.unwrap();
        assert_eq!(database.forget_before(31_337, NOW + 86_400).await, Ok(1));
    }

    #[tokio::test]
    async fn very_many_are_forgotten_in_turns() {
        let database = Database::at("sqlite::memory:").unwrap();
        for _ in 0..1_001 {
            database.refuse(&decision(1, 40), "no such target").await.unwrap();
        }
        assert_eq!(database.forget_before(31_337, NOW + 1).await, Ok(1_001));
    }
}
