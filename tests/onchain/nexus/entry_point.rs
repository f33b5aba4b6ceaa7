//! Vectors 15: packing and hashes by the real EntryPoint, and the verifying paymaster.

use alloy::{
    primitives::{Address, B256, Bytes, U256, address},
    sol_types::SolValue,
};
use serde_json::{Value, json};
use use_aa::lab::contracts::{DEPLOYER, nexus::ENTRY_POINT_V07};

use super::{
    super::{
        abi::{list, parse, vectors},
        chain::{Chain, Failure, root},
    },
    abi::*,
    world::{BUNDLER, hash_of, sign, start},
};

#[tokio::test]
async fn hashes_of_vectors_15_are_those_of_the_entry_point() {
    let chain = start().await;
    let file = vectors("15_user_operation_v07.json");
    for case in list(&file, "cases") {
        let operation = packed(&case["userOp"], &Value::Null);
        let output = &case["output"]["packed"];
        let field = |name: &str| parse::<Bytes>(&output[name]);
        assert_eq!(operation.initCode, field("initCode"), "{}", case["name"]);
        assert_eq!(operation.paymasterAndData, field("paymasterAndData"), "{}", case["name"]);
        assert_eq!(operation.accountGasLimits.as_slice(), &field("accountGasLimits")[..], "{}", case["name"]);
        assert_eq!(operation.gasFees.as_slice(), &field("gasFees")[..], "{}", case["name"]);
        assert_eq!(parse::<Address>(&case["entryPoint"]), ENTRY_POINT_V07);
        chain.rpc("anvil_setChainId", json!([case["chainId"]])).await.unwrap();
        assert_eq!(hash_of(&chain, &operation).await, parse::<B256>(&case["output"]["userOpHash"]), "{}", case["name"]);
    }
}

/// Where the vectors have the verifying paymaster, and whose signature makes it pay.
const PAYMASTER: Address = address!("5aFC8A89e10ECbACE48a1374Bd7561E5DB3F2E33");

async fn place_paymaster(chain: &Chain, signer: Address) {
    let artifacts = std::fs::read(root().join("contracts/out/artifacts.json")).unwrap();
    let artifacts: Value = serde_json::from_slice(&artifacts).unwrap();
    let code: Bytes = parse(&artifacts["VerifyingPaymasterV07"]["bytecode"]);
    let code = Bytes::from([code.to_vec(), (ENTRY_POINT_V07, DEPLOYER, signer).abi_encode_params()].concat());
    chain.rpc("anvil_setCode", json!([PAYMASTER, code])).await.unwrap();
    let runtime = chain.rpc("eth_call", json!([{ "from": BUNDLER, "to": PAYMASTER }, "latest"])).await.unwrap();
    chain.send_data(BUNDLER, PAYMASTER, &Bytes::new()).await;
    chain.rpc("anvil_setCode", json!([PAYMASTER, runtime])).await.unwrap();
}

#[tokio::test]
async fn the_verifying_paymaster_judges_as_in_vectors_15() {
    let chain = start().await;
    let file = vectors("15_user_operation_v07.json");
    let cases = list(&file, "verifyingPaymaster");
    place_paymaster(&chain, parse(&cases[0]["signer"])).await;
    let ask = async |operation: &PackedUserOperation| {
        let maxCost = U256::from(1);
        let call = validatePaymasterUserOpCall { userOp: operation.clone(), userOpHash: B256::ZERO, maxCost };
        chain.call(ENTRY_POINT_V07, PAYMASTER, &call).await.map(|answer| (answer.context, answer.validationData))
    };
    for case in cases {
        assert_eq!(parse::<Address>(&case["paymaster"]), PAYMASTER);
        let mut operation = packed(&case["userOpWithoutPaymasterData"], &Value::Null);
        let (until, after) = (case["validUntil"].as_u64().unwrap(), case["validAfter"].as_u64().unwrap());
        let hash = IVerifyingPaymaster::getHashCall {
            userOp: operation.clone(),
            validUntil: U256::from(until).to(),
            validAfter: U256::from(after).to(),
        };
        let output = &case["output"];
        let hash = chain.call(BUNDLER, PAYMASTER, &hash).await.unwrap();
        assert_eq!(hash, parse::<B256>(&output["hashToSign"]), "{}", case["name"]);
        let head = operation.paymasterAndData.to_vec();
        let with = |signature: &[u8]| {
            let window = (U256::from(until), U256::from(after)).abi_encode();
            Bytes::from([head.as_slice(), &window, signature].concat())
        };
        let signature = parse::<Bytes>(&output["signature"]);
        operation.paymasterAndData = with(&signature);
        assert_eq!(operation.paymasterAndData, parse::<Bytes>(&output["paymasterAndData"]), "{}", case["name"]);
        assert_eq!(hash_of(&chain, &operation).await, parse::<B256>(&output["userOpHash"]));
        let good = (Bytes::new(), parse::<U256>(&output["validationData"]));
        assert_eq!(ask(&operation).await, Ok(good.clone()), "{}", case["name"]);

        // the compact form of the same signature, its parity in the highest bit of s
        let mut compact = signature[..64].to_vec();
        compact[32] |= (signature[64] - 27) << 7;
        operation.paymasterAndData = with(&compact);
        assert_eq!(ask(&operation).await, Ok(good), "{}", case["name"]);

        let foreign = sign(parse(&case["signerPrivateKey"]), B256::ZERO);
        operation.paymasterAndData = with(&foreign);
        let spoilt = parse::<U256>(&output["validationDataWithSpoiltSignature"]);
        assert_eq!(ask(&operation).await, Ok((Bytes::new(), spoilt)), "{}", case["name"]);
        for length in [0, 1, 63, 66, 130] {
            operation.paymasterAndData = with(&vec![0x1b; length]);
            let text = "VerifyingPaymaster: invalid signature length in paymasterAndData".to_owned();
            assert_eq!(ask(&operation).await, Err(Failure::Text(text)), "{length} bytes");
        }
        // nobody but the EntryPoint may ask
        operation.paymasterAndData = with(&signature);
        let call = validatePaymasterUserOpCall { userOp: operation, userOpHash: B256::ZERO, maxCost: U256::from(1) };
        let refused = chain.refusal(BUNDLER, PAYMASTER, &call).await;
        assert_eq!(refused, Failure::Text("Sender not EntryPoint".to_owned()));
    }
}
