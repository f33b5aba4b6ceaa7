//! The token paymaster of v0.7: charges while the operation is validated, gives the rest back afterwards.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::{SolCall, SolError, SolEvent, SolValue},
};
use serde_json::Value;
use use_aa::{
    lab::contracts::{
        DEPLOYER, VERIFYING_SIGNER,
        nexus::{ENTRY_POINT_V07, OWNER_VALIDATOR, TOKEN_PAYMASTER_V07},
    },
    protocol::{abi::IErc20, addresses::DEMO_TOKEN},
};

use super::{
    super::{
        abi::parse,
        chain::{Chain, selector},
        fixtures::SPONSOR_KEY,
    },
    abi::*,
    world::*,
};

/// 2,500 of the token, which has six decimals, for one ether.
const RATE: u64 = 2_500_000_000;
const POST_OP_GAS: u128 = 60_000;

fn terms() -> TokenPaymasterTerms {
    TokenPaymasterTerms {
        validUntil: U256::from((1_u64 << 48) - 1).to(),
        validAfter: U256::ZERO.to(),
        feeToken: DEMO_TOKEN,
        exchangeRate: U256::from(RATE),
        priceMarkup: 1_050_000,
    }
}

/// An operation of the owner's that pays in the token, signed by `sponsor`.
async fn paying(chain: &Chain, terms: &TokenPaymasterTerms, post_op_gas: u128, sponsor: B256) -> PackedUserOperation {
    paying_for(chain, execute_single(TARGET, U256::ZERO, &[]), terms, post_op_gas, sponsor).await
}

async fn paying_for(
    chain: &Chain,
    call_data: Bytes,
    terms: &TokenPaymasterTerms,
    post_op_gas: u128,
    sponsor: B256,
) -> PackedUserOperation {
    let mut operation = operation(chain, call_data).await;
    let lane = getNonceCall { sender: ACCOUNT, key: U256::from_be_slice(OWNER_VALIDATOR.as_slice()).to() };
    operation.nonce = chain.call(BUNDLER, ENTRY_POINT_V07, &lane).await.unwrap();
    let limits = [200_000_u128.to_be_bytes(), post_op_gas.to_be_bytes()].concat();
    let head = [TOKEN_PAYMASTER_V07.as_slice(), &limits].concat();
    operation.paymasterAndData = head.clone().into();
    let ask = ITokenPaymaster::getHashCall { userOp: operation.clone(), terms: terms.clone() };
    let hash = chain.call(BUNDLER, TOKEN_PAYMASTER_V07, &ask).await.unwrap();
    operation.paymasterAndData = [head, terms.abi_encode(), sign(sponsor, hash)].concat().into();
    let hash = hash_of(chain, &operation).await;
    operation.signature = sign(OWNER_KEY, hash).into();
    operation
}

async fn tokens_of(chain: &Chain, owner: Address) -> U256 {
    chain.call(BUNDLER, DEMO_TOKEN, &IErc20::balanceOfCall { account: owner }).await.unwrap()
}

/// The account has tokens and approved the paymaster, as a step before.
async fn rich_account(chain: &Chain) {
    let mint = [selector("mint(address,uint256)").to_vec(), (ACCOUNT, U256::from(1_000_000_000)).abi_encode()].concat();
    chain.send_data(BUNDLER, DEMO_TOKEN, &mint.into()).await;
    let approve = IErc20::approveCall { spender: TOKEN_PAYMASTER_V07, amount: U256::MAX };
    transact(chain, ACCOUNT, DEMO_TOKEN, &approve.abi_encode().into()).await;
}

fn log<E: SolEvent>(receipt: &Value) -> Option<Value> {
    let mut logs = receipt["logs"].as_array().unwrap().iter();
    logs.find(|log| parse::<B256>(&log["topics"][0]) == E::SIGNATURE_HASH).cloned()
}

