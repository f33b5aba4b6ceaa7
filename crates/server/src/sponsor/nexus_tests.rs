//! The guards on operations of entry point v0.7: those of V2 accounts, and what is Nexus' own.

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::sol_types::SolCall;

use super::{
    ledger::{Decision, day_of},
    limits::{BudgetOutcome, Limits},
    policy::{Caps, SponsorPolicy},
};
use crate::database::Database;
use use_aa_protocol::{
    abi::nexus::INexus,
    addresses::{DEMO_NFT, DEMO_TOKEN, SESSION_KEY_MANAGER},
    entry_point::{EntryPoint, v07},
    nexus::{
        CallType, ExecType, ExecutionMode, ModuleType, NexusRelease, NonceKey, ValidationMode, encode_calls,
        encode_mode, install_module, uninstall_validator,
    },
    rpc::{PaymasterGas, PaymasterMode},
    smart_account::{self, Call},
    smart_sessions::{
        ActionData, EnableGrant, Erc7739Data, PolicyData, Session,
        addresses::{OWNABLE_VALIDATOR, SMART_SESSION, SUDO_POLICY, TIME_FRAME_POLICY, USAGE_LIMIT_POLICY},
        calls,
        grant::ChainDigest,
    },
    user_operation::UserOperation,
};

const ACCOUNT: Address = Address::repeat_byte(0xac);
const ANYTHING: &str = "[[targets]]\naddress = \"*\"";

fn policy(head: &str) -> SponsorPolicy {
    SponsorPolicy::parse(&format!("{head}\n[budgets]\nglobal_per_day = \"unlimited\"\n"), |_| None).unwrap()
}

fn call(to: Address, data: &[u8]) -> Call {
    Call { to, value: U256::ZERO, data: Bytes::copy_from_slice(data) }
}

fn with_data(call_data: Bytes) -> UserOperation {
    UserOperation { entry_point: EntryPoint::V07, sender: ACCOUNT, call_data, ..Default::default() }
}

fn sponsored(policy: &SponsorPolicy, calls: &[Call]) -> Result<(), String> {
    policy.check(&with_data(encode_calls(calls).unwrap()), PaymasterMode::Sponsored, None)
}

#[test]
fn targets_functions_and_values_hold_for_single_calls_and_batches() {
    let narrow =
        policy(&format!("[[targets]]\naddress = \"{DEMO_NFT}\"\nfunctions = [\"safeMint(address)\"]\nmax_value = 5"));
    let mint = call(DEMO_NFT, &[0x40, 0xd0, 0x97, 0xc3]);
    assert_eq!(sponsored(&narrow, std::slice::from_ref(&mint)), Ok(()));
    assert_eq!(sponsored(&narrow, &[mint.clone(), Call { value: U256::from(5), ..mint.clone() }]), Ok(()));
    for bad in [
        call(DEMO_TOKEN, &[0x40, 0xd0, 0x97, 0xc3]),
        call(DEMO_NFT, &[1, 2, 3, 4]),
        call(DEMO_NFT, &[]),
        Call { value: U256::from(6), ..mint.clone() },
    ] {
        for calls in [vec![bad.clone()], vec![mint.clone(), bad.clone()], vec![bad.clone(), mint.clone()]] {
            assert!(sponsored(&narrow, &calls).unwrap_err().contains("targets"), "{calls:?}");
        }
    }
    let few = policy(&format!("{ANYTHING}\n[caps]\ncalls = 2"));
    assert!(sponsored(&few, &vec![mint.clone(); 3]).unwrap_err().contains("at most 2"));
    assert_eq!(sponsored(&few, &[mint.clone(), mint]), Ok(()));
}

