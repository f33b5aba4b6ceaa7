//! The layouts of vectors 09, and the rules of both paymasters.

use alloy::{
    primitives::{Address, Bytes, U256, address},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::SolValue,
};
use serde_json::json;
use use_aa::{
    lab::contracts::{PAYMASTER_ID, VERIFYING_SIGNER},
    protocol::{
        addresses::{DEMO_TOKEN, ENTRY_POINT, TOKEN_PAYMASTER, VERIFYING_PAYMASTER},
        paymaster::TokenPaymasterData,
        user_operation,
    },
};

use super::{
    abi::*,
    chain::{CHAIN_ID, Chain, Failure, custom_error},
    fixtures::*,
};

/// The fee token of the vectors.
const FEE_TOKEN: Address = address!("dA5289fCAAF71d52a80A254da614a192b693e977");
/// What the operation of the vectors may cost: (77217 + 3 * 86895 + 772931) * 1e8 wei.
const MAX_COST: u64 = 111_083_300_000_000;

/// What the EntryPoint would hear from the paymaster.
async fn ask(chain: &Chain, paymaster: Address, userOp: UserOperation, max_cost: U256) -> Result<Verdict, Failure> {
    let call = validatePaymasterUserOpCall { userOp, userOpHash: Default::default(), maxCost: max_cost };
    chain.call(ENTRY_POINT, paymaster, &call).await.map(|answer| Verdict::from(answer.validationData))
}

/// The operations of vectors 09 of one kind, with the verdict that a valid one gets.
fn cases(kind: &str) -> Vec<(UserOperation, Verdict)> {
    let operations = vectors("04_userop_hashes.json");
    let file = vectors("09_paymaster.json");
    let found = list(&file, "paymasterAndData").iter().filter(|case| case["kind"].as_str() == Some(kind));
    found
        .map(|case| {
            assert_eq!(case["userOpFrom"], "04_userop_hashes.json case 3");
            let mut operation = user_operation(&operations["cases"][3]["userOp"], Some(Bytes::new()));
            operation.paymasterAndData = parse(&case["output"]["paymasterAndData"]);
            let seconds = |field: &str| case[field].as_u64().unwrap();
            (operation, Verdict::new(0, seconds("validUntil"), seconds("validAfter")))
        })
        .collect()
}

#[tokio::test]
async fn verifying_layouts_of_vectors_09_are_accepted() {
    let chain = Chain::start().await;
    for (operation, accepted) in cases("verifying v1.1.0") {
        let max_cost = U256::from(MAX_COST);
        let (until, after) = (accepted.valid_until, accepted.valid_after);
        assert_eq!(ask(&chain, VERIFYING_PAYMASTER, operation.clone(), max_cost).await, Ok(accepted));
        // every gas field is covered
        let changed = UserOperation { callGasLimit: U256::ONE, ..operation };
        let verdict = ask(&chain, VERIFYING_PAYMASTER, changed, max_cost).await;
        assert_eq!(verdict, Ok(Verdict::new(1, until, after)));
    }
}

#[tokio::test]
async fn the_verifying_paymaster_pays_only_out_of_the_ids_deposit() {
    let chain = Chain::start().await;
    let deposit = U256::from(10).pow(U256::from(21));
    let balance = getBalanceCall { paymasterId: PAYMASTER_ID };
    assert_eq!(chain.call(STRANGER, VERIFYING_PAYMASTER, &balance).await, Ok(deposit));
    for paymaster in [VERIFYING_PAYMASTER, TOKEN_PAYMASTER] {
        let info = chain.call(STRANGER, ENTRY_POINT, &getDepositInfoCall { account: paymaster }).await.unwrap();
        assert!(info.staked && U256::from(info.deposit) == deposit && info.unstakeDelaySec >= 86_400);
    }

    // What the EntryPoint asks for is compared, without the overhead: all of the deposit is enough.
    let (operation, accepted) = cases("verifying v1.1.0").remove(0);
    assert_eq!(ask(&chain, VERIFYING_PAYMASTER, operation.clone(), deposit).await, Ok(accepted));
    let more = deposit + U256::ONE;
    let too_little = custom_error("InsufficientBalance(uint256,uint256)", (more, deposit).abi_encode());
    assert_eq!(ask(&chain, VERIFYING_PAYMASTER, operation.clone(), more).await, Err(too_little));
    let short = UserOperation {
        paymasterAndData: [
            VERIFYING_PAYMASTER.as_slice(),
            &(PAYMASTER_ID, U256::ZERO, U256::ZERO, Bytes::from([7; 64])).abi_encode_params(),
        ]
        .concat()
        .into(),
        ..operation.clone()
    };
    let expected = custom_error("InvalidPaymasterSignatureLength(uint256)", U256::from(64).abi_encode());
    assert_eq!(ask(&chain, VERIFYING_PAYMASTER, short, U256::ONE).await, Err(expected));

    let call = validatePaymasterUserOpCall { userOp: operation, userOpHash: Default::default(), maxCost: U256::ONE };
    let refused = chain.refusal(STRANGER, VERIFYING_PAYMASTER, &call).await;
    assert_eq!(refused, Failure::Text("Sender not EntryPoint".into()));
}

