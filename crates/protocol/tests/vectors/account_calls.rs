//! 06: call data of the account, module calls, owner's signatures.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    signers::SignerSync,
    sol_types::SolCall,
};
use serde_json::Value;
use use_aa_protocol::{
    abi::ISmartAccount,
    addresses::{ACCOUNT_FACTORY, ECDSA_MODULE},
    signature,
    smart_account::*,
};

use crate::support::*;

fn assert_call(call: &Call, output: &Value, name: &str) {
    assert_eq!(call.to, address(output, "to"), "{name}");
    assert_eq!(call.value, big(output, "value"), "{name}");
    assert_eq!(call.data, bytes(output, "data"), "{name}");
}

#[test]
fn every_case_has_the_js_sdks_bytes() {
    let file = parse(include_str!("../../../../tests/vectors/06_account_calls_and_signatures.json"));
    let account = address(&file, "account");
    for case in list(&file, "cases") {
        let (name, input, output) = (text(case, "name"), &case["input"], &case["output"]);
        let expected = || bytes(case, "output");
        match name {
            "execute_ncC empty data" | "execute_ncC safeMint" => {
                let call: Call = serde_json::from_value(input.clone()).unwrap();
                let encoded = encode_calls(std::slice::from_ref(&call), false).unwrap();
                assert_eq!(encoded, expected(), "{name}");
                assert_eq!(decode_calls(&encoded).unwrap(), [call]);
            }
            "executeBatch_y6U three calls" => {
                let calls: Vec<Call> = (0..3)
                    .map(|i| Call {
                        to: input["to"][i].as_str().unwrap().parse().unwrap(),
                        value: input["value"][i].as_str().unwrap().parse().unwrap(),
                        data: input["data"][i].as_str().unwrap().parse().unwrap(),
                    })
                    .collect();
                let encoded = encode_calls(&calls, false).unwrap();
                assert_eq!(encoded, expected(), "{name}");
                assert_eq!(decode_calls(&encoded).unwrap(), calls);
            }
            "getEnableModuleData session key manager" => {
                assert_call(&enable_module(account, address(input, "module")), output, name);
            }
            "getDisableModuleData" => {
                assert_call(&disable_module(account, address(input, "prev"), address(input, "module")), output, name);
            }
            "getSetupAndEnableModuleData" => {
                let call = setup_and_enable_module(account, address(input, "setup"), bytes(input, "data"));
                assert_call(&call, output, name);
            }
            "ecdsa signature of userOpHash, wrapped" => {
                let key = test_key(number(input, "signerTestKeyIndex"));
                let signed = personal_sign(&key, word(input, "userOpHash"));
                let wrapped = signature::wrap(ECDSA_MODULE, &signed);
                assert_eq!(wrapped, expected(), "{name}");
                assert_eq!(signature::unwrap(&wrapped).unwrap(), (ECDSA_MODULE, signed));
            }
            "getIsValidSignatureData" => {
                let call = ISmartAccount::isValidSignatureCall {
                    dataHash: word(input, "hash"),
                    moduleSignature: bytes(input, "sig"),
                };
                assert_eq!(call.abi_encode(), expected().to_vec(), "{name}");
            }
            "signMessage(\"hello\") undeployed (ERC-6492)" => {
                let key = test_key(0);
                let signed = key.sign_message_sync(text(input, "message").as_bytes()).unwrap().as_bytes();
                let template = AccountTemplate::ecdsa(key.address());
                assert_eq!(template.address(U256::ZERO), account);
                let wrapped = signature::wrap(ECDSA_MODULE, &signed);
                let factory_data = template.factory_data(U256::ZERO);
                assert_eq!(signature::counterfactual(ACCOUNT_FACTORY, factory_data, wrapped), expected(), "{name}");
            }
            "setMerkleRoot" => assert_eq!(set_merkle_root(word(input, "root")).data, expected(), "{name}"),
            other => panic!("no assertion for {other}"),
        }
    }
}

#[test]
fn one_call_is_a_batch_when_the_router_needs_one_and_no_call_is_an_error() {
    let call = Call { to: Address::repeat_byte(1), value: U256::from(2), data: Bytes::from_static(&[3]) };
    let batch = encode_calls(std::slice::from_ref(&call), true).unwrap();
    assert_eq!(batch[..4], ISmartAccount::executeBatch_y6UCall::SELECTOR);
    assert_eq!(decode_calls(&batch).unwrap(), [call]);
    assert!(encode_calls(&[], false).unwrap_err().to_string().starts_with("transactions"));
}

#[test]
fn the_plain_name_twins_are_read_too_and_odd_batches_are_refused() {
    let (to, value, data) = (Address::repeat_byte(1), U256::from(2), Bytes::from_static(&[3]));
    let call = Call { to, value, data: data.clone() };
    let single = ISmartAccount::executeCall { dest: to, value, func: data.clone() }.abi_encode();
    assert_eq!(decode_calls(&single).unwrap(), std::slice::from_ref(&call));
    let batch = ISmartAccount::executeBatchCall { dest: vec![to], value: vec![value], func: vec![data.clone()] };
    assert_eq!(decode_calls(&batch.abi_encode()).unwrap(), [call]);
    let odd = ISmartAccount::executeBatchCall { dest: vec![to, to], value: vec![value], func: vec![data] };
    assert!(decode_calls(&odd.abi_encode()).is_err());
    assert!(decode_calls(&B256::ZERO[..]).is_err());
    assert!(decode_calls(&[]).is_err());
}
