//! 01: data of ABI sessions, `@biconomy/use-aa`'s quirks, and what `@biconomy/use-aa` rejects.

use alloy::primitives::{B256, U256};
use serde_json::{Value, json};
use use_aa_protocol::{
    policy::{Condition, FunctionSelector, Policy, ReferenceValue},
    session::SessionLeaf,
    session_data::AbiSessionData,
};

use crate::support::*;

/// The vector's policy in `@biconomy/use-aa`'s own JSON: a bigint cannot be told from text in JSON, so its
/// decimal digits stay digits, which ours reads as a number.
fn policy(input: &Value) -> Result<Policy, use_aa_protocol::ProtocolError> {
    Policy::from_use_aa_json(input)
}

#[test]
fn every_case_has_the_js_sdks_bytes_or_the_right_ones() {
    let file = parse(include_str!("../../../../tests/vectors/01_abi_session_key_data.json"));
    let mut quirks = 0;
    for case in list(&file, "cases") {
        let (name, input, output) = (text(case, "name"), &case["input"], &case["output"]);
        let session_key = address(input, "sessionKeyAddress");
        match name {
            "out-of-range condition 255 is encoded" => {
                // `@biconomy/use-aa` grants a session that can never be used; ours refuses, but can read and write its bytes.
                assert!(policy(input).unwrap_err().to_string().starts_with("rules[0].condition"), "{name}");
                let data = AbiSessionData::decode(&bytes(output, "sessionKeyData")).unwrap();
                assert_eq!(data.rules[0].1, 255);
                assert_eq!(data.encode().unwrap(), bytes(output, "sessionKeyData"), "{name}");
                quirks += 1;
            }
            "QUIRK ref decimal string is read as hex digits" => {
                // `@biconomy/use-aa` makes 0x123 = 291 of "123"; ours makes 123.
                let ours = policy(input).unwrap().abi_session_data(session_key).unwrap();
                let theirs = AbiSessionData::decode(&bytes(output, "sessionKeyData")).unwrap();
                assert_eq!(ours.rules[0].2, B256::from(U256::from(123)), "{name}");
                assert_eq!(theirs.rules[0].2, B256::from(U256::from(0x123)), "{name}");
                quirks += 1;
            }
            "QUIRK uint alias not expanded" => {
                // `@biconomy/use-aa` hashes transfer(address,uint), which no contract has; ours expands the alias.
                let ours = policy(input).unwrap().function_selector.selector().unwrap();
                assert_eq!(text(output, "selector"), "0x6cb927d8");
                assert_eq!(ours, [0xa9, 0x05, 0x9c, 0xbb], "{name}");
                quirks += 1;
            }
            _ => {
                let policy = policy(input).unwrap_or_else(|error| panic!("{name}: {error}"));
                let selector = policy.function_selector.selector().unwrap();
                assert_eq!(format!("0x{}", hex::encode(selector)), text(output, "selector"), "{name}");
                let data = policy.session_key_data(session_key).unwrap();
                assert_eq!(data, bytes(output, "sessionKeyData"), "{name}");
                let decoded = AbiSessionData::decode(&data).unwrap();
                assert_eq!(decoded, policy.abi_session_data(session_key).unwrap(), "{name}");
                assert_eq!(decoded.encode().unwrap(), data, "{name}");
                let leaf = SessionLeaf::from_policy(&policy, session_key, "id").unwrap();
                assert_eq!(leaf.session_validation_module, address(output, "sessionValidationModule"), "{name}");
                assert_eq!(leaf.session_key_address, address(output, "sessionPublicKey"), "{name}");
                assert_eq!(leaf.valid_until, number(output, "validUntil"), "{name}");
                assert_eq!(leaf.valid_after, number(output, "validAfter"), "{name}");
                if output.get("leaf").is_some() {
                    assert_eq!(leaf.hash(), word(output, "leaf"), "{name}");
                }
                if output.get("sessionKeyDataAsSdkReturns").is_some() {
                    assert_eq!(data, bytes(output, "sessionKeyDataAsSdkReturns"), "{name}");
                }
            }
        }
    }
    assert_eq!(quirks, 3, "every quirk has a case");
}

