//! 15: user operations of entry point v0.7, each hash by the entry point contract, and its verifying paymaster.

use alloy::{
    primitives::{U256, keccak256},
    signers::local::PrivateKeySigner,
    sol_types::{SolError, SolEvent},
};
use serde_json::Value;
use use_aa_protocol::{
    entry_point::{
        EntryPoint, UserOperation,
        v07::{
            MAX_GAS_VALUE, ValidationData, VerifyingPaymasterData, abi::IEntryPointV07 as Abi, pack,
            paymaster_and_data, paymaster_gas_limits, unpack,
        },
    },
    signature::personal_digest,
    time_window::Window,
};

use crate::support::*;

fn file() -> Value {
    parse(include_str!("../../../../tests/vectors/15_user_operation_v07.json"))
}

fn operation(value: &Value) -> UserOperation {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn every_operation_is_packed_and_hashed_as_the_entry_point_does() {
    let file = file();
    assert_eq!(address(&file, "entryPoint"), EntryPoint::V07.address());
    for case in list(&file, "cases") {
        let (name, output) = (text(case, "name"), &case["output"]);
        let op = operation(&case["userOp"]);
        assert_eq!(op.entry_point, EntryPoint::V07, "{name}");
        let packed = pack(&op).unwrap();
        let expected = &output["packed"];
        assert_eq!(packed.sender, address(expected, "sender"), "{name}");
        assert_eq!(packed.nonce, big(expected, "nonce"), "{name}");
        assert_eq!(packed.initCode, bytes(expected, "initCode"), "{name}");
        assert_eq!(packed.callData, bytes(expected, "callData"), "{name}");
        assert_eq!(packed.accountGasLimits, word(expected, "accountGasLimits"), "{name}");
        assert_eq!(packed.preVerificationGas, big(expected, "preVerificationGas"), "{name}");
        assert_eq!(packed.gasFees, word(expected, "gasFees"), "{name}");
        assert_eq!(packed.paymasterAndData, bytes(expected, "paymasterAndData"), "{name}");
        assert_eq!(packed.signature, bytes(expected, "signature"), "{name}");
        assert_eq!(op.packed(), bytes(output, "hashedEncoding").to_vec(), "{name}");
        assert_eq!(keccak256(op.packed()), word(output, "hashedEncodingKeccak"), "{name}");
        assert_eq!(address(case, "entryPoint"), EntryPoint::V07.address(), "{name}");
        let hash = op.hash(number(case, "chainId"));
        assert_eq!(hash, word(output, "userOpHash"), "{name}");
        assert_eq!(personal_digest(hash), word(output, "ethSignedMessageHash"), "{name}");
        // Where the product overflows there is none; ours saturates.
        let prefund = output["requiredPrefund"].as_str().map_or(U256::MAX, |_| big(output, "requiredPrefund"));
        assert_eq!(op.required_prefund(), prefund, "{name}");
        assert_eq!(unpack(&packed).unwrap(), op, "{name}");
        assert_eq!(operation(&serde_json::to_value(&op).unwrap()), op, "{name}");
        let over = op.call_gas_limit > U256::from(MAX_GAS_VALUE);
        assert_eq!(over, name.contains("AA94"), "{name}");
    }
    assert_eq!(list(&file, "cases").len(), 12);
}

#[test]
fn the_paymasters_signer_signs_what_the_paymaster_checks() {
    for case in list(&file(), "verifyingPaymaster") {
        let (name, output) = (text(case, "name"), &case["output"]);
        let mut op = operation(&case["userOpWithoutPaymasterData"]);
        assert_eq!(op.paymaster(), Some(address(case, "paymaster")), "{name}");
        let (valid_until, valid_after) = (number(case, "validUntil"), number(case, "validAfter"));
        let mut data = VerifyingPaymasterData { valid_until, valid_after, ..Default::default() };
        let hash = data.hash(&op, number(case, "chainId")).unwrap();
        assert_eq!(hash, word(output, "hashToSign"), "{name}");
        assert_eq!(personal_digest(hash), word(output, "ethSignedMessageHash"), "{name}");
        let signer: PrivateKeySigner = text(case, "signerPrivateKey").parse().unwrap();
        data.signature = personal_sign(&signer, hash);
        assert_eq!(data.signature, bytes(output, "signature"), "{name}");
        assert_eq!(data.encode(), bytes(output, "paymasterData"), "{name}");
        assert_eq!(VerifyingPaymasterData::decode(&data.encode()).unwrap(), data, "{name}");
        let limits = paymaster_gas_limits(&op.paymaster_and_data).map(|limit| limit.to());
        op.paymaster_and_data = paymaster_and_data(address(case, "paymaster"), limits, &data.encode());
        assert_eq!(op.paymaster_data(), &data.encode()[..], "{name}");
        assert_eq!(op.paymaster_and_data, bytes(output, "paymasterAndData"), "{name}");
        assert_eq!(op.hash(number(case, "chainId")), word(output, "userOpHash"), "{name}");
        // The paymaster's own data is not signed, its gas limits are.
        assert_eq!(data.hash(&op, number(case, "chainId")).unwrap(), hash, "{name}");
        let [verification, _] = limits;
        let dearer = paymaster_and_data(address(case, "paymaster"), [verification, 1_000_000], &data.encode());
        let dearer = UserOperation { paymaster_and_data: dearer, ..op };
        assert_ne!(data.hash(&dearer, number(case, "chainId")).unwrap(), hash, "{name}");
        for (field, authorizer) in [("validationData", 0), ("validationDataWithSpoiltSignature", 1)] {
            let answer = ValidationData::from_word(big(output, field));
            assert_eq!(answer.window, Window { valid_until, valid_after }, "{name}");
            assert_eq!(answer.is_accepted(), authorizer == 0, "{name}");
            assert_eq!(answer.to_word(), big(output, field), "{name}");
        }
    }
}

#[test]
fn topics_and_selectors_are_the_entry_points() {
    let file = file();
    let topics = [
        (Abi::UserOperationEvent::SIGNATURE, Abi::UserOperationEvent::SIGNATURE_HASH),
        (Abi::AccountDeployed::SIGNATURE, Abi::AccountDeployed::SIGNATURE_HASH),
        (Abi::UserOperationRevertReason::SIGNATURE, Abi::UserOperationRevertReason::SIGNATURE_HASH),
        (Abi::PostOpRevertReason::SIGNATURE, Abi::PostOpRevertReason::SIGNATURE_HASH),
        (Abi::UserOperationPrefundTooLow::SIGNATURE, Abi::UserOperationPrefundTooLow::SIGNATURE_HASH),
        (Abi::BeforeExecution::SIGNATURE, Abi::BeforeExecution::SIGNATURE_HASH),
        (Abi::Deposited::SIGNATURE, Abi::Deposited::SIGNATURE_HASH),
    ];
    for (signature, topic) in topics {
        assert_eq!(word(&file["eventTopics"], signature), topic, "{signature}");
    }
    assert_eq!(file["eventTopics"].as_object().unwrap().len(), topics.len());
    let selectors = [
        (Abi::FailedOp::SIGNATURE, Abi::FailedOp::SELECTOR),
        (Abi::FailedOpWithRevert::SIGNATURE, Abi::FailedOpWithRevert::SELECTOR),
        (Abi::PostOpReverted::SIGNATURE, Abi::PostOpReverted::SELECTOR),
        (Abi::SignatureValidationFailed::SIGNATURE, Abi::SignatureValidationFailed::SELECTOR),
        (Abi::SenderAddressResult::SIGNATURE, Abi::SenderAddressResult::SELECTOR),
        (Abi::ReentrancyGuardReentrantCall::SIGNATURE, Abi::ReentrancyGuardReentrantCall::SELECTOR),
        (Abi::DelegateAndRevert::SIGNATURE, Abi::DelegateAndRevert::SELECTOR),
    ];
    for (signature, selector) in selectors {
        assert_eq!(bytes(&file["errorSelectors"], signature)[..], selector, "{signature}");
    }
    assert_eq!(file["errorSelectors"].as_object().unwrap().len(), selectors.len());
}