#[tokio::test]
async fn the_account_pays_what_it_used_and_gets_the_rest_back() {
    let chain = with_account().await;
    rich_account(&chain).await;
    let (before, ether) = (tokens_of(&chain, ACCOUNT).await, chain.balance(ACCOUNT).await);
    let deposit = balanceOfCall { account: TOKEN_PAYMASTER_V07 };
    let funded = chain.call(BUNDLER, ENTRY_POINT_V07, &deposit).await.unwrap();
    let operation = paying(&chain, &terms(), POST_OP_GAS, SPONSOR_KEY).await;
    let receipt = handle(&chain, &operation).await.expect("included");
    assert!(log::<PostOpRevertReason>(&receipt).is_none());
    let event = log::<ITokenPaymaster::TokenPaymasterOperation>(&receipt).unwrap();
    let charged: U256 = parse(&event["topics"][3]);
    let paid = before - tokens_of(&chain, ACCOUNT).await;
    assert_eq!((paid, paid), (charged, tokens_of(&chain, TOKEN_PAYMASTER_V07).await));
    assert_eq!(chain.balance(ACCOUNT).await, ether, "no ether of the account's");
    // at least what the paymaster paid, at the rate with the markup, and not half as much again
    let cost = funded - chain.call(BUNDLER, ENTRY_POINT_V07, &deposit).await.unwrap();
    let fair = cost * U256::from(RATE) / U256::from(10).pow(U256::from(18)) * U256::from(105) / U256::from(100);
    assert!(charged >= fair && charged < fair * U256::from(3) / U256::from(2), "{charged} for {fair}");
}

#[tokio::test]
async fn an_operation_that_fails_is_paid_for_all_the_same() {
    let chain = with_account().await;
    rich_account(&chain).await;
    let before = tokens_of(&chain, ACCOUNT).await;
    // more than it has: the call reverts, the charge stays
    let spend = [selector("transfer(address,uint256)").to_vec(), (BUNDLER, U256::MAX).abi_encode()].concat();
    let spend = execute_single(DEMO_TOKEN, U256::ZERO, &spend);
    let operation = paying_for(&chain, spend, &terms(), POST_OP_GAS, SPONSOR_KEY).await;
    let receipt = handle(&chain, &operation).await.expect("included");
    let event = log::<UserOperationEvent>(&receipt).unwrap();
    assert!(!UserOperationEvent::abi_decode_data(&parse::<Bytes>(&event["data"])).unwrap().1);
    let charged: U256 = parse(&log::<ITokenPaymaster::TokenPaymasterOperation>(&receipt).unwrap()["topics"][3]);
    assert_eq!(before - tokens_of(&chain, ACCOUNT).await, charged);
}

/// Here the account owns the paymaster and empties it meanwhile: nothing is left to give back.
#[tokio::test]
async fn what_cannot_be_given_back_is_owed_and_the_operation_stays() {
    let chain = with_account().await;
    rich_account(&chain).await;
    let hand_over = transferOwnershipCall { owner: ACCOUNT }.abi_encode().into();
    transact(&chain, DEPLOYER, TOKEN_PAYMASTER_V07, &hand_over).await;
    let started = tokens_of(&chain, ACCOUNT).await;
    // nearly all of what is taken first: 3.82 million gas at 2 gwei, in the token
    let nearly_all = U256::from(20_000_000);
    let empty =
        [selector("withdrawERC20(address,address,uint256)").to_vec(), (DEMO_TOKEN, BUNDLER, nearly_all).abi_encode()];
    let empty = execute_single(TOKEN_PAYMASTER_V07, U256::ZERO, &empty.concat());
    let operation = paying_for(&chain, empty, &terms(), POST_OP_GAS, SPONSOR_KEY).await;
    let receipt = handle(&chain, &operation).await.expect("included");
    assert!(log::<PostOpRevertReason>(&receipt).is_none());
    let event = log::<UserOperationEvent>(&receipt).unwrap();
    assert!(UserOperationEvent::abi_decode_data(&parse::<Bytes>(&event["data"])).unwrap().1);
    let owed: U256 = parse(&log::<ITokenPaymaster::TokenRefundOwed>(&receipt).unwrap()["topics"][3]);
    let charged: U256 = parse(&log::<ITokenPaymaster::TokenPaymasterOperation>(&receipt).unwrap()["topics"][3]);
    assert_eq!(started - tokens_of(&chain, ACCOUNT).await, owed + charged);

    let claim = [selector("claim(address)").to_vec(), DEMO_TOKEN.abi_encode()].concat().into();
    let mint = [selector("mint(address,uint256)").to_vec(), (TOKEN_PAYMASTER_V07, owed).abi_encode()].concat();
    transact(&chain, BUNDLER, DEMO_TOKEN, &mint.into()).await;
    transact(&chain, ACCOUNT, TOKEN_PAYMASTER_V07, &claim).await;
    assert_eq!(started - tokens_of(&chain, ACCOUNT).await, charged);
    // once
    transact(&chain, ACCOUNT, TOKEN_PAYMASTER_V07, &claim).await;
    assert_eq!(started - tokens_of(&chain, ACCOUNT).await, charged);
}

