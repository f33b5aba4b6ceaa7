//! 16: Nexus accounts: addresses by each release's factory, nonces, calls that a real account took, modules.

use alloy::{
    primitives::{Address, Bytes, U256, aliases::U192},
    sol_types::{SolError, SolEvent, SolInterface},
};
use serde_json::Value;
use use_aa_protocol::{
    abi::nexus::{INexus as Abi, INexusFactory, INexusMismatchWithType},
    entry_point::v07::ENTRY_POINT,
    nexus::{
        AddressScheme, CallType, ExecType, ExecutionMode, InitialModules, MODULE_SENTINEL, ModuleType, NexusRelease,
        NonceKey, ValidationMode, decode_calls, decode_execution, encode_calls, encode_mode, factory_data, init_data,
        install_module, nexus_error_words, previous_validator, salt, uninstall_validator,
    },
    smart_account::Call,
    smart_sessions::addresses::SMART_SESSION,
};

use crate::support::*;

fn file() -> Value {
    parse(include_str!("../../../../tests/vectors/16_nexus.json"))
}

fn release(name: &str) -> NexusRelease {
    match name {
        "npm snapshot" | "npm snapshot (accountId biconomy.nexus.1.0.0)" => NexusRelease::Modulekit0_5_9,
        "1.0.2 public" | "1.0.2" => NexusRelease::V1_0_2,
        "1.2.0 public" | "1.2.0" => NexusRelease::V1_2_0,
        other => panic!("no release {other}"),
    }
}

#[test]
fn releases_are_where_the_contracts_are() {
    let file = file();
    assert_eq!(address(&file["constants"], "entryPoint"), ENTRY_POINT);
    for name in ["npm snapshot", "1.2.0 public", "1.0.2 public"] {
        let (constants, parts) = (&file["constants"][name], release(name).parts());
        assert_eq!(address(constants, "implementation"), parts.implementation, "{name}");
        assert_eq!(address(constants, "bootstrap"), parts.bootstrap, "{name}");
        assert_eq!(address(constants, "factory"), parts.factory, "{name}");
        let validator = ["ownerValidator", "defaultValidator", "k1Validator"].into_iter();
        let validator = validator.filter(|field| constants.get(field).is_some()).map(|field| address(constants, field));
        assert_eq!(validator.collect::<Vec<_>>(), [parts.owner_validator], "{name}");
        if let AddressScheme::InitDataInCode { proxy_creation_code_hash, proxy_creation_code_bytes } =
            parts.address_scheme
        {
            assert_eq!(word(constants, "proxyCreationCodeKeccak"), proxy_creation_code_hash, "{name}");
            assert_eq!(constants["proxyCreationCodeBytes"], proxy_creation_code_bytes, "{name}");
        }
    }
    for name in ["npm snapshot", "1.0.2", "1.2.0"] {
        let (told, parts) = (&file["accountIds"][name], release(name).parts());
        assert_eq!(text(told, "accountId"), parts.account_id);
        assert_eq!(told["domain"], serde_json::json!(["Nexus", parts.domain_version]));
    }
}

#[test]
fn every_account_has_the_factorys_address() {
    let file = file();
    for case in list(&file, "cases") {
        let (name, output) = (text(case, "name"), &case["output"]);
        let release = release(text(case, "release"));
        let parts = release.parts();
        assert_eq!(address(case, "bootstrap"), parts.bootstrap, "{name}");
        let mut modules = InitialModules::new(address(case, "owner"));
        if name.ends_with("and SmartSession") {
            modules = modules.with_validator(SMART_SESSION);
        }
        let data = init_data(release, &modules).unwrap();
        assert_eq!(data, bytes(output, "initData"), "{name}");
        let salt = salt(U256::from_be_bytes(word(case, "salt").0));
        assert_eq!(salt, word(case, "salt"), "{name}");
        assert_eq!(parts.address_scheme.create2_salt(&data, salt), word(output, "create2Salt"), "{name}");
        let hash = match parts.address_scheme {
            AddressScheme::InitDataInSalt { init_code_hash } => {
                assert_eq!(text(case, "scheme"), "A");
                init_code_hash
            }
            // The creation code behind it comes out of the package at install time; the lab computes it.
            AddressScheme::InitDataInCode { .. } => {
                assert_eq!(text(case, "scheme"), "B");
                word(output, "initCodeHash")
            }
        };
        assert_eq!(hash, word(output, "initCodeHash"), "{name}");
        assert_eq!(release.address(&data, salt, hash), address(output, "address"), "{name}");
        assert_eq!(parts.factory, address(output, "factory"), "{name}");
        assert_eq!(factory_data(data, salt), bytes(output, "factoryData"), "{name}");
    }
    assert_eq!(list(&file, "cases").len(), 14);
}