/// In other modes a failing call goes on, or the account runs another contract's code as its own.
#[test]
fn only_single_calls_and_batches_that_undo_all_are_paid_for() {
    let anything = policy(ANYTHING);
    let mint = [call(DEMO_NFT, &[0x40, 0xd0, 0x97, 0xc3])];
    for call_type in [CallType::Single, CallType::Batch, CallType::Static, CallType::Delegate, CallType::Other(7)] {
        for exec_type in [ExecType::Default, ExecType::Try, ExecType::Other(7)] {
            let mode = ExecutionMode { call_type, exec_type };
            let operation = with_data(encode_mode(mode.to_word(), &mint));
            let is_plain = [ExecutionMode::SINGLE, ExecutionMode::BATCH].contains(&mode);
            let checked = anything.check(&operation, PaymasterMode::Sponsored, None);
            assert_eq!(checked.is_ok(), is_plain, "{mode:?}: {checked:?}");
        }
    }
    let empty = with_data(encode_mode(ExecutionMode::BATCH.to_word(), &[]));
    assert!(anything.check(&empty, PaymasterMode::Sponsored, None).is_err());
    // Behind another function of the account, and as a V2 account has it.
    let v2 = use_aa_protocol::smart_account::encode_calls(&mint, false).unwrap();
    for call_data in [v2.clone(), [&[0x8d, 0xd7, 0x71, 0x2f][..], &v2].concat().into(), Bytes::from_static(&[1, 2])] {
        assert!(anything.check(&with_data(call_data), PaymasterMode::Sponsored, None).is_err());
    }
    let nexus = UserOperation { entry_point: EntryPoint::V06, ..with_data(encode_calls(&mint).unwrap()) };
    assert!(anything.check(&nexus, PaymasterMode::Sponsored, None).is_err(), "and the other way round");
}

/// With a policy in each of the places that have some.
fn session() -> Session {
    let policies = |policy: Address| vec![PolicyData { policy, init_data: Bytes::new() }];
    Session {
        session_validator: OWNABLE_VALIDATOR,
        user_op_policies: policies(TIME_FRAME_POLICY),
        erc7739_policies: Erc7739Data { erc1271_policies: policies(SUDO_POLICY), ..Erc7739Data::default() },
        actions: vec![ActionData {
            action_target_selector: [0x40, 0xd0, 0x97, 0xc3].into(),
            action_target: DEMO_NFT,
            action_policies: policies(USAGE_LIMIT_POLICY),
        }],
        ..Session::default()
    }
}

/// The module calls whatever contract is named as a policy or a validator.
#[test]
fn sessions_with_contracts_of_somebodys_own_are_set_up_at_his_own_cost() {
    let anything = format!("session_setup = true\n{ANYTHING}");
    let strict = policy(&anything);
    let listing = policy(&format!("session_contracts = [\"{DEMO_NFT}\"]\n{anything}"));
    let id = B256::repeat_byte(1);
    let places: [fn(&mut Session) -> &mut Address; 4] = [
        |it| &mut it.session_validator,
        |it| &mut it.user_op_policies[0].policy,
        |it| &mut it.erc7739_policies.erc1271_policies[0].policy,
        |it| &mut it.actions[0].action_policies[0].policy,
    ];
    let foreign = places.map(|place| {
        let mut foreign = session();
        *place(&mut foreign) = DEMO_NFT;
        foreign
    });
    let whole = foreign.iter().flat_map(|foreign| {
        // Behind an honest one.
        let sessions = [session(), foreign.clone()];
        let data = calls::install_data(&sessions).unwrap();
        [
            calls::enable_sessions(&sessions).unwrap(),
            install_module(ACCOUNT, ModuleType::Validator, SMART_SESSION, data),
        ]
    });
    let parts = [
        calls::enable_user_op_policies(id, &foreign[1].user_op_policies),
        calls::enable_action_policies(id, &foreign[3].actions),
    ];
    for bad in whole.chain(parts) {
        let refused = sponsored(&strict, std::slice::from_ref(&bad)).unwrap_err();
        assert!(refused.contains(&format!("names {DEMO_NFT}")) && refused.contains("session_contracts"), "{refused}");
        assert_eq!(sponsored(&listing, &[bad]), Ok(()));
    }
    assert_eq!(sponsored(&strict, &[calls::enable_sessions(&[session()]).unwrap()]), Ok(()));
    // So is one that the operation's signature enables, with no call that says so.
    let anything = policy(&format!("session_setup = true\n{ANYTHING}"));
    let off = policy(ANYTHING);
    let by_signature = |policy: &SponsorPolicy, session: &Session, cut: usize| {
        let digests = vec![ChainDigest { chain_id: 1, session_digest: B256::ZERO }];
        let session = session.clone();
        let grant = EnableGrant { chain_digest_index: 0, digests, session, permission_enable_sig: vec![1; 85].into() };
        let signature = grant.signature(&[1; 65]).unwrap();
        let nonce = NonceKey::new(SMART_SESSION, 0).unwrap().nonce(0);
        let operation = with_data(encode_calls(&[call(DEMO_NFT, &[1, 2, 3, 4])]).unwrap());
        let operation = UserOperation { signature: signature.slice(..signature.len() - cut), nonce, ..operation };
        policy.check(&operation, PaymasterMode::Sponsored, None)
    };
    assert_eq!(by_signature(&anything, &session(), 0), Ok(()));
    assert!(by_signature(&off, &session(), 0).unwrap_err().contains("session_setup is off"));
    assert!(by_signature(&anything, &session(), 3).unwrap_err().contains("cannot be read"));
    let foreign = Session { session_validator: DEMO_NFT, ..session() };
    assert!(by_signature(&anything, &foreign, 0).unwrap_err().contains("session_contracts"));
}

