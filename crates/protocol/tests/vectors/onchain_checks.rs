//! 13: what the contracts answered, against the simulator.

use std::collections::HashSet;

use serde_json::Value;
use use_aa_protocol::{
    addresses::{BATCHED_SESSION_ROUTER, SESSION_KEY_MANAGER},
    session::{SessionLeaf, SessionStatus},
    simulate::{
        Window, simulate_batch, simulate_single,
        user_operation::{AccountView, SessionKeyManagerVersion, Verdict, simulate},
    },
};

use crate::support::*;

fn leaf(value: &Value) -> SessionLeaf {
    let leaf = SessionLeaf {
        valid_until: number(value, "validUntil"),
        valid_after: number(value, "validAfter"),
        session_validation_module: address(value, "sessionValidationModule"),
        session_key_data: bytes(value, "sessionKeyData"),
        status: SessionStatus::Active,
        ..SessionLeaf::default()
    };
    assert_eq!(leaf.hash(), word(value, "hash"));
    leaf
}

fn expected(result: &Value) -> Verdict {
    if let Some(args) = result.get("args") {
        return Verdict::Reverted(args[0].as_str().unwrap().into());
    }
    if let Some(data) = result.get("revertData") {
        assert_eq!(data, "0x");
        return Verdict::Reverted(String::new());
    }
    let window = Window { valid_until: number(result, "validUntil"), valid_after: number(result, "validAfter") };
    match text(result, "agg") {
        "0x0" => Verdict::Accepted(window),
        "0x1" => Verdict::SignatureFailed(window),
        other => panic!("aggregator {other}"),
    }
}

#[test]
fn every_operation_gets_the_contracts_verdict_from_both_versions() {
    let file = parse(include_str!("../../../../tests/vectors/13_onchain_checks.json"));
    let mut differing = 0;
    for case in list(&file, "cases") {
        let name = text(case, "name");
        let op = user_operation(&case["userOp"]);
        let hash = word(case, "userOpHash");
        let mut modules = HashSet::from([SESSION_KEY_MANAGER, BATCHED_SESSION_ROUTER]);
        if name == "router: session manager not enabled" {
            modules.remove(&SESSION_KEY_MANAGER);
        }
        let verdict = |version| {
            let view = AccountView { merkle_root: word(case, "rootOnChain"), modules: &modules, version };
            simulate(&op, hash, &view)
        };
        assert_eq!(verdict(SessionKeyManagerVersion::V1_1_0), expected(&case["resultSkm110"]), "1.1.0: {name}");
        assert_eq!(verdict(SessionKeyManagerVersion::V1_0_0), expected(&case["resultSkm100"]), "1.0.0: {name}");
        differing += usize::from(!case["same"].as_bool().unwrap());
    }
    assert_eq!(differing, 1, "only the wrapper that is not canonical");
}

#[test]
fn the_judgement_before_signing_agrees_wherever_leaf_and_call_decide() {
    let file = parse(include_str!("../../../../tests/vectors/13_onchain_checks.json"));
    for case in list(&file, "cases") {
        let name = text(case, "name");
        let call_data = user_operation(&case["userOp"]).call_data;
        let outcome = match case.get("sessions") {
            None => simulate_single(&leaf(&case["leaf"]), &call_data),
            Some(sessions) => {
                let leaves: Vec<SessionLeaf> = sessions.as_array().unwrap().iter().map(leaf).collect();
                simulate_batch(&leaves.iter().collect::<Vec<_>>(), &call_data)
            }
        };
        // these fail for reasons that leaf and call do not show
        let beyond =
            ["signed by another key", "signature garbage", "root not set", "non-canonical", "manager not enabled"];
        if beyond.iter().any(|part| name.contains(part)) {
            assert!(outcome.is_ok(), "{name}");
            continue;
        }
        let verdict = match &outcome {
            Ok(window) => Verdict::Accepted(*window),
            Err(violation) => Verdict::Reverted(violation.revert_text.clone()),
        };
        assert_eq!(verdict, expected(&case["resultSkm110"]), "{name}");
    }
}

#[test]
fn a_violation_names_the_rule_and_the_values() {
    let file = parse(include_str!("../../../../tests/vectors/13_onchain_checks.json"));
    let find = |name: &str| list(&file, "cases").iter().find(|case| case["name"] == name).unwrap();
    for (name, rule, reason) in [
        ("wrong destination", "destination", "the session is for 0x"),
        ("wrong selector", "selector", "the session is for function 0xa9059cbb, the call is to 0x"),
        ("value over limit", "value limit", "wei per call, the call sends"),
        ("condition 0 fail", "rule 0", "must be 5, it is 6"),
        ("condition 1 fail", "rule 0", "must be at most"),
        ("condition 6 (unknown) always fails", "rule 0", "is never true"),
        ("rule offset beyond call data", "rule 0", "is missing"),
        ("ERC20 wrong recipient", "recipient", "the session is for recipient 0x"),
    ] {
        let case = find(name);
        let violation = simulate_single(&leaf(&case["leaf"]), &user_operation(&case["userOp"]).call_data).unwrap_err();
        assert_eq!(violation.rule, rule, "{name}");
        assert!(violation.reason.contains(reason), "{name}: {}", violation.reason);
    }
}
