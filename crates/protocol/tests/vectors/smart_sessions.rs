//! 17: Smart Sessions: ids, digests and hashes, signatures, compression, policy data, calls, selectors.

use alloy::{
    primitives::{Address, B256, Bytes, FixedBytes, U256, keccak256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::{SolCall, SolError, SolEvent, SolInterface, SolStruct},
};
use serde_json::Value;
use use_aa_protocol::{
    abi::smart_sessions::{ISessionPolicy as Policies, ISessionValidator, ISmartSession as Module, typed},
    entry_point::v07::abi::IOverUserOperations,
    nexus::GrantSigning,
    policy::SessionEpoch,
    smart_sessions::{
        ActionData, EnableGrant, EnableMode, OperationSignature, ParamCondition, ParamRule, PolicyConfig,
        PolicyContract, PolicyData, Session, SessionFindingKind, SessionLintContext, UniversalAction,
        addresses::*,
        calls, flz,
        grant::{self, ChainDigest},
        ids, lint, revert_words, use_signature,
    },
};

use crate::support::*;

fn file() -> Value {
    parse(include_str!("../../../../tests/vectors/17_smart_sessions.json"))
}

pub fn session(value: &Value) -> Session {
    let session: Session = serde_json::from_value(value.clone()).unwrap();
    let again: Session = serde_json::from_value(serde_json::to_value(&session).unwrap()).unwrap();
    assert_eq!(again, session);
    session
}

/// A number, or decimal text where it is beyond what JSON's numbers hold.
fn chain(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn digests(value: &Value) -> Vec<ChainDigest> {
    let digest =
        |it: &Value| ChainDigest { chain_id: chain(&it["chainId"]), session_digest: word(it, "sessionDigest") };
    value.as_array().unwrap().iter().map(digest).collect()
}

#[test]
fn constants_are_the_contracts() {
    let file = file();
    let constants = &file["constants"];
    for (name, constant) in [
        ("smartSession", SMART_SESSION),
        ("SudoPolicy", SUDO_POLICY),
        ("TimeFramePolicy", TIME_FRAME_POLICY),
        ("UniActionPolicy", UNIVERSAL_ACTION_POLICY),
        ("UsageLimitPolicy", USAGE_LIMIT_POLICY),
        ("ValueLimitPolicy", VALUE_LIMIT_POLICY),
        ("ERC20SpendingLimitPolicy", ERC20_SPENDING_LIMIT_POLICY),
        ("sessionValidatorOfOurs", SIMPLE_SIGNER),
    ] {
        assert_eq!(address(constants, name), constant, "{name}");
    }
    let fallback = &file["fallback"];
    assert_eq!(address(fallback, "target"), FALLBACK_TARGET);
    for (selector, id, ours) in [
        ("selectorGeneric", "actionIdGeneric", FALLBACK_GENERIC),
        ("selectorAdministration", "actionIdAdministration", FALLBACK_ADMINISTRATION),
    ] {
        assert_eq!(bytes(fallback, selector)[..], ours);
        assert_eq!(word(fallback, id), ids::action_id(FALLBACK_TARGET, ours));
    }
    assert_eq!(bytes(fallback, "selectorOfCallsUnder4Bytes")[..], VALUE_SELECTOR);
}

#[test]
fn every_session_has_the_modules_ids_digests_and_call_data() {
    let file = file();
    for case in list(&file, "cases") {
        let (name, output) = (text(case, "name"), &case["output"]);
        let (session, account) = (session(&case["session"]), address(case, "account"));
        assert_eq!(address(case, "smartSession"), SMART_SESSION);
        let id = ids::permission_id(&session);
        assert_eq!(id, word(output, "permissionId"), "{name}");
        assert_eq!(ids::user_op_config_id(account, id), word(output, "userOpConfigId"), "{name}");
        assert_eq!(ids::erc1271_config_id(account, id), word(output, "erc1271ConfigId"), "{name}");
        assert_eq!(session.actions.len(), list(output, "actions").len());
        for (action, expected) in session.actions.iter().zip(list(output, "actions")) {
            let action = ids::id_of_action(action);
            assert_eq!(action, word(expected, "actionId"), "{name}");
            assert_eq!(ids::action_config_id(account, id, action), word(expected, "configId"), "{name}");
        }
        let nonce = U256::from(number(case, "nonce"));
        for (mode, suffix) in [(EnableMode::Enable, "Enable"), (EnableMode::UnsafeEnable, "UnsafeEnable")] {
            let permissions = word(output, &format!("permissionsHash{suffix}"));
            assert_eq!(grant::permissions_hash(&session, mode), permissions, "{name} {suffix}");
            let digest = word(output, &format!("sessionDigest{suffix}"));
            assert_eq!(grant::session_digest(&session, account, nonce, mode), digest, "{name} {suffix}");
        }
        let chain_id = number(case, "chainId");
        let digest = ChainDigest { chain_id, session_digest: word(output, "sessionDigestEnable") };
        assert_eq!(grant::enable_hash(&[digest]), word(output, "enableHash"), "{name}");
        let call = calls::enable_sessions(std::slice::from_ref(&session)).unwrap();
        assert_eq!((call.to, &call.data), (SMART_SESSION, &bytes(output, "enableSessionsCallData")), "{name}");
        assert_eq!(calls::decode_enable_sessions(&call.data).unwrap(), [session], "{name}");
        assert_eq!(calls::remove_session(id).data, bytes(output, "removeSessionCallData"), "{name}");
    }
}

/// Trap: what stands for any call, and what signs messages, is well-formed, and must not be granted.
#[test]
fn well_formed_sessions_are_stopped_where_they_must_be() {
    for case in list(&file(), "cases") {
        let name = text(case, "name");
        let found = lint(&session(&case["session"]), SessionLintContext::default());
        let has = |kind| found.iter().any(|finding| finding.kind == kind);
        assert_eq!(has(SessionFindingKind::Fallback), name == "administration fallback", "{name}: {found:?}");
        assert_eq!(has(SessionFindingKind::SignsMessages), name == "ERC-1271 content", "{name}");
        let salt = word(&case["session"], "salt");
        assert_eq!(has(SessionFindingKind::PredictableSalt), salt.is_zero(), "{name}");
    }
}

#[test]
fn a_grant_may_be_for_several_chains() {
    for case in list(&file(), "enableHashes") {
        let (name, output) = (text(case, "name"), &case["output"]);
        let (session, account) = (session(&case["session"]), address(case, "account"));
        let expected = digests(&output["hashesAndChainIds"]);
        let nonces = list(case, "nonces").iter().map(|nonce| nonce.as_str().unwrap().parse::<U256>().unwrap());
        let made = list(case, "chains").iter().map(chain).zip(nonces).map(|(chain_id, nonce)| ChainDigest {
            chain_id,
            session_digest: grant::session_digest(&session, account, nonce, EnableMode::Enable),
        });
        assert_eq!(made.collect::<Vec<_>>(), expected, "{name}");
        assert_eq!(grant::multi_chain_hash(&expected), word(output, "structHash"), "{name}");
        assert_eq!(grant::enable_hash(&expected), word(output, "enableHash"), "{name}");
    }
}

#[test]
fn signatures_are_byte_for_byte_the_sdks() {
    for case in list(&file(), "signatures") {
        let (name, output) = (text(case, "name"), &case["output"]);
        let session = session(&case["session"]);
        let [key, owner]: [PrivateKeySigner; 2] =
            ["sessionKeyPrivate", "ownerPrivate"].map(|field| text(case, field).parse().unwrap());
        let signed = personal_sign(&key, word(case, "userOpHash"));
        assert_eq!(signed, bytes(output, "sessionSignature"), "{name}");
        let id = ids::permission_id(&session);
        assert_eq!(id, word(output, "permissionId"));
        assert_eq!(use_signature(id, &signed), bytes(output, "useSignature"), "{name}");
        let digests = digests(&output["hashesAndChainIds"]);
        let hash = grant::enable_hash(&digests);
        assert_eq!(hash, word(output, "enableHash"), "{name}");
        let consent = owner.sign_hash_sync(&hash).unwrap().as_bytes();
        assert_eq!(consent[..], bytes(output, "ownerSignatureOfEnableHash")[..], "{name}");
        let validator = address(case, "ownerValidator");
        let consent = grant::permission_enable_sig(&digests, GrantSigning::Plain, validator, &consent).unwrap();
        assert_eq!(consent, bytes(output, "permissionEnableSig"), "{name}");
        let index = u8::try_from(number(output, "chainDigestIndex")).unwrap();
        let made = EnableGrant { chain_digest_index: index, digests, session, permission_enable_sig: consent };
        assert_eq!(made.encode(&signed).unwrap(), bytes(output, "enableEncoding"), "{name}");
        let expected = bytes(output, "enableSignature");
        let mode = match number(case, "mode") {
            1 => EnableMode::Enable,
            _ => EnableMode::UnsafeEnable,
        };
        // Ours is always ENABLE; what is behind the mode byte is the same.
        assert_eq!(made.signature(&signed).unwrap()[1..], expected[1..], "{name}");
        let read = OperationSignature::decode(&expected).unwrap();
        assert_eq!(read.permission_id(), id, "{name}");
        let whole = OperationSignature::Enable { mode, grant: Box::new(made), session_signature: signed };
        assert_eq!(read, whole, "{name}");
    }
}

#[test]
fn compression_is_byte_for_byte_the_sdks() {
    for case in list(&file(), "flz") {
        let (name, output) = (text(case, "name"), &case["output"]);
        let plain = match case.get("plain") {
            Some(_) => bytes(case, "plain"),
            // Too long to stand there: "64 bytes r, 9000 zero bytes, r; r = 0x…".
            None => {
                let (_, hex) = text(case, "plainRule").split_once("r = ").unwrap();
                let word: Bytes = hex.parse().unwrap();
                [&word[..], &[0; 9000], &word].concat().into()
            }
        };
        assert_eq!(plain.len() as u64, number(case, "bytes"), "{name}");
        if case.get("plainKeccak").is_some() {
            assert_eq!(keccak256(&plain), word(case, "plainKeccak"), "{name}");
        }
        let stream = flz::compress(&plain);
        assert_eq!(stream, bytes(output, "compressed").to_vec(), "{name}");
        for field in ["compressed", "literalsOnly"].into_iter().filter(|field| output.get(field).is_some()) {
            assert_eq!(flz::decompress(&bytes(output, field), plain.len()).unwrap(), plain.to_vec(), "{name} {field}");
        }
    }
}

fn config(case: &Value) -> PolicyConfig {
    let input = &case["input"];
    match text(case, "policy") {
        "Sudo" => PolicyConfig::Sudo,
        "TimeFrame" => PolicyConfig::TimeFrame(SessionEpoch {
            valid_until: number(input, "validUntil"),
            valid_after: number(input, "validAfter"),
        }),
        "UsageLimit" => PolicyConfig::UsageLimit(big(input, "limit").to()),
        "ValueLimit" => PolicyConfig::ValueLimit(big(input, "limit")),
        "ERC20SpendingLimit" => PolicyConfig::SpendingLimit(
            input.as_array().unwrap().iter().map(|it| (address(it, "token"), big(it, "limit"))).collect(),
        ),
        "UniversalAction" => {
            let rule = |it: &Value| ParamRule {
                condition: ParamCondition::from_code(number(it, "condition").try_into().unwrap()).unwrap(),
                offset: number(it, "offset"),
                reference: word(it, "ref"),
                limit: it["isLimited"].as_bool().unwrap().then(|| big(&it["usage"], "limit")),
                used: big(&it["usage"], "used"),
            };
            PolicyConfig::UniversalAction(UniversalAction {
                value_limit_per_use: big(input, "valueLimitPerUse"),
                rules: list(input, "rules").iter().map(rule).collect(),
            })
        }
        other => panic!("{other}"),
    }
}

#[test]
fn policies_are_set_as_the_sdk_sets_them() {
    for case in list(&file(), "policyInitData") {
        let (name, config) = (text(case, "name"), config(case));
        let expected = PolicyData { policy: address(case, "address"), init_data: bytes(&case["output"], "initData") };
        assert_eq!(config.contract().address(), expected.policy, "{name}");
        assert_eq!(config.init_data().unwrap(), expected.init_data, "{name}");
        assert_eq!(PolicyConfig::read(&expected).unwrap(), config, "{name}");
        assert!(config.is_exactly(&expected), "{name}");
        assert!(config.check().is_ok(), "{name}: {:?}", config.check());
    }
}

#[test]
fn management_calls_are_the_modules() {
    for case in list(&file(), "managementCalls") {
        let (name, arguments) = (text(case, "name"), &case["args"]);
        let id = |index: usize| arguments[index].as_str().unwrap().parse::<B256>().unwrap();
        let call = match text(case, "function") {
            "removeSession" => calls::remove_session(id(0)),
            "revokeEnableSignature" => calls::revoke_enable_signature(id(0)),
            "disableActionId" => calls::disable_action(id(0), id(1)),
            "disableUserOpPolicies" => {
                let policies: Vec<Address> = serde_json::from_value(arguments[1].clone()).unwrap();
                calls::disable_user_op_policies(id(0), policies)
            }
            "enableActionPolicies" => {
                let actions: Vec<ActionData> = serde_json::from_value(arguments[1].clone()).unwrap();
                calls::enable_action_policies(id(0), &actions)
            }
            "enableSessions" => {
                let sessions = arguments[0].as_array().unwrap().iter().map(session).collect::<Vec<_>>();
                calls::enable_sessions(&sessions).unwrap()
            }
            other => panic!("{other}"),
        };
        assert_eq!(
            (call.to, call.value, call.data),
            (SMART_SESSION, U256::ZERO, bytes(&case["output"], "callData")),
            "{name}"
        );
    }
    for case in list(&file(), "onInstallData") {
        let sessions = list(case, "sessions").iter().map(session).collect::<Vec<_>>();
        let data = calls::install_data(&sessions).unwrap();
        assert_eq!(data, bytes(&case["output"], "initData"));
        assert_eq!(calls::decode_install_data(&data).unwrap(), sessions);
    }
}

#[test]
fn types_are_hashed_by_the_modules_names() {
    let file = file();
    let types = &file["eip712"];
    fn check<T: SolStruct>(types: &Value) {
        let expected = &types[T::NAME];
        assert_eq!(T::eip712_encode_type(), text(expected, "encodeType"));
        assert_eq!(keccak256(T::eip712_encode_type().as_bytes()), word(expected, "typeHash"), "{}", T::NAME);
    }
    check::<typed::PolicyData>(types);
    check::<typed::ActionData>(types);
    check::<typed::ERC7739Context>(types);
    check::<typed::ERC7739Data>(types);
    check::<typed::SignedPermissions>(types);
    check::<typed::SignedSession>(types);
    check::<typed::ChainSession>(types);
    check::<typed::MultiChainSession>(types);
    assert_eq!(types.as_object().unwrap().len(), 9);
    assert_eq!(word(types, "domainSeparator"), grant::DOMAIN_SEPARATOR);
}

#[test]
fn selectors_ids_and_topics_are_the_modules() {
    let file = file();
    let selector = |value: &Value| -> [u8; 4] { value.as_str().unwrap().parse::<FixedBytes<4>>().unwrap().0 };
    for (signature, expected) in file["moduleFunctions"].as_object().unwrap() {
        let expected = selector(expected);
        let known = Module::ISmartSessionCalls::valid_selector(expected)
            || expected == IOverUserOperations::validateUserOpCall::SELECTOR;
        assert!(known, "{signature}");
    }
    for (signature, expected) in [
        (Policies::initializeWithMultiplexerCall::SIGNATURE, Policies::initializeWithMultiplexerCall::SELECTOR),
        (Policies::checkActionCall::SIGNATURE, Policies::checkActionCall::SELECTOR),
        (IOverUserOperations::checkUserOpPolicyCall::SIGNATURE, IOverUserOperations::checkUserOpPolicyCall::SELECTOR),
        (Policies::check1271SignedActionCall::SIGNATURE, Policies::check1271SignedActionCall::SELECTOR),
        (
            ISessionValidator::validateSignatureWithDataCall::SIGNATURE,
            ISessionValidator::validateSignatureWithDataCall::SELECTOR,
        ),
        (Policies::supportsInterfaceCall::SIGNATURE, Policies::supportsInterfaceCall::SELECTOR),
        (Module::isModuleTypeCall::SIGNATURE, Module::isModuleTypeCall::SELECTOR),
    ] {
        assert_eq!(selector(&file["interfaceSelectors"][signature]), expected, "{signature}");
    }
    for (name, told) in file["interfaceIds"].as_object().unwrap() {
        for contract in PolicyContract::ALL {
            let field = match contract {
                PolicyContract::Sudo => "SudoPolicy",
                PolicyContract::TimeFrame => "TimeFramePolicy",
                PolicyContract::UsageLimit => "UsageLimitPolicy",
                PolicyContract::ValueLimit => "ValueLimitPolicy",
                PolicyContract::SpendingLimit => "ERC20SpendingLimitPolicy",
                PolicyContract::UniversalAction => "UniActionPolicy",
            };
            let expected = match name.split(' ').next().unwrap() {
                "IUserOpPolicy" => contract.judges_operations(),
                "I1271Policy" => contract.judges_signatures(),
                _ => true,
            };
            assert_eq!(told[field], expected, "{name} {field}");
        }
    }
    for (signature, expected) in file["errorSelectors"].as_object().unwrap() {
        let data = [&selector(expected)[..], &[0; 160]].concat();
        let words = revert_words(&data);
        assert!(words.starts_with(signature.split('(').next().unwrap()), "{signature}: {words}");
    }
    let topics = [
        (Module::ActionIdDisabled::SIGNATURE, Module::ActionIdDisabled::SIGNATURE_HASH),
        (Module::NonceIterated::SIGNATURE, Module::NonceIterated::SIGNATURE_HASH),
        (Module::PermissionIdPermit4337Paymaster::SIGNATURE, Module::PermissionIdPermit4337Paymaster::SIGNATURE_HASH),
        (Module::PolicyDisabled::SIGNATURE, Module::PolicyDisabled::SIGNATURE_HASH),
        (Module::PolicyEnabled::SIGNATURE, Module::PolicyEnabled::SIGNATURE_HASH),
        (Module::SessionCreated::SIGNATURE, Module::SessionCreated::SIGNATURE_HASH),
        (Module::SessionRemoved::SIGNATURE, Module::SessionRemoved::SIGNATURE_HASH),
        (Module::SessionValidatorDisabled::SIGNATURE, Module::SessionValidatorDisabled::SIGNATURE_HASH),
        (Module::SessionValidatorEnabled::SIGNATURE, Module::SessionValidatorEnabled::SIGNATURE_HASH),
    ];
    for (signature, topic) in topics {
        assert_eq!(word(&file["moduleEvents"], signature), topic, "{signature}");
    }
    assert_eq!(file["moduleEvents"].as_object().unwrap().len(), topics.len());
    assert_eq!(Policies::PolicyNotInitialized::SELECTOR, [0x6d, 0x3a, 0x33, 0xce]);
    assert_eq!(Bytes::from(Policies::actionConfigsCall::SELECTOR), Bytes::from_static(&[0xcc, 0x39, 0xa9, 0x85]));
    assert_eq!(Policies::getPolicyDataCall::SELECTOR, [0xf3, 0x3f, 0xa1, 0x3a]);
    assert_eq!(Policies::getTimeFrameConfigCall::SELECTOR, [0x60, 0xfe, 0xed, 0xad]);
    assert_eq!(Policies::getUsedCall::SELECTOR, [0x83, 0x1b, 0x65, 0xa5]);
}