/// A function that the account has not may be one that its owner installed.
#[test]
fn sessions_are_set_up_as_the_accounts_kind_does() {
    let with = policy(&format!("session_setup = true\n{ANYTHING}"));
    let install = install_module(ACCOUNT, ModuleType::Validator, SMART_SESSION, Bytes::new());
    let nexus = [install, calls::remove_session(B256::repeat_byte(1))];
    let v2 = [
        smart_account::enable_module(ACCOUNT, SESSION_KEY_MANAGER),
        smart_account::set_merkle_root(B256::repeat_byte(1)),
    ];
    let of_v2 = |call: &Call| {
        let call_data = smart_account::encode_calls(std::slice::from_ref(call), false).unwrap();
        let operation = UserOperation { entry_point: EntryPoint::V06, ..with_data(call_data) };
        with.check(&operation, PaymasterMode::Sponsored, None)
    };
    for call in &nexus {
        assert_eq!(sponsored(&with, std::slice::from_ref(call)), Ok(()));
        assert!(of_v2(call).is_err(), "{call:?}");
    }
    for call in &v2 {
        assert_eq!(of_v2(call), Ok(()));
        assert!(sponsored(&with, std::slice::from_ref(call)).is_err(), "{call:?}");
    }
}

/// docs/nexus.md 0: of the sets, too, that accounts are not made with here.
#[test]
fn anything_does_not_mean_owners_validators() {
    let anything = policy(ANYTHING);
    let text = include_str!("../../../../docs/nexus.md");
    let book = text.split("## 0. Address book").nth(1).unwrap().split("### 0.1").next().unwrap();
    let rows = book.lines().filter(|line| line.starts_with("| 1.") || line.starts_with("| OwnableValidator"));
    let validators: Vec<Address> = rows
        .map(|row| {
            let last = if row.contains("OwnableValidator") { row.split('`').nth(1) } else { row.rsplit('`').nth(1) };
            last.unwrap().parse().unwrap()
        })
        .collect();
    assert_eq!(validators.len(), 5, "{validators:?}");
    for validator in validators {
        assert!(sponsored(&anything, &[call(validator, &[0xf2, 0xfd, 0xe3, 0x8b])]).is_err(), "{validator}");
    }
    assert_eq!(sponsored(&anything, &[call(DEMO_NFT, &[0xf2, 0xfd, 0xe3, 0x8b])]), Ok(()));
}

