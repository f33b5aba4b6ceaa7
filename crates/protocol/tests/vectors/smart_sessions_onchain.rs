//! 18: what module, policies, account and entry point answered, against the model; every step of every run.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::SolError,
};
use serde_json::{Value, json};
use use_aa_protocol::{
    entry_point::{
        UserOperation,
        v07::{ValidationData, abi::IEntryPointV07, failed_op, pack},
    },
    nexus::{AccountDomain, GrantSigning, NexusRelease, decode_execution, split_erc1271},
    smart_account::Call,
    smart_sessions::{
        EnableGrant, EnableMode, OperationSignature, Session,
        addresses::*,
        grant::{self, ChainDigest},
        ids,
        model::{ModuleState, PolicyState, Refusal, Surroundings, owner_validator},
        revert_words,
    },
    time_window::Window,
};

use crate::{smart_sessions::session, support::*};

fn file() -> Value {
    parse(include_str!("../../../../tests/vectors/18_smart_sessions_onchain.json"))
}

/// The operation, with the gas fields that all of the file share where it has none.
fn operation(file: &Value, op: &Value) -> UserOperation {
    let mut op = op.clone();
    if op.get("callGasLimit").is_none() {
        let fields = op.as_object_mut().unwrap();
        fields.extend(file["commonGasFields"].as_object().unwrap().clone());
    }
    serde_json::from_value(op).unwrap()
}