fn with(change: impl FnOnce(&mut Value)) -> Result<Policy, String> {
    let mut policy = json!({
        "contractAddress": "0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e",
        "functionSelector": "f(uint256)",
        "rules": [{ "offset": 0, "condition": 0, "referenceValue": "0x01" }],
        "valueLimit": "0",
    });
    change(&mut policy);
    Policy::from_use_aa_json(&policy).map_err(|error| error.to_string())
}

fn with_reference(value: Value) -> Result<String, String> {
    let policy = with(|policy| policy["rules"][0]["referenceValue"] = value)?;
    policy.rules[0].reference_value.word("referenceValue").map(|word| word.to_string()).map_err(|e| e.to_string())
}

#[test]
fn what_the_js_sdk_rejects_is_done_right_or_refused_with_the_fields_name() {
    let file = parse(include_str!("../../../../tests/vectors/01_abi_session_key_data.json"));
    let word = |digits: &str| Ok(format!("0x{digits:0>64}"));
    for case in list(&file, "rejectedBySdk") {
        let name = text(case, "case");
        let refused = |result: Result<Policy, String>, field: &str| {
            let error = result.expect_err(name);
            assert!(error.starts_with(field), "{name}: {error}");
        };
        match name {
            // allowed by `@biconomy/use-aa`'s type, thrown out by its code: ours encodes them
            "rule: number 1" => assert_eq!(with_reference(json!(1)), word("1"), "{name}"),
            "rule: number 0" => assert_eq!(with_reference(json!(0)), word("0"), "{name}"),
            "rule: boolean false" => assert_eq!(with_reference(json!(false)), word("0"), "{name}"),
            "rule: Uint8Array(3)" => {
                assert_eq!(with_reference(json!([1, 2, 3])), Ok(format!("0x{:0<64}", "010203")), "{name}");
            }
            // accepted by `@biconomy/use-aa` although useless: ours refuses
            "valueLimit number 5" => {
                assert_eq!(with(|p| p["valueLimit"] = json!(5)).unwrap().value_limit.to::<u64>(), 5);
            }
            "sessionKeyAddress 19 bytes" => {
                refused(
                    with(|p| p["sessionKeyAddress"] = json!(format!("0x{}", "11".repeat(19)))),
                    "sessionKeyAddress",
                );
            }
            "selector raw 3 bytes" => {
                refused(with(|p| p["functionSelector"] = json!({ "raw": "0x010203" })), "functionSelector");
            }
            // a selector as text: ours takes it for what it is
            "functionSelector \"0x40d097c3\"" => {
                let policy = with(|p| p["functionSelector"] = json!("0x40d097c3")).unwrap();
                assert_eq!(policy.function_selector.selector().unwrap(), [0x40, 0xd0, 0x97, 0xc3]);
            }
            "functionSelector empty" => refused(with(|p| p["functionSelector"] = json!("")), "functionSelector"),
            "rule: hex 33 bytes" => {
                refused(
                    with(|p| p["rules"][0]["referenceValue"] = json!(format!("0x{}", "ab".repeat(33)))),
                    "rules[0].ref",
                );
            }
            "rule: bigint 2^256" => {
                let two_256 = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
                refused(with(|p| p["rules"][0]["referenceValue"] = json!(two_256)), "rules[0].referenceValue");
            }
            "rule: undefined" => {
                refused(
                    with(|p| drop(p["rules"][0].as_object_mut().unwrap().remove("referenceValue"))),
                    "rules[0].ref",
                );
            }
            "rule: null" => refused(with(|p| p["rules"][0]["referenceValue"] = Value::Null), "rules[0].referenceValue"),
            "rule: offset 65536" => refused(with(|p| p["rules"][0]["offset"] = json!(65536)), "rules[0].offset"),
            "rule: offset -1" => refused(with(|p| p["rules"][0]["offset"] = json!(-1)), "rules[0].offset"),
            "valueLimit 2^128" => {
                let policy = with(|p| p["valueLimit"] = json!("340282366920938463463374607431768211456")).unwrap();
                let error = policy.session_key_data(Default::default()).unwrap_err().to_string();
                assert!(error.starts_with("valueLimit"), "{error}");
            }
            "valueLimit -1" => refused(with(|p| p["valueLimit"] = json!(-1)), "valueLimit"),
            "rules undefined" => refused(with(|p| drop(p.as_object_mut().unwrap().remove("rules"))), "rules"),
            "validUntil float 1.5 (leaf hashing step)" => {
                refused(with(|p| p["interval"] = json!({ "validUntil": 1.5 })), "interval.validUntil");
            }
            other => panic!("no assertion for {other}"),
        }
    }
}