/// A tenth of what is not used goes to whoever bundles.
#[test]
fn gas_of_calls_that_may_not_be_used_is_bounded() {
    let (usual, own) = (policy(ANYTHING), policy(&format!("{ANYTHING}\n[caps]\nunused_call_gas = 20_000")));
    let with = |call: u64, post_op: u128| UserOperation {
        call_gas_limit: U256::from(call),
        paymaster_and_data: v07::paymaster_and_data(DEMO_NFT, [1, post_op], &[]),
        ..with_data(Bytes::new())
    };
    for (policy, most) in [(&usual, 1_500_000), (&own, 200_000)] {
        for (good, bad) in [(with(most, 9), with(most, 10)), (with(9, most.into()), with(10, most.into()))] {
            assert_eq!(policy.check_gas(&good, PaymasterMode::Sponsored), Ok(()));
            let refused = policy.check_gas(&bad, PaymasterMode::Sponsored).unwrap_err();
            assert!(refused.contains("caps.unused_call_gas") && refused.contains(&most.to_string()), "{refused}");
            assert_eq!(policy.check_gas(&bad, PaymasterMode::Erc20), Ok(()), "the account's own money");
            let old = UserOperation { entry_point: EntryPoint::V06, ..bad };
            assert_eq!(policy.check_gas(&old, PaymasterMode::Sponsored), Ok(()), "nothing is charged there");
        }
    }
}

#[test]
fn whoever_may_act_for_the_account_is_decided_at_its_own_cost() {
    let (anything, with) = (policy(ANYTHING), policy(&format!("session_setup = true\n{ANYTHING}")));
    let id = B256::repeat_byte(1);
    let install = |data: Bytes| install_module(ACCOUNT, ModuleType::Validator, SMART_SESSION, data);
    for setup in [
        calls::enable_sessions(&[session()]).unwrap(),
        calls::enable_action_policies(id, &session().actions),
        calls::enable_user_op_policies(id, &session().user_op_policies),
        calls::remove_session(id),
        calls::revoke_enable_signature(id),
        calls::set_permit_paymaster(id, true),
        install(Bytes::new()),
        install(calls::install_data(&[session()]).unwrap()),
        uninstall_validator(ACCOUNT, SMART_SESSION, SMART_SESSION, Bytes::new()),
        EntryPoint::V07.withdraw_to(DEMO_NFT, U256::from(5)),
    ] {
        assert!(sponsored(&anything, std::slice::from_ref(&setup)).unwrap_err().contains("session_setup is off"));
        assert_eq!(sponsored(&with, std::slice::from_ref(&setup)), Ok(()), "{setup:?}");
        let paid = Call { value: U256::from(1), ..setup };
        assert!(sponsored(&with, &[paid]).is_err());
    }
    let owners = NexusRelease::ALL.map(|release| call(release.parts().owner_validator, &[0xf2, 0xfd, 0xe3, 0x8b]));
    let others = [
        install_module(ACCOUNT, ModuleType::Validator, DEMO_NFT, Bytes::new()),
        install_module(ACCOUNT, ModuleType::Executor, SMART_SESSION, Bytes::new()),
        install(Bytes::from_static(&[9])),
        uninstall_validator(ACCOUNT, SMART_SESSION, DEMO_NFT, Bytes::new()),
        install_module(DEMO_TOKEN, ModuleType::Validator, SMART_SESSION, Bytes::new()),
        call(SMART_SESSION, &[1, 2, 3, 4]),
        call(SMART_SESSION, &[&calls::remove_session(id).data[..], &[0; 32]].concat()),
        call(EntryPoint::V07.address(), &[0x0b, 0xd2, 0x8e, 0x3b]),
        call(ACCOUNT, &INexus::executeCall { mode: B256::ZERO, executionCalldata: Bytes::new() }.abi_encode()),
    ];
    for bad in owners.into_iter().chain(others).filter(|bad| bad.to != DEMO_TOKEN) {
        assert!(sponsored(&with, std::slice::from_ref(&bad)).is_err(), "{bad:?}");
    }
    // A nonce that has the account install what stands in the signature.
    let validator = NexusRelease::Modulekit0_5_9.parts().owner_validator;
    for (mode, is_paid) in
        [(ValidationMode::Validate, true), (ValidationMode::ModuleEnable, false), (ValidationMode::Prepare, false)]
    {
        let nonce = NonceKey { lane: 7, mode, validator }.nonce(3);
        let mint = encode_calls(&[call(DEMO_NFT, &[0x40, 0xd0, 0x97, 0xc3])]).unwrap();
        let operation = UserOperation { nonce, ..with_data(mint) };
        assert_eq!(with.check(&operation, PaymasterMode::Sponsored, None).is_ok(), is_paid, "{mode:?}");
    }
}