/// Calls `then` with what stands around the module in this file, for this account.
fn around<T>(file: &Value, account: Address, then: impl FnOnce(Surroundings<'_>) -> T) -> T {
    let (validator, owner) = (address(file, "ownerValidator"), address(file, "owner"));
    let is_valid_signature = |hash: B256, signature: &[u8]| owner_validator(validator, owner, hash, signature);
    then(Surroundings {
        account,
        chain_id: number(file, "chainId"),
        simple_signers: &[SIMPLE_SIGNER],
        is_valid_signature: &is_valid_signature,
    })
}

/// The revert data of a result; `None` where it did not revert.
fn expected_revert(result: &Value) -> Option<Bytes> {
    result.get("revertData").map(|_| bytes(result, "revertData"))
}

fn assert_reverted(refusal: Refusal, result: &Value, name: &str) {
    let expected = expected_revert(result).unwrap_or_else(|| panic!("{name}: {refusal}, and it passed on chain"));
    assert_eq!(refusal, Refusal::Reverted(expected.clone()), "{name}");
    // Decoded, it says the same as the vector.
    let told = text(result, "error");
    let words = revert_words(&expected);
    let head = told.split('(').next().unwrap();
    match head {
        "empty" => assert_eq!(words, "reverted without a reason", "{name}"),
        "Panic" => assert!(words.contains("panic"), "{name}: {words}"),
        head => assert!(words.starts_with(head), "{name}: {words}, not {told}"),
    }
}

fn validate(
    state: &mut ModuleState,
    file: &Value,
    step: &Value,
    around: Surroundings<'_>,
) -> Result<ValidationData, Refusal> {
    let op = operation(file, &step["userOp"]);
    let hash = op.hash(around.chain_id);
    assert_eq!(hash, word(step, "userOpHash"));
    let caller = step.get("caller").map_or(around.account, |_| address(step, "caller"));
    state.validate_user_op(&pack(&op).unwrap(), hash, caller, around)
}

/// What a read step asks for, as the vector writes the answer.
fn read(state: &ModuleState, file: &Value, case: &Value, what: &str) -> Value {
    let session = session(&case["session"]);
    let id = ids::permission_id(&session);
    let policy = |address: Address| state.policy(id, ids::id_of_action(&session.actions[0]), address);
    match what {
        "isPermissionEnabled" => json!(state.session(id).is_some().to_string()),
        "getPermissionIDs" => json!(state.permission_ids()),
        "getNonce" => json!(state.nonce(id).to_string()),
        "getUsed" => match (policy(USAGE_LIMIT_POLICY), policy(VALUE_LIMIT_POLICY)) {
            (Some(PolicyState::UsageLimit { used, .. }), None) => json!(used.to_string()),
            (None, Some(PolicyState::ValueLimit { used, .. })) => json!(used.to_string()),
            other => panic!("{other:?}"),
        },
        "getUsageLimit" => match policy(USAGE_LIMIT_POLICY) {
            Some(PolicyState::UsageLimit { limit, .. }) => json!(limit.to_string()),
            other => panic!("{other:?}"),
        },
        "getValueLimit" => match policy(VALUE_LIMIT_POLICY) {
            Some(PolicyState::ValueLimit { limit, .. }) => json!(limit.to_string()),
            other => panic!("{other:?}"),
        },
        "getPolicyData (limit, spent, approved)" => match policy(ERC20_SPENDING_LIMIT_POLICY) {
            Some(PolicyState::SpendingLimit(tokens)) => {
                let (_, known) = tokens.iter().find(|(token, _)| *token == address(file, "token")).unwrap();
                json!([known.limit, known.spent, known.approved].map(|number| number.to_string()))
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other}"),
    }
}

#[test]
fn every_step_gets_the_chains_answer() {
    let file = file();
    let mut steps = 0;
    for case in list(&file, "cases") {
        let case_name = format!("{}: {}", text(case, "group"), text(case, "name"));
        let plain = session(&case["session"]);
        if case.get("permissionId").is_some() {
            assert_eq!(ids::permission_id(&plain), word(case, "permissionId"), "{case_name}");
        }
        let mut state = ModuleState::default();
        around(&file, address(case, "account"), |around| {
            if let Some(result) = case.get("enableSessions") {
                match state.enable_sessions(std::slice::from_ref(&plain), around) {
                    Ok(()) => assert_eq!(result["accepted"], true, "{case_name}"),
                    Err(refusal) => assert_reverted(refusal, result, &case_name),
                }
            }
            for (index, step) in list(case, "steps").iter().enumerate() {
                steps += 1;
                let name = format!("{case_name}, step {index}");
                match text(step, "step") {
                    "validateUserOp" => match validate(&mut state, &file, step, around) {
                        Ok(answer) => {
                            assert_eq!(expected_revert(step), None, "{name}");
                            assert_eq!(answer.to_word(), big(step, "validationData"), "{name}");
                            assert_eq!(answer.is_accepted(), step["accepted"].as_bool().unwrap(), "{name}");
                        }
                        Err(refusal) => assert_reverted(refusal, step, &name),
                    },
                    "account calls the module" => match state.call(&bytes(step, "data"), around) {
                        Ok(()) => assert_eq!(step["accepted"], true, "{name}"),
                        Err(refusal) => assert_reverted(refusal, step, &name),
                    },
                    "read" => {
                        let told = read(&state, &file, case, text(step, "what"));
                        assert_eq!(told, step["result"], "{name}");
                    }
                    other => panic!("{other}"),
                }
            }
        });
    }
    assert_eq!(list(&file, "cases").len(), 82);
    assert!(steps > 150, "{steps}");
}

/// The words around are ours to read, too: calls as they were built, signatures as they were made.
#[test]
fn calls_and_signatures_are_read_as_they_were_made() {
    let file = file();
    let key: PrivateKeySigner = text(&file, "sessionKeyPrivate").parse().unwrap();
    for case in list(&file, "cases") {
        for step in list(case, "steps").iter().filter(|step| step.get("userOp").is_some()) {
            let op = operation(&file, &step["userOp"]);
            if let (Some(calls), Ok(read)) = (step.get("calls"), decode_execution(&op.call_data)) {
                assert_eq!(read.calls, serde_json::from_value::<Vec<Call>>(calls.clone()).unwrap());
            }
            if let Ok(OperationSignature::Enable { session_signature, grant, .. }) =
                OperationSignature::decode(&op.signature)
            {
                let own = personal_sign(&key, word(step, "userOpHash"));
                let is_other = text(case, "name").starts_with("grant good, another session key");
                assert_eq!(session_signature == own, !is_other, "{}", text(case, "name"));
                // What the SDK compressed is what we compress.
                let again = grant.signature(&session_signature).unwrap();
                assert_eq!(again[1..], op.signature[1..], "{}", text(case, "name"));
            }
        }
    }
}

#[test]
fn the_entry_point_tells_what_the_model_says() {
    let file = file();
    for case in list(&file, "entryPointCases") {
        let plain = session(&case["session"]);
        around(&file, address(case, "account"), |around| {
            let first = operation(&file, &case["steps"][0]["userOp"]);
            let mut state = match first.signature.first() {
                Some(0) => ModuleState::with_session(&plain, around).unwrap(),
                _ => ModuleState::default(),
            };
            for step in list(case, "steps") {
                let name = format!("{}: {}", text(case, "name"), text(step, "label"));
                let before = state.clone();
                let answer = validate(&mut state, &file, step, around);
                let in_time = |window: Window| step["blockTimestamp"].as_u64().is_none_or(|now| window.contains(now));
                let failed = match answer {
                    Ok(answer) if answer.is_accepted() && in_time(answer.window) => None,
                    Ok(_) => {
                        // The entry point undoes what was counted.
                        state = before;
                        let reason = "AA22 expired or not due".to_owned();
                        Some(IEntryPointV07::FailedOp { opIndex: U256::ZERO, reason }.abi_encode())
                    }
                    Err(Refusal::Reverted(inner)) => {
                        assert_eq!(inner, bytes(&step["inner"], "data"), "{name}");
                        let reason = "AA23 reverted".to_owned();
                        Some(IEntryPointV07::FailedOpWithRevert { opIndex: U256::ZERO, reason, inner }.abi_encode())
                    }
                    Err(other) => panic!("{name}: {other}"),
                };
                assert_eq!(failed.is_none(), step["included"].as_bool().unwrap(), "{name}");
                if let Some(failed) = failed {
                    assert_eq!(Bytes::from(failed.clone()), bytes(step, "revertData"), "{name}");
                    let told = failed_op(&failed).unwrap();
                    let inner = step.get("inner").map(|inner| bytes(inner, "data"));
                    assert_eq!((told.index, told.inner), (U256::ZERO, inner), "{name}");
                    assert!(text(step, "error").contains(&told.reason), "{name}");
                }
            }
        });
    }
}

/// What the client signs for a real K1 validator, plain and nested; what the chain answered is the vector's.
#[test]
fn grants_for_a_k1_validator_are_signed_byte_for_byte() {
    let file = file();
    let [owner, key]: [PrivateKeySigner; 2] =
        ["ownerPrivateKey", "sessionKeyPrivate"].map(|field| text(&file, field).parse().unwrap());
    for case in list(&file, "k1ValidatorGrants") {
        let name = format!("{}, {}", text(case, "installed"), text(case, "grant"));
        let (session, account): (Session, _) = (session(&case["session"]), address(case, "account"));
        let op = operation(&file, &case["userOp"]);
        let chain_id = number(&file, "chainId");
        let hash = op.hash(chain_id);
        assert_eq!(hash, word(case, "userOpHash"), "{name}");
        let session_digest = grant::session_digest(&session, account, U256::ZERO, EnableMode::Enable);
        let digests = vec![ChainDigest { chain_id, session_digest }];
        let signing = match text(case, "grant").starts_with("nested") {
            true => GrantSigning::Nested,
            false => GrantSigning::Plain,
        };
        let domain = AccountDomain { release: NexusRelease::Modulekit0_5_9, chain_id, account };
        let digest = grant::owner_digest(&digests, signing, domain).unwrap();
        let consent = owner.sign_hash_sync(&digest).unwrap().as_bytes();
        let OperationSignature::Enable { grant: told, .. } = OperationSignature::decode(&op.signature).unwrap() else {
            panic!("{name}")
        };
        let (validator, _) = split_erc1271(&told.permission_enable_sig).unwrap();
        let permission_enable_sig = grant::permission_enable_sig(&digests, signing, validator, &consent).unwrap();
        assert_eq!(permission_enable_sig, told.permission_enable_sig, "{name}");
        let made = EnableGrant { chain_digest_index: 0, digests: digests.clone(), session, permission_enable_sig };
        let signature = made.signature(&personal_sign(&key, hash)).unwrap();
        assert_eq!(signature, op.signature, "{name}");
        if let Some(revert) = expected_revert(case) {
            // A K1 validator that does not know the module takes no plain signature.
            assert_eq!((signing, case["accepted"].as_bool()), (GrantSigning::Plain, Some(false)));
            let hash = grant::enable_hash(&digests).to_string();
            assert!(
                revert_words(&revert).starts_with("InvalidEnableSignature") && revert_words(&revert).contains(&hash)
            );
        }
    }
}