#[test]
fn raw_reference_words_must_be_whole() {
    // `@biconomy/use-aa` takes any length and shifts everything behind it
    for raw in ["0x", "0x01", &format!("0x{}", "ab".repeat(33))] {
        let error = with_reference(json!({ "raw": raw })).unwrap_err();
        assert!(error.starts_with("rules[0].referenceValue.raw"), "{error}");
    }
    let whole = format!("0x{}", "ab".repeat(32));
    assert_eq!(with_reference(json!({ "raw": whole })), Ok(whole));
}

#[test]
fn bytes_n_are_padded_on_the_right_and_negative_numbers_are_twos_complement() {
    assert_eq!(with_reference(json!({ "bytes": "0xdeadbeef" })), Ok(format!("0x{:0<64}", "deadbeef")));
    assert_eq!(with_reference(json!(-1)), Ok(format!("0x{}", "f".repeat(64))));
    assert_eq!(with_reference(json!("-1")), Ok(format!("0x{}", "f".repeat(64))));
    let four: ReferenceValue = alloy::primitives::FixedBytes([0xde, 0xad, 0xbe, 0xef]).into();
    assert_eq!(four.word("f").unwrap().to_string(), format!("0x{:0<64}", "deadbeef"));
}

#[test]
fn lass_than_or_equal_is_the_js_sdks_typo_and_means_less_than_or_equal() {
    assert_eq!(Condition::from_name("LASS_THAN_OR_EQUAL"), Ok(Condition::LessThanOrEqual));
    assert_eq!(Condition::from_name("LESS_THAN_OR_EQUAL"), Ok(Condition::LessThanOrEqual));
    assert!(Condition::from_name("AT_MOST").is_err(), "`@biconomy/use-aa` answers -1 and fails while encoding");
    let codes = ["EQUAL", "LASS_THAN_OR_EQUAL", "LESS_THAN", "GREATER_THAN_OR_EQUAL", "GREATER_THAN", "NOT_EQUAL"];
    for (code, name) in codes.iter().enumerate() {
        assert_eq!(usize::from(Condition::from_name(name).unwrap().code()), code);
    }
}

#[test]
fn signatures_as_people_write_them_have_one_selector() {
    for signature in [
        "transfer(address,uint256)",
        "function transfer(address to, uint value) external returns (bool)",
        " transfer ( address payable to , uint256 value ) ;",
        "function transfer(address,uint256) public virtual override(A, B) returns (bool ok)",
    ] {
        let selector = FunctionSelector::Signature(signature.into()).selector().unwrap();
        assert_eq!(selector, [0xa9, 0x05, 0x9c, 0xbb], "{signature}");
    }
    for bad in [
        "transfer",
        "(address)",
        "transfer(address",
        "transfer(addres)",
        "f(uint257)",
        "f(uint0)",
        "f(bytes33)",
        "f(,)",
        "f(address))",
        "1f()",
        "f(uint256[0x])",
        "f(uint256[])x",
        "f(uint08)",
        "f()()",
        "",
    ] {
        assert!(FunctionSelector::Signature(bad.into()).selector().is_err(), "{bad}");
    }
    let nested = FunctionSelector::Signature("f(tuple(uint a, (address,bytes)[] b)[2] x, int[][3])".into());
    assert_eq!(nested.canonical().unwrap(), "f((uint256,(address,bytes)[])[2],int256[][3])");
}
