//! 14: the user operations inside `@biconomy/use-aa`'s recorded requests, and its mistakes in them.

use std::collections::HashSet;

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::SolValue,
};
use serde_json::{Value, json};
use use_aa_protocol::{
    abi::{BatchedRouterSignature, SessionKeyManagerSignature},
    addresses::*,
    merkle,
    paymaster::{FeeQuote, approval, approved, patch_call_data, request_user_operation},
    revert::explain,
    session::{SessionLeaf, set_merkle_root},
    signature::{self, DUMMY_ECDSA},
    simulate::{
        simulate_batch,
        user_operation::{AccountView, SessionKeyManagerVersion, Verdict, simulate},
    },
    smart_account::{Call, counterfactual_address, decode_calls, enable_module, encode_calls, init_code},
    user_operation::{UserOperation, nonce_with_key},
};

use crate::support::*;

const CHAIN: u64 = 80002;

fn file() -> Value {
    parse(include_str!("../../../../tests/vectors/14_jsonrpc_transcripts.json"))
}

fn scenario<'a>(file: &'a Value, name: &str) -> &'a Value {
    list(file, "scenarios").iter().find(|scenario| scenario["scenario"] == name).unwrap_or_else(|| panic!("{name}"))
}

/// Parameters of all requests of one method.
fn requests<'a>(scenario: &'a Value, method: &'a str) -> impl Iterator<Item = &'a Value> {
    list(scenario, "calls")
        .iter()
        .map(|call| &call["request"])
        .filter(move |r| r["method"] == method)
        .map(|r| &r["params"])
}

/// The operation that a scenario sends.
fn sent(scenario: &Value) -> UserOperation {
    user_operation(&requests(scenario, "eth_sendUserOperation").last().expect("a sent operation")[0])
}

/// The recorded operation with zeros for what `@biconomy/use-aa` leaves out.
fn filled(recorded: &Value) -> UserOperation {
    let mut op = json!({
        "callGasLimit": "0x0", "verificationGasLimit": "0x0", "preVerificationGas": "0x0",
        "maxFeePerGas": "0x0", "maxPriorityFeePerGas": "0x0",
    });
    op.as_object_mut().unwrap().extend(recorded.as_object().unwrap().clone());
    user_operation(&op)
}

/// Hex in JSON may be mixed case; everything else must be equal.
fn assert_covers(ours: &Value, recorded: &Value, scenario: &str) {
    for (name, value) in recorded.as_object().unwrap() {
        let lower = |value: &Value| value.as_str().map(str::to_lowercase);
        assert_eq!(lower(&ours[name]), lower(value), "{scenario}: {name}");
    }
}