#[test]
fn a_paymasters_own_limits_count() {
    let gas = |number: u64| Some(U256::from(number));
    let caps = Caps { verification_gas: gas(150), call_gas: gas(100), total_gas: gas(240), ..Caps::default() };
    let with = |verification: u128, post_op: u128| UserOperation {
        entry_point: EntryPoint::V07,
        call_gas_limit: U256::from(50),
        verification_gas_limit: U256::from(50),
        paymaster_and_data: v07::paymaster_and_data(DEMO_NFT, [verification, post_op], &[]),
        ..Default::default()
    };
    assert_eq!(caps.check(&with(100, 40)), Ok(()));
    for (operation, name) in [
        (with(101, 0), "verificationGasLimit and paymasterVerificationGasLimit 151"),
        (with(0, 51), "callGasLimit and paymasterPostOpGasLimit 101"),
        (with(100, 50), "total gas"),
    ] {
        assert!(caps.check(&operation).unwrap_err().starts_with(name));
        let old = UserOperation { entry_point: EntryPoint::V06, ..operation.clone() };
        assert_eq!((caps.check(&old), old.paymaster_gas()), (Ok(()), None::<PaymasterGas>));
    }
}

/// An account may take operations of both entry points: what it uses at one frees nothing, and costs nothing less, at the
/// other.
#[tokio::test]
async fn nonces_of_the_two_entry_points_are_kept_apart() {
    const NOW: u64 = 1_800_000_000;
    let database = Database::at("sqlite::memory:").unwrap();
    let offer = |entry_point: EntryPoint, hash: u8, gwei: u64| Decision {
        chain_id: 31_337,
        entry_point,
        decided_at: NOW,
        mode: "SPONSORED",
        account: ACCOUNT,
        nonce: U256::from(7),
        user_op_hash: B256::repeat_byte(hash),
        max_cost: U256::from(gwei) * U256::from(1_000_000_000),
        policy_version: "test".into(),
        api_key: None,
        webhooks: None,
        valid_until: NOW + 300,
        paymaster: Some(DEMO_NFT),
        caller: Some([9, 9, 9, 9].into()),
    };
    let used = async || database.sponsored_on(31_337, NOW, None).await.unwrap();
    let limits = Limits::default();
    for (entry_point, hash) in [(EntryPoint::V06, 1), (EntryPoint::V07, 2)] {
        assert_eq!(database.grant(&offer(entry_point, hash, 40), Some(&limits)).await, Ok(BudgetOutcome::Written));
    }
    assert_eq!(used().await, 80, "both may be mined");
    database.grant(&offer(EntryPoint::V07, 3, 50), Some(&limits)).await.unwrap();
    assert_eq!(used().await, 90, "of these two only one: what is held is handed over");
    let expired = database.expired(31_337, NOW + 301, 9).await.unwrap();
    let kinds: Vec<EntryPoint> = expired.iter().map(|row| row.nonce.unwrap().entry_point).collect();
    assert_eq!(kinds, [EntryPoint::V06, EntryPoint::V07, EntryPoint::V07], "each nonce is asked of its own");
    let place = |entry_point| (entry_point, ACCOUNT, U256::from(7));
    assert_eq!(database.release_replaced(31_337, place(EntryPoint::V06), B256::repeat_byte(9)).await, Ok(1));
    assert_eq!(used().await, 50);
    assert_eq!(database.release_replaced(31_337, place(EntryPoint::V07), B256::repeat_byte(3)).await, Ok(1));
    assert_eq!((used().await, day_of(NOW)), (50, 20_833));
    let versions: Vec<String> =
        database.sponsorships(31_337, 9).await.unwrap().into_iter().map(|row| row.entry_point).collect();
    assert_eq!(versions, ["0.7", "0.7", "0.6"]);
}