#[test]
fn nonces_name_lane_mode_and_validator() {
    for case in list(&file(), "nonceKeys") {
        let (name, output) = (text(case, "name"), &case["output"]);
        let [a, b, c] = bytes(case, "freeBytes")[..] else { panic!("{name}") };
        let mode = match bytes(case, "mode")[..] {
            [0] => ValidationMode::Validate,
            [1] => ValidationMode::ModuleEnable,
            _ => panic!("{name}"),
        };
        let validator = address(case, "validator");
        let key = NonceKey { lane: u32::from_be_bytes([0, a, b, c]), mode, validator };
        let key192: [u8; 24] = bytes(output, "key192")[..].try_into().unwrap();
        assert_eq!(key.to_u192(), U192::from_be_bytes(key192), "{name}");
        let sequence = case["sequence"].as_u64().unwrap_or_else(|| big(case, "sequence").to());
        assert_eq!(key.nonce(sequence), big(output, "nonce"), "{name}");
        assert_eq!(key.nonce(0), big(output, "entryPointGetNonceOfUnusedAccount"), "{name}");
        assert_eq!(NonceKey::of_nonce(big(output, "nonce")).unwrap(), (key, sequence), "{name}");
        if mode == ValidationMode::Validate && !validator.is_zero() {
            assert_eq!(NonceKey::new(validator, key.lane).unwrap(), key, "{name}");
        }
    }
}

#[test]
fn calls_are_encoded_as_the_account_takes_them() {
    for case in list(&file(), "executeEncodings") {
        let (name, output) = (text(case, "name"), bytes(&case["output"], "callData"));
        let calls: Vec<Call> = serde_json::from_value(case["calls"].clone()).unwrap();
        let mode = ExecutionMode::from_word(word(case, "mode"));
        match text(case, "kind") {
            "refused by the account" => {
                assert!(decode_execution(&output).is_err(), "{name}");
            }
            kind => {
                assert_eq!(encode_mode(word(case, "mode"), &calls), output, "{name}");
                let decoded = decode_execution(&output).unwrap();
                assert_eq!((decoded.mode, &decoded.calls), (mode, &calls), "{name}");
                let built = kind == "single" || name.starts_with("batch of ");
                assert_eq!(decode_calls(&output).is_ok(), built, "{name}");
                if kind == "single" {
                    assert_eq!(encode_calls(&calls).unwrap(), output, "{name}");
                }
                assert_eq!(mode.call_type == CallType::Batch, kind.starts_with("batch"), "{name}");
                assert_eq!(mode.exec_type == ExecType::Try, kind.ends_with("try"), "{name}");
            }
        }
    }
}

#[test]
fn module_calls_are_those_that_the_account_takes() {
    for case in list(&file(), "moduleCalls") {
        let (name, output) = (text(case, "name"), &case["output"]);
        let account = Address::repeat_byte(1);
        let module = address(case, "module");
        let call = match (text(case, "function"), number(case, "moduleType")) {
            ("installModule", 1) => install_module(account, ModuleType::Validator, module, bytes(case, "initData")),
            ("installModule", 2) => install_module(account, ModuleType::Executor, module, bytes(case, "initData")),
            ("uninstallModule", 1) => {
                let listed: Vec<Address> = match case.get("validatorsInListOrder") {
                    Some(list) => serde_json::from_value(list.clone()).unwrap(),
                    None => vec![module],
                };
                let previous = previous_validator(&listed, module).unwrap();
                assert_eq!(previous, address(case, "previousInList"), "{name}");
                assert_eq!(previous, MODULE_SENTINEL);
                let call = uninstall_validator(account, previous, module, Bytes::new());
                assert!(call.data.windows(96).any(|part| part == &bytes(output, "deInitData")[..]), "{name}");
                call
            }
            other => panic!("{other:?}"),
        };
        assert_eq!((call.to, call.value, call.data), (account, U256::ZERO, bytes(output, "callData")), "{name}");
    }
}

#[test]
fn errors_and_events_are_the_accounts() {
    let file = file();
    for (signature, selector) in file["errorSelectors"].as_object().unwrap() {
        let selector: Bytes = selector.as_str().unwrap().parse().unwrap();
        let selector: [u8; 4] = selector[..].try_into().unwrap();
        let known = Abi::INexusErrors::valid_selector(selector)
            || selector == INexusMismatchWithType::MismatchModuleTypeId::SELECTOR;
        assert!(known, "{signature}");
        // Decoded with zeros for arguments it is told by its name.
        let words = nexus_error_words(&[&selector[..], &[0; 64]].concat()).unwrap();
        assert!(words.starts_with(signature.split('(').next().unwrap()), "{signature}: {words}");
    }
    let topics = [
        (Abi::ModuleInstalled::SIGNATURE, Abi::ModuleInstalled::SIGNATURE_HASH),
        (Abi::ModuleUninstalled::SIGNATURE, Abi::ModuleUninstalled::SIGNATURE_HASH),
        (INexusFactory::AccountCreated::SIGNATURE, INexusFactory::AccountCreated::SIGNATURE_HASH),
        (Abi::TryExecuteUnsuccessful::SIGNATURE, Abi::TryExecuteUnsuccessful::SIGNATURE_HASH),
        (Abi::TryDelegateCallUnsuccessful::SIGNATURE, Abi::TryDelegateCallUnsuccessful::SIGNATURE_HASH),
    ];
    for (signature, topic) in topics {
        assert_eq!(word(&file["eventTopics"], signature), topic, "{signature}");
    }
    assert_eq!(file["eventTopics"].as_object().unwrap().len(), topics.len());
}