#[test]
fn every_recorded_operation_is_serialised_as_the_js_sdk_does() {
    let file = file();
    let mut seen = 0;
    for scenario in list(&file, "scenarios") {
        let name = text(scenario, "scenario");
        for method in ["eth_estimateUserOperationGas", "eth_sendUserOperation"] {
            for params in requests(scenario, method) {
                let ours = serde_json::to_value(filled(&params[0])).unwrap();
                assert_covers(&ours, &params[0], name);
                assert_eq!(params[1].as_str().unwrap().parse::<Address>().unwrap(), ENTRY_POINT);
                seen += 1;
            }
        }
        for method in ["pm_sponsorUserOperation", "pm_getFeeQuoteOrData"] {
            for params in requests(scenario, method) {
                let with_limits = params[0].get("callGasLimit").is_some();
                let ours = request_user_operation(&filled(&params[0]), with_limits);
                assert_covers(&ours, &params[0], name);
                assert_eq!(ours.as_object().unwrap().len(), params[0].as_object().unwrap().len(), "{name}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 67, "every request that carries an operation");
}

#[test]
fn every_sent_signature_is_ours_or_verifies_as_ours() {
    let file = file();
    let owner = test_key(0);
    let mut sessions = 0;
    for scenario in list(&file, "scenarios") {
        let name = text(scenario, "scenario");
        for params in requests(scenario, "eth_sendUserOperation") {
            let op = user_operation(&params[0]);
            let hash = op.hash(CHAIN);
            if op.signature.is_empty() {
                assert!(name.starts_with("wait"), "{name}: the waiting scenarios send a stub");
                continue;
            }
            let (module, module_signature) = signature::unwrap(&op.signature).unwrap();
            if module == ECDSA_MODULE {
                let parsed = alloy::primitives::Signature::try_from(&module_signature[..]).unwrap();
                let signer = parsed.recover_address_from_prehash(&signature::personal_digest(hash)).unwrap();
                assert_eq!(counterfactual_address(signer, U256::ZERO), op.sender, "{name}");
                if signer == owner.address() {
                    assert_eq!(module_signature, personal_sign(&owner, hash), "{name}");
                }
                continue;
            }
            sessions += 1;
            // the tree on chain is the one that the proofs lead to
            let root = proven_root(&op);
            let modules = HashSet::from([SESSION_KEY_MANAGER, BATCHED_SESSION_ROUTER]);
            let view = AccountView { merkle_root: root, modules: &modules, version: SessionKeyManagerVersion::V1_1_0 };
            let verdict = simulate(&op, hash, &view);
            match name {
                "BUG use session BATCHED with ONE transaction" => {
                    assert_eq!(verdict, Verdict::Reverted("SR Invalid Selector".into()));
                }
                "BUG use session STANDARD, leafIndex 0" => {
                    // the caller wanted the first leaf, `@biconomy/use-aa` signed with the last, which forbids the call
                    assert_eq!(verdict, Verdict::Reverted("ABISV Arg Rule Violated".into()));
                }
                _ => assert!(matches!(verdict, Verdict::Accepted(_)), "{name}: {verdict:?}"),
            }
        }
        for method in ["eth_estimateUserOperationGas", "pm_sponsorUserOperation", "pm_getFeeQuoteOrData"] {
            for params in requests(scenario, method) {
                let (module, dummy) = signature::unwrap(&bytes(&params[0], "signature")).unwrap();
                if module == ECDSA_MODULE {
                    assert_eq!(dummy[..], DUMMY_ECDSA, "{name}");
                }
            }
        }
    }
    assert_eq!(sessions, 4);
}

fn proven_root(op: &UserOperation) -> B256 {
    let (module, module_signature) = signature::unwrap(&op.signature).unwrap();
    let (leaf, proof) = if module == SESSION_KEY_MANAGER {
        let session = SessionKeyManagerSignature::abi_decode_params(&module_signature).unwrap();
        (leaf(session.sessionValidationModule, session.sessionKeyData), session.merkleProof)
    } else {
        let batch = BatchedRouterSignature::abi_decode_params(&module_signature).unwrap();
        let session = &batch.sessionData[0];
        (leaf(session.sessionValidationModule, session.sessionKeyData.clone()), session.merkleProof.clone())
    };
    proof.iter().fold(leaf.hash(), |node, sibling| merkle::parent(node, *sibling))
}

fn leaf(session_validation_module: Address, session_key_data: Bytes) -> SessionLeaf {
    SessionLeaf { session_validation_module, session_key_data, ..SessionLeaf::default() }
}

#[test]
fn nonces_and_init_code_are_ours() {
    let file = file();
    let undeployed = sent(scenario(&file, "undeployed, no paymaster"));
    assert_eq!(undeployed.init_code, init_code(test_key(0).address(), U256::ZERO));
    let now_nonce = sent(scenario(&file, "getNowNonce (nonceKey)"));
    assert_eq!(now_nonce.nonce, nonce_with_key(U256::from(1_723_000_000_000u64), 0));
    assert_eq!(sent(scenario(&file, "nonceOverride 7")).nonce, U256::from(7));
    assert_eq!(sent(scenario(&file, "deploy: sponsored")).call_data.len(), 0);
}

#[test]
fn grants_carry_our_module_calls_and_root() {
    let file = file();
    for (name, module) in [
        ("createSession: module not enabled", SESSION_KEY_MANAGER),
        ("createBatchSession: router not enabled", BATCHED_SESSION_ROUTER),
    ] {
        let op = sent(scenario(&file, name));
        let calls = decode_calls(&op.call_data).unwrap();
        assert_eq!(calls[0], enable_module(op.sender, module), "{name}");
        let root = B256::from_slice(&calls[1].data[4..]);
        assert_eq!(calls[1], set_merkle_root(root), "{name}");
        assert_eq!(encode_calls(&calls, false).unwrap(), op.call_data, "{name}");
    }
}

#[test]
fn bug_batched_session_with_one_transaction_is_a_batch_of_one_with_us() {
    let op = sent(scenario(&file(), "BUG use session BATCHED with ONE transaction"));
    let calls = decode_calls(&op.call_data).unwrap();
    let (_, module_signature) = signature::unwrap(&op.signature).unwrap();
    let batch = BatchedRouterSignature::abi_decode_params(&module_signature).unwrap();
    let leaf = leaf(batch.sessionData[0].sessionValidationModule, batch.sessionData[0].sessionKeyData.clone());
    let theirs = simulate_batch(&[&leaf], &op.call_data).unwrap_err();
    assert_eq!(theirs.revert_text, "SR Invalid Selector");
    let ours = encode_calls(&calls, true).unwrap();
    assert!(simulate_batch(&[&leaf], &ours).is_ok());
}

#[test]
fn bug_withdraw_loses_the_recipient_and_bug_erc20_goes_without_paymaster() {
    // both are decisions of the actions; the bytes themselves are read as they are
    let file = file();
    let withdraw =
        sent(scenario(&file, "BUG withdraw: recipient of a request is lost when any token amount is missing"));
    let calls: Vec<Call> = decode_calls(&withdraw.call_data).unwrap();
    assert_eq!(encode_calls(&calls, false).unwrap(), withdraw.call_data);
    let unpaid = sent(scenario(&file, "BUG ERC20 mode without quote or token"));
    assert_eq!(unpaid.paymaster(), None);
    let paid = sent(scenario(&file, "sponsored, mode only"));
    assert_eq!(paid.paymaster(), Some(VERIFYING_PAYMASTER));
}

#[test]
fn an_operation_paid_by_a_quote_is_the_js_sdks() {
    let file = file();
    let asked = list(scenario(&file, "useTokenFees with preferredToken"), "calls");
    let answer = asked.iter().find(|call| call["request"]["method"] == "pm_getFeeQuoteOrData").unwrap();
    let quotes: Vec<FeeQuote> = serde_json::from_value(answer["response"]["result"]["feeQuotes"].clone()).unwrap();
    let spender = address(&answer["response"]["result"], "paymasterAddress");
    let approval = approval(&quotes[0], spender, false).unwrap();
    for (name, count) in
        [("ERC20 with feeQuote (useSendGasTokenTransaction, quote)", 2), ("ERC20 with feeQuote, batch of two", 3)]
    {
        let scenario = scenario(&file, name);
        let op = sent(scenario);
        let calls = decode_calls(&op.call_data).unwrap();
        assert_eq!((calls.len(), &calls[0]), (count, &approval), "{name}");
        let unpatched = encode_calls(&calls[1..], false).unwrap();
        assert_eq!(patch_call_data(&unpatched, &approval).unwrap(), op.call_data, "{name}");
        assert_eq!(approved(&op.call_data, quotes[0].token_address, spender), Some(U256::from(125_331)));
    }
    let unpatched = sent(scenario(&file, "ERC20 with feeQuote, skipPatchCallData"));
    assert_eq!(approved(&unpatched.call_data, quotes[0].token_address, spender), None);
}

#[test]
fn gas_estimates_are_the_required_prefund() {
    let file = file();
    for name in ["getGasEstimate no paymaster", "getGasEstimate sponsored"] {
        let scenario = scenario(&file, name);
        let recorded = &scenario["result"];
        let calls = list(scenario, "calls");
        let last = &calls.last().unwrap();
        let mut op = filled(&last["request"]["params"][0]);
        let reply = &last["response"]["result"];
        let read = |field: &str| match &reply[field] {
            Value::String(text) => use_aa_protocol::quantity::parse(text),
            other => other.as_u64().map(U256::from),
        };
        op.call_gas_limit = read("callGasLimit").unwrap();
        op.verification_gas_limit = read("verificationGasLimit").unwrap();
        op.pre_verification_gas = read("preVerificationGas").unwrap();
        op.max_fee_per_gas = read("maxFeePerGas").unwrap_or(op.max_fee_per_gas);
        if let Some(data) = reply["paymasterAndData"].as_str() {
            op.paymaster_and_data = data.parse().unwrap();
        }
        let text = recorded.to_string();
        assert!(text.contains(&op.required_prefund().to_string()), "{name}: {text} {}", op.required_prefund());
    }
}

#[test]
fn known_error_texts_are_explained_without_a_download() {
    assert_eq!(explain("AA23 reverted: SessionNotApproved").unwrap().name, "SessionNotApprovedError");
    assert!(explain("something else").is_none());
}
