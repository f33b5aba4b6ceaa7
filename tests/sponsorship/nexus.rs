//! Nexus accounts on the real lab: paid for by the rules of V2 accounts, told in the shape of entry point v0.7.

use std::time::Duration;

use alloy::{
    primitives::{Bytes, FixedBytes, address},
    signers::local::PrivateKeySigner,
    sol,
    sol_types::SolCall,
};
use use_aa::{
    lab::contracts::nexus::{SESSION_VALIDATOR, TOKEN_PAYMASTER_V07, VERIFYING_PAYMASTER_V07},
    protocol::{
        abi::IErc20,
        addresses::DEMO_TOKEN,
        entry_point::{EntryPoint, UserOperation, v07},
        nexus::{self, CallType, ExecType, ExecutionMode, InitialModules, NonceKey, ValidationMode},
        policy::SessionEpoch,
        rpc::PaymasterGas,
        smart_sessions::{
            ActionData, ParamCondition, ParamRule, PolicyConfig, PolicyData, Session, UniversalAction,
            addresses::{SMART_SESSION, SUDO_POLICY},
            calls, ids, stub_use,
        },
    },
};

use super::*;
use common::nexus::{NexusOwner, RELEASE, ask, put, sign_as_session};

const PATIENCE: Duration = Duration::from_secs(20);
/// Account 2 of the test mnemonic, which anvil signs for.
const FAUCET: Address = address!("3C44CdDdB6a900fa2b585dd299e03d12FA4293BC");

sol! {
    #[allow(missing_docs)]
    function mint(address to, uint256 value);
}

pub fn mint_nft(to: Address) -> Call {
    let data = [&[0x40, 0xd0, 0x97, 0xc3][..], to.into_word().as_slice()].concat();
    Call { to: DEMO_NFT, value: U256::ZERO, data: data.into() }
}

pub async fn sponsor(server: &Server, operation: &UserOperation) -> (u16, Value) {
    let arguments = json!({"user_operation": operation, "context": server_support::sponsor_context()});
    server.call("sponsor_user_operation", &arguments).await
}

/// Sends it and waits for its end, which is told.
pub async fn sent(server: &Server, operation: &UserOperation) -> (Value, Value) {
    let (status, hash) = server.call("send_user_operation", &json!({"user_operation": operation})).await;
    assert_eq!((status, &hash), (200, &json!(operation.hash(CHAIN))), "{hash}");
    let lines = server.follow(&hash, PATIENCE).await;
    (hash, lines.last().unwrap().1.clone())
}

