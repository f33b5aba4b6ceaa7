//! Random policies and random calls near them: linter, example, simulator and the contracts agree on every one.

use std::collections::HashSet;

use alloy::{
    primitives::{B256, Bytes, U256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::SolCall,
};
use serde_json::json;
use use_aa::protocol::{
    addresses::{DEMO_NFT, DEMO_TOKEN, ECDSA_MODULE, ENTRY_POINT, SESSION_KEY_MANAGER},
    lint::{FindingKind, LintContext, example_call, lint},
    merkle::MerkleTree,
    policy::{Condition, Erc20Policy, Policy, ReferenceValue, Rule, SessionEpoch, SessionPolicy, allowed_by},
    session::SessionLeaf,
    signature::{session_key_manager, wrap},
    simulate::user_operation::{AccountView, SessionKeyManagerVersion, Verdict, simulate},
    smart_account::{Call, encode_calls},
    user_operation::UserOperation,
};

use super::{
    abi,
    chain::Chain,
    differential::{Dice, answer},
    fixtures::*,
};

/// Random policies of either module, each with this many calls beside its own example.
const POLICIES: usize = 240;
const CALLS: usize = 6;
/// What is signed: the account takes the hash as it is told.
const HASH: B256 = B256::repeat_byte(0x42);

const CONDITIONS: [Condition; 6] = [
    Condition::Equal,
    Condition::LessThanOrEqual,
    Condition::LessThan,
    Condition::GreaterThanOrEqual,
    Condition::GreaterThan,
    Condition::NotEqual,
];

/// Small numbers, so that rules and calls meet, and the ends of the range.
fn word(dice: &mut Dice) -> U256 {
    match dice.roll(10) {
        0 => U256::MAX,
        1 => U256::from_be_slice(ACCOUNT.as_slice()),
        _ => U256::from(dice.roll(5)),
    }
}

fn policy(dice: &mut Dice) -> SessionPolicy {
    let interval =
        [SessionEpoch::INDEFINITELY, SessionEpoch { valid_until: 4_000_000_000, valid_after: 7 }][dice.roll(2)];
    if dice.roll(4) == 0 {
        let recipient = [STRANGER, OWNER][dice.roll(2)];
        let transfers = Erc20Policy::new(DEMO_TOKEN, recipient, U256::from(1 + dice.roll(5)));
        return Erc20Policy { interval, ..transfers }.into();
    }
    let (contract, signature) = [
        (DEMO_TOKEN, "transfer(address,uint256)"),
        (DEMO_TOKEN, "approve(address,uint256)"),
        (DEMO_NFT, "safeMint(address)"),
    ][dice.roll(3)];
    let mut policy = Policy { interval, ..Policy::new(contract, signature) };
    policy.value_limit = U256::from(dice.roll(3));
    for _ in 0..dice.roll(4) {
        // Whole arguments mostly, overlapping ones and one behind the end, too.
        let offset = [0, 32, 0, 32, 1, 16, 64][dice.roll(7)];
        let condition = CONDITIONS[dice.roll(6)];
        policy.rules.push(Rule { offset, condition, reference_value: ReferenceValue::Uint(word(dice)) });
    }
    policy.into()
}

/// A call of the policy's function, mostly.
fn call_near(policy: &SessionPolicy, dice: &mut Dice) -> Call {
    let selector = match policy {
        SessionPolicy::Abi(policy) => policy.function_selector.selector().unwrap(),
        SessionPolicy::Erc20(_) => [0xa9, 0x05, 0x9c, 0xbb],
    };
    let selector = if dice.roll(12) == 0 { [1, 2, 3, 4] } else { selector };
    let first = match (policy, dice.roll(3)) {
        (SessionPolicy::Erc20(policy), 0 | 1) => U256::from_be_slice(policy.recipient.as_slice()),
        _ => word(dice),
    };
    let words = [first, word(dice), word(dice)];
    let count = [1, 2, 2, 2, 3][dice.roll(5)];
    let arguments = words.iter().take(count).flat_map(|word| word.to_be_bytes::<32>());
    Call {
        to: if dice.roll(12) == 0 { STRANGER } else { policy.contract() },
        value: U256::from(if dice.roll(3) == 0 { dice.roll(4) } else { 0 }),
        data: selector.into_iter().chain(arguments).collect::<Vec<_>>().into(),
    }
}

/// `eth_call` of the account's validation, as the entry point asks.
fn question(operation: &UserOperation) -> serde_json::Value {
    let userOp = abi::from_protocol(operation);
    let call = abi::validateUserOpCall { userOp, userOpHash: HASH, missingAccountFunds: U256::ZERO };
    json!([{ "from": ENTRY_POINT, "to": ACCOUNT, "input": Bytes::from(call.abi_encode()) }, "latest"])
}

#[tokio::test]
async fn linter_simulator_and_contracts_agree_on_random_policies_and_calls() {
    let chain = Chain::start().await;
    deploy_account(&chain, &[SESSION_KEY_MANAGER]).await;
    let key = PrivateKeySigner::from_bytes(&SESSION_KEY).unwrap();
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let policies: Vec<SessionPolicy> = (0..POLICIES).map(|_| policy(&mut dice)).collect();
    let leaves: Vec<SessionLeaf> = policies.iter().map(|policy| policy.leaf(key.address(), "id").unwrap()).collect();
    let tree = MerkleTree::new(leaves.iter().map(SessionLeaf::hash).collect());
    let root = tree.root().unwrap();
    set_root(&chain, root).await;
    let modules = HashSet::from([ECDSA_MODULE, SESSION_KEY_MANAGER]);
    let view = AccountView { merkle_root: root, modules: &modules, version: SessionKeyManagerVersion::V1_0_0 };
    let signature = key.sign_message_sync(HASH.as_slice()).unwrap().as_bytes();

    let (mut accepted, mut refused, mut impossible) = (0, 0, 0);
    for (index, (policy, leaf)) in policies.iter().zip(&leaves).enumerate() {
        let example = example_call(leaf);
        let mut calls: Vec<Call> = (0..CALLS).map(|_| call_near(policy, &mut dice)).collect();
        calls.extend(example.clone());
        let proof = tree.proof(index).unwrap();
        let operations: Vec<UserOperation> = calls
            .iter()
            .map(|call| UserOperation {
                sender: ACCOUNT,
                call_data: encode_calls(std::slice::from_ref(call), false).unwrap(),
                signature: wrap(SESSION_KEY_MANAGER, &session_key_manager(leaf, &proof, &signature)),
                ..UserOperation::default()
            })
            .collect();
        let answers = chain.batch("eth_call", operations.iter().map(question).collect()).await;
        let findings =
            lint(std::slice::from_ref(leaf), LintContext { account: ACCOUNT, now: 1_000, ..Default::default() });
        let unsatisfiable = findings.iter().any(|finding| finding.kind == FindingKind::Unsatisfiable);
        assert!(example.is_some() || unsatisfiable, "no example, and the linter does not say why: {policy:?}");
        impossible += usize::from(unsatisfiable);
        for ((call, operation), outcome) in calls.iter().zip(&operations).zip(answers) {
            let (on_chain, simulated) = (answer(outcome), simulate(operation, HASH, &view));
            assert_eq!(on_chain, simulated, "{policy:?} {call:?}");
            let is_accepted = matches!(on_chain, Verdict::Accepted(_));
            assert_eq!(allowed_by(std::slice::from_ref(policy), call).is_some(), is_accepted, "{policy:?} {call:?}");
            assert!(!(is_accepted && unsatisfiable), "the linter calls it impossible: {policy:?} {call:?}");
            if is_accepted { accepted += 1 } else { refused += 1 }
        }
    }
    println!("{accepted} accepted, {refused} refused alike; {impossible} policies that allow nothing");
    assert!(accepted > 150 && refused > 150 && impossible > 5, "one-sided: {accepted}, {refused}, {impossible}");
}