/// Puts a copy of the demo token at the address of the vectors' fee token.
async fn with_fee_token(chain: &Chain, balance: U256) {
    let code = chain.code(DEMO_TOKEN).await;
    chain.rpc("anvil_setCode", json!([FEE_TOKEN, code])).await.unwrap();
    chain.send(STRANGER, FEE_TOKEN, &mintCall { to: ACCOUNT, value: balance }).await;
}

#[tokio::test]
async fn token_layouts_of_vectors_09_are_accepted() {
    let chain = Chain::start().await;
    with_fee_token(&chain, U256::from(10).pow(U256::from(30))).await;
    for (operation, accepted) in cases("token") {
        let terms = TokenPaymasterData::decode(&operation.paymasterAndData).unwrap();
        let (until, after) = (accepted.valid_until, accepted.valid_after);
        // one of them is so cheap that the charge rounds to nothing
        let free = U256::from(MAX_COST) * terms.exchange_rate < U256::from(10).pow(U256::from(18));
        let expected =
            if free { Err(Failure::Text("BTPM: calculated token charge invalid".into())) } else { Ok(accepted) };
        let max_cost = U256::from(MAX_COST);
        assert_eq!(ask(&chain, TOKEN_PAYMASTER, operation.clone(), max_cost).await, expected);
        let changed = UserOperation { maxFeePerGas: U256::ONE, ..operation };
        let verdict = ask(&chain, TOKEN_PAYMASTER, changed, max_cost).await;
        assert_eq!(verdict, Ok(Verdict::new(1, until, after)));
    }
}

#[tokio::test]
async fn the_token_paymaster_names_the_rule_that_is_broken() {
    let chain = Chain::start().await;
    with_fee_token(&chain, U256::from(1_000)).await;
    let sponsor = PrivateKeySigner::from_bytes(&SPONSOR_KEY).unwrap();
    assert_eq!(sponsor.address(), VERIFYING_SIGNER);
    let operations = vectors("04_userop_hashes.json");
    let json = &operations["cases"][3]["userOp"];
    let signed = |markup: u32, signature_length: usize| {
        let mut operation: user_operation::UserOperation = serde_json::from_value(json.clone()).unwrap();
        let mut data = TokenPaymasterData {
            paymaster: TOKEN_PAYMASTER,
            price_source: 0,
            valid_until: 0,
            valid_after: 0,
            fee_token: FEE_TOKEN,
            oracle_aggregator: Address::ZERO,
            exchange_rate: U256::from(10).pow(U256::from(18)),
            price_markup: markup,
            signature: Bytes::new(),
        };
        let hash = data.hash(&operation, CHAIN_ID).unwrap();
        let signature = sponsor.sign_message_sync(hash.as_slice()).unwrap().as_bytes();
        data.signature = signature[..signature_length].to_vec().into();
        operation.paymaster_and_data = data.encode();
        from_protocol(&operation)
    };
    let text = |text: &str| Err(Failure::Text(text.to_owned()));
    let answer = |operation, max_cost: u64| ask(&chain, TOKEN_PAYMASTER, operation, U256::from(max_cost));

    // 45,000 gas of postOp at 1e8 wei, one token unit per wei: 4.5e12 units without markup
    let broke = text("BTPM: account does not have enough token balance");
    assert_eq!(answer(signed(1_000_000, 65), 1).await, broke);
    assert_eq!(answer(signed(999_999, 65), 1).await, text("BTPM: price markup percentage too low"));
    assert_eq!(answer(signed(2_000_001, 65), 1).await, text("BTPM: price markup percentage too high"));
    assert_eq!(answer(signed(1_000_000, 64), 1).await, text("BTPM: invalid signature length in paymasterAndData"));
    let cut = UserOperation {
        paymasterAndData: signed(1_000_000, 65).paymasterAndData[..212].to_vec().into(),
        ..signed(1_000_000, 65)
    };
    assert_eq!(answer(cut, 1).await, text("BTPM: Invalid length for paymasterAndData"));
    let tight = UserOperation { verificationGasLimit: U256::from(45_000), ..signed(1_000_000, 65) };
    assert_eq!(answer(tight, 1).await, text("BTPM: gas too low for postOp"));
    chain.send(STRANGER, FEE_TOKEN, &mintCall { to: ACCOUNT, value: U256::from(10).pow(U256::from(13)) }).await;
    assert_eq!(answer(signed(2_000_000, 65), 1).await, Ok(Verdict::new(0, 0, 0)));
}