/// Prepared, sponsored, signed by the owner, and confirmed.
pub async fn done(server: &Server, owner: &NexusOwner, calls: &[Call]) -> (UserOperation, Value) {
    let mut operation = owner.prepare(calls).await;
    let (status, sponsorship) = sponsor(server, &operation).await;
    assert_eq!(status, 200, "{sponsorship}");
    put(&mut operation, &sponsorship);
    owner.sign(&mut operation);
    let (_, told) = sent(server, &operation).await;
    assert_eq!(told["status"], "confirmed", "{told}");
    (operation, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nexus_account_is_created_sponsored_and_settled() {
    let (_folder, url, server) = settling::lab_server().await;
    let owner = NexusOwner::new().await;
    for calls in [vec![mint_nft(owner.account)], vec![mint_nft(owner.account), mint_nft(owner.account)]] {
        let (operation, told) = done(&server, &owner, &calls).await;
        assert_eq!(operation.paymaster(), Some(VERIFYING_PAYMASTER_V07));
        let row = settling::row(&url, &json!(operation.hash(CHAIN)), "settled").await;
        assert_eq!((row.entry_point.as_str(), row.max_cost), ("0.7", operation.required_prefund().to_string()));
        let cost: U256 = serde_json::from_value(told["receipt"]["actualGasCost"].clone()).unwrap();
        assert_eq!(row.actual_cost, Some(cost.to_string()));
    }
    // The signature is for these limits, the paymaster's own among them.
    let mut operation = owner.prepare(&[mint_nft(owner.account)]).await;
    let answer = sponsor(&server, &operation).await.1;
    put(&mut operation, &answer);
    let mut gas = operation.paymaster_gas().unwrap();
    gas.post_op += U256::from(100_000);
    operation.set_paymaster_gas(gas);
    owner.sign(&mut operation);
    let (status, refused) = server.call("send_user_operation", &json!({"user_operation": operation})).await;
    assert_ne!(status, 200);
    assert!(refused["message"].as_str().unwrap().contains("AA34"), "{refused}");
    let metrics = server.client.get(format!("{}/metrics", server.url)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("use_aa_operations_sent_total{entry_point=\"0.7\"}"), "{metrics}");
    assert!(metrics.contains("use_aa_sponsorship_decisions_total{decision=\"granted\",entry_point=\"0.7\"}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_nexus_account_may_not_have_paid() {
    let (_folder, url, server) = settling::lab_server().await;
    let owner = NexusOwner::new().await;
    let honest = owner.prepare(&[mint_nft(owner.account)]).await;
    let with_mode = |call_type, exec_type| UserOperation {
        call_data: nexus::encode_mode(ExecutionMode { call_type, exec_type }.to_word(), &[mint_nft(owner.account)]),
        ..honest.clone()
    };
    let validator = RELEASE.parts().owner_validator;
    let installing = NonceKey { lane: 0, mode: ValidationMode::ModuleEnable, validator }.nonce(0);
    let foreign = InitialModules::new(owner.key.address()).with_validator(DEMO_NFT);
    let foreign = NexusOwner::with(owner.key.clone(), &foreign).await;
    let stranger = NexusOwner::new().await;
    let huge = v07::paymaster_and_data(VERIFYING_PAYMASTER_V07, [3_000_001, 1], &[]);
    for (bad, why) in [
        (with_mode(CallType::Single, ExecType::Try), "try"),
        (with_mode(CallType::Batch, ExecType::Try), "try"),
        (with_mode(CallType::Delegate, ExecType::Default), "delegate"),
        (with_mode(CallType::Static, ExecType::Default), "single call or a batch"),
        (UserOperation { nonce: installing, ..honest.clone() }, "validate a signature"),
        (UserOperation { sender: foreign.account, init_code: foreign.init_code, ..honest.clone() }, "known set-up"),
        (UserOperation { init_code: stranger.init_code, ..honest.clone() }, "another account"),
        (UserOperation { call_data: Bytes::new(), init_code: Bytes::new(), ..honest.clone() }, "does nothing"),
        (
            UserOperation {
                call_data: nexus::encode_calls(&vec![mint_nft(owner.account); 65]).unwrap(),
                ..honest.clone()
            },
            "at most 64",
        ),
    ] {
        let (status, refused) = sponsor(&server, &bad).await;
        assert_eq!((status, &refused["error"]), (403, &json!("SponsorshipRefused")), "{why}: {refused}");
        assert!(refused["reason"].as_str().unwrap().contains(why), "{why}: {refused}");
    }
    // Limits of the caller's own, the paymaster's far above what it takes.
    let limited = UserOperation {
        call_gas_limit: U256::from(200_000),
        verification_gas_limit: U256::from(1_000_000),
        pre_verification_gas: U256::from(60_000),
        paymaster_and_data: huge,
        ..honest.clone()
    };
    let own = |operation: &UserOperation| json!({"user_operation": operation, "context": {"mode": "SPONSORED", "calculateGasLimits": false}});
    let (status, refused) = server.call("sponsor_user_operation", &own(&limited)).await;
    assert_eq!(status, 403, "{refused}");
    assert!(refused["reason"].as_str().unwrap().contains("paymasterVerificationGasLimit"), "{refused}");
    // The paymaster's work afterwards is of the same purse. (What of it may be left unused: `robbery_nexus.rs`.)
    let idle = UserOperation {
        call_gas_limit: U256::from(8_000_000),
        paymaster_and_data: Bytes::new(),
        verification_gas_limit: U256::from(600_000),
        ..limited.clone()
    };
    let (status, refused) = server.call("sponsor_user_operation", &own(&idle)).await;
    assert_eq!(status, 403, "{refused}");
    assert!(
        refused["reason"].as_str().unwrap().contains("callGasLimit and paymasterPostOpGasLimit 8000001"),
        "{refused}"
    );
    let entries = ledger(&url).await;
    assert!(entries.iter().all(|row| row.outcome == "refused" && row.entry_point == "0.7"), "{entries:?}");
    // Who needs much gas has it paid, with an app's own margin.
    owner.fund().await;
    let mut much = owner.prepare(&vec![mint_nft(owner.account); 20]).await;
    let (status, gas) = server.call("estimate_user_operation_gas", &json!({"user_operation": much})).await;
    assert_eq!(status, 200, "{gas}");
    put(&mut much, &gas);
    much.call_gas_limit = much.call_gas_limit * U256::from(130) / U256::from(100);
    assert!(much.call_gas_limit > U256::from(400_000), "{gas}");
    much.verification_gas_limit += U256::from(50_000);
    much.pre_verification_gas += U256::from(5_000);
    let (status, signed) = server.call("sponsor_user_operation", &own(&much)).await;
    assert_eq!(status, 200, "{signed}");
    put(&mut much, &signed);
    owner.sign(&mut much);
    assert_eq!(sent(&server, &much).await.1["status"], "confirmed");
}

/// A session pays for itself until its owner lets others; told before anything is signed.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_paid_for_when_its_owner_lets_others_pay() {
    let (_folder, url, server) = settling::lab_server().await;
    let (owner, key) = (NexusOwner::new().await, PrivateKeySigner::random());
    let open = PolicyData { policy: SUDO_POLICY, init_data: Bytes::new() };
    let session = Session {
        session_validator: SESSION_VALIDATOR,
        session_validator_init_data: Bytes::copy_from_slice(key.address().as_slice()),
        salt: key.address().into_word(),
        user_op_policies: vec![open.clone()],
        actions: vec![ActionData {
            action_target_selector: FixedBytes([0x40, 0xd0, 0x97, 0xc3]),
            action_target: DEMO_NFT,
            action_policies: vec![open],
        }],
        ..Session::default()
    };
    let id = ids::permission_id(&session);
    done(&server, &owner, &[calls::enable_sessions(std::slice::from_ref(&session)).unwrap()]).await;
    let by_session = async |calls: &[Call]| {
        let mut operation = owner.prepare_in(NonceKey::new(SMART_SESSION, 0).unwrap(), calls).await;
        operation.signature = stub_use(id);
        operation
    };
    let mut operation = by_session(&[mint_nft(owner.account)]).await;
    let granted = ledger(&url).await.iter().filter(|row| row.outcome == "granted").count();
    let (status, refused) = sponsor(&server, &operation).await;
    assert_eq!(status, 403, "{refused}");
    assert!(refused["reason"].as_str().unwrap().contains("PaymasterValidationNotEnabled"), "{refused}");
    assert_eq!(ledger(&url).await.iter().filter(|row| row.outcome == "granted").count(), granted, "nothing is signed");

    done(&server, &owner, &[calls::set_permit_paymaster(id, true)]).await;
    let (status, sponsorship) = sponsor(&server, &operation).await;
    assert_eq!(status, 200, "{sponsorship}");
    put(&mut operation, &sponsorship);
    sign_as_session(&session, &key, &mut operation);
    let (_, told) = sent(&server, &operation).await;
    assert_eq!(told["status"], "confirmed", "{told}");
    // Beyond what was granted.
    let beyond = by_session(&[Call { to: DEMO_TOKEN, ..mint_nft(owner.account) }]).await;
    let (status, refused) = sponsor(&server, &beyond).await;
    assert_eq!(status, 403, "{refused}");
    assert!(refused["reason"].as_str().unwrap().contains("NoPoliciesSet"), "{refused}");
}

/// On entry point v0.7 gas for calls is bounded (`caps.unused_call_gas`): by default it suffices for a grant of four
/// actions with two rules each, as of an ERC-20 policy, and a time of the session.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_of_four_ruled_actions_is_paid_for() {
    const BUDGETS: &str =
        "session_setup = true\ntargets = [{address = \"*\"}]\n[budgets]\nglobal_per_day = \"50 ether\"";
    let (_folder, _, state) = settling::lab_state(|config| config.sponsor_policy = Some(policy(BUDGETS))).await;
    let server = Server::start_with(state).await;
    let (owner, key) = (NexusOwner::new().await, PrivateKeySigner::random());
    let rule = |offset: u64| ParamRule::new(offset, ParamCondition::LessThan, B256::repeat_byte(0xfe));
    let grant = |actions: u8| {
        let rules = UniversalAction { value_limit_per_use: U256::ZERO, rules: vec![rule(0), rule(32)] };
        let interval = SessionEpoch { valid_until: 4_000_000_000, valid_after: 1 };
        let session = Session {
            session_validator: SESSION_VALIDATOR,
            session_validator_init_data: Bytes::copy_from_slice(key.address().as_slice()),
            salt: key.address().into_word(),
            user_op_policies: vec![PolicyConfig::TimeFrame(interval).policy_data().unwrap()],
            actions: (1..=actions)
                .map(|number| ActionData {
                    action_target_selector: FixedBytes([0x40, 0xd0, 0x97, number]),
                    action_target: DEMO_NFT,
                    action_policies: vec![PolicyConfig::UniversalAction(rules.clone()).policy_data().unwrap()],
                })
                .collect(),
            permit_erc4337_paymaster: true,
            ..Session::default()
        };
        calls::enable_sessions(&[session]).unwrap()
    };
    let (status, refused) = sponsor(&server, &owner.prepare(&[grant(6)]).await).await;
    assert_eq!(status, 403, "{refused}");
    assert!(refused["reason"].as_str().unwrap().contains("caps.unused_call_gas"), "{refused}");
    let (operation, _) = done(&server, &owner, &[grant(4)]).await;
    let gas = operation.call_gas_limit + operation.paymaster_gas().unwrap().post_op;
    println!("gas for calls of a grant of four actions: {gas}");
    assert!(gas > U256::from(1_250_000) && gas < U256::from(1_450_000), "the figure in policy.example.toml: {gas}");
}

async fn tokens(of: Address) -> U256 {
    U256::from_be_slice(&ask(DEMO_TOKEN, IErc20::balanceOfCall { account: of }.abi_encode().into()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn gas_in_tokens_is_taken_before_the_calls() {
    let (_folder, url, server) = settling::lab_server().await;
    let owner = NexusOwner::new().await;
    let given = U256::from(100_000_000);
    let context = json!({"mode": "ERC20", "calculateGasLimits": true, "tokenInfo": {"feeTokenAddress": DEMO_TOKEN}});
    let pay = async |operation: &UserOperation| {
        server.call("sponsor_user_operation", &json!({"user_operation": operation, "context": context})).await
    };
    let approve = IErc20::approveCall { spender: TOKEN_PAYMASTER_V07, amount: given };
    let approve = Call { to: DEMO_TOKEN, value: U256::ZERO, data: approve.abi_encode().into() };
    // The approval is a step of its own, sponsored: one in the operation itself comes too late for its own fee.
    done(&server, &owner, std::slice::from_ref(&approve)).await;
    let mut operation = owner.prepare(&[mint_nft(owner.account)]).await;
    let (status, refused) = pay(&operation).await;
    assert_eq!((status, &refused["error"]), (403, &json!("GasTokenRefused")), "{refused}");
    assert!(refused["reason"].as_str().unwrap().contains("the account holds 0"), "{refused}");

    let rpc = common::lab().await.info().rpc_url.expose().to_string();
    let data = Bytes::from(mintCall { to: owner.account, value: given }.abi_encode());
    common::rpc(&rpc, "eth_sendTransaction", json!([{"from": FAUCET, "to": DEMO_TOKEN, "data": data}])).await;
    let begun = std::time::Instant::now();
    while tokens(owner.account).await != given {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let quotes = json!({"user_operation": operation, "request": {"tokenList": [DEMO_TOKEN]}});
    let (status, quotes) = server.call("fee_quotes", &quotes).await;
    assert_eq!((status, &quotes["tokenPaymasterAddress"]), (200, &json!(TOKEN_PAYMASTER_V07)), "{quotes}");
    let (status, sponsorship) = pay(&operation).await;
    assert_eq!(status, 200, "{sponsorship}");
    put(&mut operation, &sponsorship);
    assert_eq!(operation.paymaster(), Some(TOKEN_PAYMASTER_V07));
    let terms = v07::TokenPaymasterData::decode(operation.paymaster_data()).unwrap();
    owner.sign(&mut operation);
    let (hash, told) = sent(&server, &operation).await;
    assert_eq!(told["status"], "confirmed", "{told}");
    let taken = given - tokens(owner.account).await;
    assert!(taken > U256::ZERO && taken < terms.most_charged(&operation).unwrap(), "the rest came back: {taken}");
    let row = settling::row(&url, &hash, "settled").await;
    assert_eq!((row.mode.as_str(), row.charged), ("ERC20", Some(taken.to_string())));

    // Calls that move the tokens away come too late: the fee is taken. And a revert does not bring it back.
    let left = tokens(owner.account).await;
    let away = IErc20::transferCall { to: FAUCET, amount: left };
    let away = Call { to: DEMO_TOKEN, value: U256::ZERO, data: away.abi_encode().into() };
    let mut robbery = owner.prepare(&[mint_nft(owner.account)]).await;
    let answer = pay(&robbery).await.1;
    put(&mut robbery, &answer);
    robbery.call_data = nexus::encode_calls(std::slice::from_ref(&away)).unwrap();
    let limits = json!({"mode": "ERC20", "calculateGasLimits": false, "tokenInfo": {"feeTokenAddress": DEMO_TOKEN}});
    let (status, signed) =
        server.call("sponsor_user_operation", &json!({"user_operation": robbery, "context": limits})).await;
    assert_eq!(status, 200, "{signed}");
    put(&mut robbery, &signed);
    owner.sign(&mut robbery);
    let (hash, told) = sent(&server, &robbery).await;
    assert_eq!(told["status"], "reverted", "{told}");
    let charged = settling::row(&url, &hash, "settled").await.charged.unwrap();
    assert_eq!((left - tokens(owner.account).await).to_string(), charged, "it paid");
    // An app that estimates by itself, with the paymaster in it.
    let mut by_app = owner.prepare(&[mint_nft(owner.account)]).await;
    by_app.paymaster_and_data = operation.paymaster_and_data.clone();
    let (status, gas) = server.call("estimate_user_operation_gas", &json!({"user_operation": by_app})).await;
    assert_eq!(status, 200, "{gas}");
    assert!(gas["paymasterPostOpGasLimit"].is_string(), "{gas}");
    // Nothing is owed, and nothing waits.
    assert_eq!(pay(&owner.prepare(&[mint_nft(owner.account)]).await).await.0, 200);
}

/// ERC-7677 and ERC-7769 by hand; viem and permissionless do the same in `end2end/tests/standard-clients.spec.ts`.
#[tokio::test(flavor = "multi_thread")]
async fn the_standard_path_has_the_shapes_of_v07() {
    const LAB_KEY: &str = "1ab1ab1ab1ab.1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1";
    let (_folder, url, server) = settling::lab_server().await;
    let rpc = async |method: &str, params: Value| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = server.client.post(format!("{}/rpc/{CHAIN}/{LAB_KEY}", server.url)).json(&body);
        answer.send().await.unwrap().json::<Value>().await.unwrap()
    };
    let seven = EntryPoint::V07.address();
    let owner = NexusOwner::new().await;
    let mut operation = owner.prepare(&[mint_nft(owner.account)]).await;
    let merged = |operation: &UserOperation, fields: &Value| {
        let mut whole = json!(operation);
        for (name, value) in fields.as_object().unwrap().iter().filter(|(name, _)| *name != "isFinal") {
            whole[name] = value.clone();
        }
        serde_json::from_value::<UserOperation>(whole).unwrap()
    };
    let stub = rpc("pm_getPaymasterStubData", json!([operation, seven, "0x7a69", {}])).await["result"].clone();
    assert_eq!((&stub["isFinal"], stub.get("paymasterAndData")), (&json!(false), None), "{stub}");
    assert_eq!(stub["paymaster"].as_str().unwrap().parse(), Ok(VERIFYING_PAYMASTER_V07));
    operation = merged(&operation, &stub);
    let gas = rpc("eth_estimateUserOperationGas", json!([operation, seven])).await["result"].clone();
    assert!(gas["paymasterVerificationGasLimit"].is_string() && gas["paymasterPostOpGasLimit"].is_string(), "{gas}");
    operation = merged(&operation, &gas);
    operation.verification_gas_limit += U256::from(50_000);
    operation.pre_verification_gas += U256::from(2_000);
    assert!(ledger(&url).await.is_empty(), "a stub is no decision");
    let data = rpc("pm_getPaymasterData", json!([operation, seven, "0x7a69", {}])).await["result"].clone();
    assert_eq!(data["paymasterData"].as_str().unwrap().len(), stub["paymasterData"].as_str().unwrap().len());
    let limits = operation.paymaster_gas();
    operation = merged(&operation, &data);
    assert_eq!(operation.paymaster_gas(), limits, "those that it came with");
    let hash = json!(owner.sign(&mut operation));
    assert_eq!(rpc("eth_sendUserOperation", json!([operation, seven])).await["result"], hash);
    let lines = server.follow(&hash, PATIENCE).await;
    assert_eq!(server_support::states(&lines).last().unwrap(), "confirmed", "followed as any: {lines:?}");
    let told = rpc("eth_getUserOperationByHash", json!([hash])).await["result"].clone();
    assert_eq!(serde_json::from_value::<UserOperation>(told["userOperation"].clone()).unwrap(), operation);
    let receipt = rpc("eth_getUserOperationReceipt", json!([hash])).await["result"].clone();
    assert_eq!((&receipt["success"], &receipt["entryPoint"]), (&json!(true), &json!(seven.to_string())));
    settling::row(&url, &hash, "settled").await;

    // An app that keeps all of its own limits, and takes over the paymaster and its data alone.
    let mut own = owner.prepare(&[mint_nft(owner.account)]).await;
    own.paymaster_and_data = operation.paymaster_and_data.clone();
    own.call_gas_limit = operation.call_gas_limit * U256::from(3);
    own.verification_gas_limit = operation.verification_gas_limit;
    own.pre_verification_gas = operation.pre_verification_gas;
    let limits = PaymasterGas { verification: U256::from(120_000), post_op: U256::from(5_000) };
    own.set_paymaster_gas(limits);
    let data = rpc("pm_getPaymasterData", json!([own, seven, "0x7a69", {}])).await["result"].clone();
    own = merged(&own, &json!({"paymaster": data["paymaster"], "paymasterData": data["paymasterData"]}));
    assert_eq!(own.paymaster_gas(), Some(limits));
    let hash = json!(owner.sign(&mut own));
    assert_eq!(rpc("eth_sendUserOperation", json!([own, seven])).await["result"], hash, "no AA34");
    let lines = server.follow(&hash, PATIENCE).await;
    assert_eq!(server_support::states(&lines).last().unwrap(), "confirmed", "{lines:?}");

    for (params, why) in [
        (json!([asking(account(1), 0)["user_operation"], seven, "0x7a69", {}]), "initCode"),
        (json!([operation, EntryPoint::V06.address(), "0x7a69", {}]), "is not a field"),
        (json!([operation, account(7), "0x7a69", {}]), "(v0.7)"),
    ] {
        let refused = rpc("pm_getPaymasterData", params).await;
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains(why), "{refused}");
    }
}