#[tokio::test]
async fn who_cannot_pay_or_was_not_vouched_for_is_refused() {
    let chain = with_account().await;
    let refused = async |operation: &PackedUserOperation| handle(&chain, operation).await.expect_err("refused");
    let inner = |data: Bytes| {
        let failed = FailedOpWithRevert::abi_decode(&data).unwrap();
        assert_eq!(failed.reason, "AA33 reverted");
        Selector(failed.inner[..4].try_into().unwrap())
    };
    let named = |signature: &str| Selector(selector(signature));
    // neither tokens nor an approval
    let operation = paying(&chain, &terms(), POST_OP_GAS, SPONSOR_KEY).await;
    let poor = refused(&operation).await;
    assert_eq!(inner(poor), named("TokenPaymentRefused(address,address,uint256)"));

    rich_account(&chain).await;
    let foreign = paying(&chain, &terms(), POST_OP_GAS, OWNER_KEY).await;
    let expected = FailedOp { opIndex: U256::ZERO, reason: "AA34 signature error".to_owned() };
    assert_eq!(refused(&foreign).await, Bytes::from(expected.abi_encode()));
    let before = tokens_of(&chain, ACCOUNT).await;
    // without gas for `postOp` nothing would come back
    let short = paying(&chain, &terms(), POST_OP_GAS - 1, SPONSOR_KEY).await;
    assert_eq!(inner(refused(&short).await), named("PostOpGasTooLow(uint256,uint256)"));
    for priceMarkup in [999_999, 2_000_001] {
        let terms = TokenPaymasterTerms { priceMarkup, ..terms() };
        let operation = paying(&chain, &terms, POST_OP_GAS, SPONSOR_KEY).await;
        assert_eq!(inner(refused(&operation).await), named("PriceMarkupOutOfRange(uint32)"));
    }
    for terms in [
        TokenPaymasterTerms { exchangeRate: U256::ZERO, ..terms() },
        TokenPaymasterTerms { feeToken: Address::repeat_byte(5), ..terms() },
    ] {
        let operation = paying(&chain, &terms, POST_OP_GAS, SPONSOR_KEY).await;
        inner(refused(&operation).await);
    }
    assert_eq!(tokens_of(&chain, ACCOUNT).await, before, "a refused operation costs nothing");
    // nobody but the EntryPoint takes tokens or gives them
    let call = validatePaymasterUserOpCall { userOp: foreign, userOpHash: B256::ZERO, maxCost: U256::from(1) };
    chain.refusal(VERIFYING_SIGNER, TOKEN_PAYMASTER_V07, &call).await;
}

#[derive(Debug, PartialEq, Eq)]
struct Selector([u8; 4]);
