//! 04: hashes of user operations, checked with the entry point contract.

use alloy::primitives::keccak256;
use serde_json::{Value, json};
use use_aa_protocol::{signature::personal_digest, user_operation::UserOperation};

use crate::support::*;

#[test]
fn every_case_has_the_entry_points_hash() {
    let file = parse(include_str!("../../../../tests/vectors/04_userop_hashes.json"));
    for case in list(&file, "cases") {
        let (name, output) = (text(case, "name"), &case["output"]);
        let op = user_operation(&case["userOp"]);
        assert_eq!(op.packed(), bytes(output, "packed").to_vec(), "{name}");
        assert_eq!(keccak256(op.packed()), word(output, "packedKeccak"), "{name}");
        assert_eq!(op.entry_point.address(), address(case, "entryPoint"), "{name}");
        let hash = op.hash(number(case, "chainId"));
        assert_eq!(hash, word(output, "userOpHash"), "{name}");
        assert_eq!(personal_digest(hash), word(output, "ethSignedMessageHash"), "{name}");
        let again: UserOperation = serde_json::from_value(serde_json::to_value(&op).unwrap()).unwrap();
        assert_eq!(again, op, "{name}");
    }
}

#[test]
fn what_the_js_sdk_rejects_is_rejected_with_the_fields_name() {
    let file = parse(include_str!("../../../../tests/vectors/04_userop_hashes.json"));
    let good = file["cases"][0]["userOp"].clone();
    let read =
        |value: &Value| serde_json::from_value::<UserOperation>(value.clone()).map_err(|error| error.to_string());
    for case in list(&file, "rejectedBySdk") {
        let mut op = good.clone();
        let fields = op.as_object_mut().unwrap();
        let field = match text(case, "case") {
            "callData missing" => fields.remove("callData").map(|_| "callData").unwrap(),
            "paymasterAndData missing" => fields.remove("paymasterAndData").map(|_| "paymasterAndData").unwrap(),
            "callGasLimit undefined" => fields.remove("callGasLimit").map(|_| "callGasLimit").unwrap(),
            "callData empty string" => {
                // `@biconomy/use-aa` confuses "" with absent; it is no bytes, and that is what ours reads
                fields.insert("callData".into(), json!(""));
                assert_eq!(read(&op), read(&good));
                continue;
            }
            other => panic!("no assertion for {other}"),
        };
        let error = read(&op).unwrap_err();
        assert!(error.contains(field), "{error}");
    }
}

#[test]
fn quantities_are_read_as_hex_decimal_and_number_and_written_as_minimal_hex() {
    let file = parse(include_str!("../../../../tests/vectors/04_userop_hashes.json"));
    let mut op = file["cases"][0]["userOp"].clone();
    op["callGasLimit"] = json!("0x00ff");
    op["verificationGasLimit"] = json!("255");
    op["preVerificationGas"] = json!(255);
    let op = user_operation(&op);
    assert_eq!(op.call_gas_limit, op.verification_gas_limit);
    assert_eq!(op.call_gas_limit, op.pre_verification_gas);
    assert_eq!(serde_json::to_value(&op).unwrap()["callGasLimit"], "0xff");
    for bad in [json!(-1), json!(1.5), json!("1e18"), json!("0x"), json!(null), json!(format!("0x1{}", "0".repeat(64)))]
    {
        let mut hostile = file["cases"][0]["userOp"].clone();
        hostile["nonce"] = bad.clone();
        assert!(serde_json::from_value::<UserOperation>(hostile).is_err(), "{bad}");
    }
}
