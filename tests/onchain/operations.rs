//! Whole operations through `EntryPoint.handleOps`: what a person does with a session, with real gas.

use alloy::{
    primitives::{Address, B256, Bytes, LogData, U256, bytes},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::{SolCall, SolEvent},
};
use serde_json::{Value, json};
use use_aa::{
    lab::contracts::PAYMASTER_ID,
    protocol::{
        abi::IErc20,
        addresses::{
            BATCHED_SESSION_ROUTER, DEMO_NFT, DEMO_TOKEN, ECDSA_MODULE, ENTRY_POINT, SESSION_KEY_MANAGER,
            TOKEN_PAYMASTER, VERIFYING_PAYMASTER,
        },
        paymaster::{TokenPaymasterData, VerifyingPaymasterData},
        policy::{Condition, FunctionSelector, Policy, ReferenceValue, Rule, SessionEpoch},
        session::{SessionBook, SessionLeaf, SessionStatus},
        signature,
        smart_account::{Call, enable_module, encode_calls, init_code, set_merkle_root},
        user_operation::{UserOperation, nonce_with_key},
    },
};

use super::{
    abi,
    chain::{CHAIN_ID, Chain},
    fixtures::*,
};

/// Where the bundler's refund goes.
const BENEFICIARY: Address = Address::repeat_byte(0xbe);

fn key(bytes: B256) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&bytes).unwrap()
}

fn sign(signer: &PrivateKeySigner, hash: B256) -> [u8; 65] {
    signer.sign_message_sync(hash.as_slice()).unwrap().as_bytes()
}

fn safe_mint() -> Call {
    Call { to: DEMO_NFT, value: U256::ZERO, data: abi::safeMintCall { to: ACCOUNT }.abi_encode().into() }
}

/// The session of the issue: `safeMint(address)` on the demo NFT, argument 0 the account itself.
fn mint_session() -> SessionLeaf {
    let policy = Policy {
        session_key_address: None,
        contract_address: DEMO_NFT,
        function_selector: FunctionSelector::Signature("safeMint(address)".into()),
        rules: vec![Rule { offset: 0, condition: Condition::Equal, reference_value: ReferenceValue::Address(ACCOUNT) }],
        interval: SessionEpoch::INDEFINITELY,
        value_limit: U256::ZERO,
    };
    let mut leaf = SessionLeaf::from_policy(&policy, key(SESSION_KEY).address(), "0123456789").unwrap();
    leaf.status = SessionStatus::Active;
    leaf
}

fn operation(nonce: U256, calls: &[Call], force_batch: bool) -> UserOperation {
    UserOperation {
        entry_point: Default::default(),
        sender: ACCOUNT,
        nonce,
        init_code: Bytes::new(),
        call_data: encode_calls(calls, force_batch).unwrap(),
        call_gas_limit: U256::from(400_000),
        verification_gas_limit: U256::from(1_000_000),
        pre_verification_gas: U256::from(60_000),
        max_fee_per_gas: U256::from(3_000_000_000_u64),
        max_priority_fee_per_gas: U256::from(1_000_000_000),
        paymaster_and_data: Bytes::new(),
        signature: Bytes::new(),
    }
}

/// The verifying signer vouches for the operation.
fn sponsored(mut operation: UserOperation) -> UserOperation {
    let mut data = VerifyingPaymasterData {
        paymaster: VERIFYING_PAYMASTER,
        paymaster_id: PAYMASTER_ID,
        valid_until: 0,
        valid_after: 0,
        signature: Bytes::new(),
    };
    let hash = data.hash(&operation, CHAIN_ID).unwrap();
    data.signature = sign(&key(SPONSOR_KEY), hash).to_vec().into();
    operation.paymaster_and_data = data.encode();
    operation
}

fn hash(operation: &UserOperation) -> B256 {
    operation.hash(CHAIN_ID)
}

fn signed_by_owner(mut operation: UserOperation) -> UserOperation {
    operation.signature = signature::wrap(ECDSA_MODULE, &sign(&key(OWNER_KEY), hash(&operation)));
    operation
}

fn signed_by_session(mut operation: UserOperation, leaf: &SessionLeaf, proof: &[B256]) -> UserOperation {
    let session_signature = sign(&key(SESSION_KEY), hash(&operation));
    let module_signature = signature::session_key_manager(leaf, proof, &session_signature);
    operation.signature = signature::wrap(SESSION_KEY_MANAGER, &module_signature);
    operation
}

/// Bundles the operations; events of the wanted type out of the receipt.
async fn handle_ops(chain: &Chain, operations: &[UserOperation]) -> Value {
    let ops = operations.iter().map(abi::from_protocol).collect();
    chain.send(STRANGER, ENTRY_POINT, &abi::handleOpsCall { ops, beneficiary: BENEFICIARY }).await
}

fn events<E: SolEvent>(receipt: &Value) -> Vec<E> {
    let logs = receipt["logs"].as_array().unwrap();
    logs.iter()
        .filter_map(|log| {
            let topics: Vec<B256> = serde_json::from_value(log["topics"].clone()).unwrap();
            E::decode_log_data(&LogData::new(topics, abi::parse(&log["data"]))?).ok()
        })
        .collect()
}

async fn nfts(chain: &Chain) -> U256 {
    chain.call(STRANGER, DEMO_NFT, &abi::balanceOfCall { owner: ACCOUNT }).await.unwrap()
}

async fn sponsor_balance(chain: &Chain) -> U256 {
    chain.call(STRANGER, VERIFYING_PAYMASTER, &abi::getBalanceCall { paymasterId: PAYMASTER_ID }).await.unwrap()
}

/// Deploys the account and grants the session in one sponsored operation.
async fn grant(chain: &Chain, modules: &[Address], leaf: &SessionLeaf) -> SessionBook {
    let book = SessionBook { leaf_nodes: vec![leaf.clone()], ..SessionBook::default() };
    let mut calls: Vec<Call> = modules.iter().map(|module| enable_module(ACCOUNT, *module)).collect();
    calls.push(set_merkle_root(book.root()));
    let mut operation = operation(U256::ZERO, &calls, false);
    operation.init_code = init_code(OWNER, U256::ZERO);
    let operation = signed_by_owner(sponsored(operation));
    let receipt = handle_ops(chain, std::slice::from_ref(&operation)).await;
    let done = events::<abi::UserOperationEvent>(&receipt);
    assert!(done.len() == 1 && done[0].success && done[0].userOpHash == hash(&operation), "{receipt}");
    // The manager tells nobody; what it holds is asked.
    let root = chain.call(STRANGER, SESSION_KEY_MANAGER, &abi::getSessionKeysCall { account: ACCOUNT }).await;
    assert_eq!(root, Ok(book.root()));
    book
}

#[tokio::test]
async fn deploy_grant_and_mint_with_the_session_alone() {
    let chain = Chain::start().await;
    assert!(chain.code(ACCOUNT).await.is_empty());
    let leaf = mint_session();
    let book = grant(&chain, &[SESSION_KEY_MANAGER], &leaf).await;
    assert!(!chain.code(ACCOUNT).await.is_empty());
    let proof = book.proof(&leaf.session_id).unwrap();

    // two uses in one bundle, in lanes of their own: the sponsor's balance is shared and still adds up
    let before = sponsor_balance(&chain).await;
    let uses: Vec<UserOperation> = [7, 8]
        .map(|lane| nonce_with_key(U256::from(lane), 0))
        .map(|nonce| signed_by_session(sponsored(operation(nonce, &[safe_mint()], false)), &leaf, &proof))
        .to_vec();
    let receipt = handle_ops(&chain, &uses).await;
    let done = events::<abi::UserOperationEvent>(&receipt);
    assert!(done.len() == 2 && done.iter().all(|event| event.success && event.paymaster == VERIFYING_PAYMASTER));
    assert_eq!(nfts(&chain).await, U256::from(2));

    let cost: U256 = done.iter().map(|event| event.actualGasCost).sum();
    let charged = before - sponsor_balance(&chain).await;
    println!("cost {cost}, charged {charged}, gas {:?}", done.iter().map(|e| e.actualGasUsed).collect::<Vec<_>>());
    assert!(charged >= cost, "the sponsor's balance pays less than the EntryPoint took");
    assert!(charged < cost * U256::from(11) / U256::from(10), "the sponsor is charged more than a tenth too much");
}

#[tokio::test]
async fn a_batch_goes_through_the_router() {
    let chain = Chain::start().await;
    let leaf = mint_session();
    let book = grant(&chain, &[SESSION_KEY_MANAGER, BATCHED_SESSION_ROUTER], &leaf).await;
    let proof = book.proof(&leaf.session_id).unwrap();
    let mut operation = sponsored(operation(U256::ONE, &[safe_mint(), safe_mint(), safe_mint()], true));
    let session_signature = sign(&key(SESSION_KEY), hash(&operation));
    let sessions = vec![(&leaf, proof); 3];
    let module_signature = signature::batched_router(SESSION_KEY_MANAGER, &sessions, &session_signature);
    operation.signature = signature::wrap(BATCHED_SESSION_ROUTER, &module_signature);
    let receipt = handle_ops(&chain, &[operation]).await;
    assert!(events::<abi::UserOperationEvent>(&receipt)[0].success);
    assert_eq!(nfts(&chain).await, U256::from(3));
}

/// Calls of the account, signed by its owner, the gas paid in demo tokens at 3000 for one ether and 10 % markup.
fn paid_in_tokens(nonce: u64, calls: &[Call], oracle: Option<Address>) -> UserOperation {
    let mut operation = operation(U256::from(nonce), calls, true);
    let mut data = TokenPaymasterData {
        paymaster: TOKEN_PAYMASTER,
        price_source: u8::from(oracle.is_some()),
        valid_until: 0,
        valid_after: 0,
        fee_token: DEMO_TOKEN,
        oracle_aggregator: oracle.unwrap_or_default(),
        exchange_rate: U256::from(3_000_000_000_u64),
        price_markup: 1_100_000,
        signature: Bytes::new(),
    };
    let hash = data.hash(&operation, CHAIN_ID).unwrap();
    data.signature = sign(&key(SPONSOR_KEY), hash).to_vec().into();
    operation.paymaster_and_data = data.encode();
    signed_by_owner(operation)
}

#[tokio::test]
async fn the_token_paymaster_takes_its_charge_after_the_operation() {
    let chain = Chain::start().await;
    grant(&chain, &[SESSION_KEY_MANAGER], &mint_session()).await;
    let hundred = U256::from(100_000_000);
    chain.send(STRANGER, DEMO_TOKEN, &abi::mintCall { to: ACCOUNT, value: hundred }).await;
    let left = async || chain.call(STRANGER, DEMO_TOKEN, &abi::balanceOfCall { owner: ACCOUNT }).await.unwrap();

    // without an allowance the call is undone and the debt recorded: the gas is spent either way
    let receipt = handle_ops(&chain, &[paid_in_tokens(1, &[safe_mint()], None)]).await;
    assert!(!events::<abi::UserOperationEvent>(&receipt)[0].success);
    let due = &events::<abi::TokenPaymentDue>(&receipt)[0];
    assert!((due.token, due.account) == (DEMO_TOKEN, ACCOUNT) && !due.charge.is_zero());
    assert_eq!((left().await, nfts(&chain).await), (hundred, U256::ZERO));

    let approve = IErc20::approveCall { spender: TOKEN_PAYMASTER, amount: U256::MAX }.abi_encode();
    let approve = Call { to: DEMO_TOKEN, value: U256::ZERO, data: approve.into() };
    let receipt = handle_ops(&chain, &[paid_in_tokens(2, &[approve, safe_mint()], None)]).await;
    let done = &events::<abi::UserOperationEvent>(&receipt)[0];
    let paid = &events::<abi::TokenPaymasterOperation>(&receipt)[0];
    assert!(done.success && paid.userOpHash == done.userOpHash);
    assert_eq!((hundred - left().await, nfts(&chain).await), (paid.totalCharge, U256::ONE));
    let fair = done.actualGasCost * U256::from(3_300_000_000_u64) / U256::from(10).pow(U256::from(18));
    println!("charge {} for a gas cost of {fair} with markup", paid.totalCharge);
    assert!(paid.totalCharge >= fair && paid.totalCharge < fair * U256::from(5) / U256::from(4));

    // an oracle's rate goes before the signed one; without an answer the signed one stays
    let oracle = Address::repeat_byte(0x0a);
    let answers_four_thousand = bytes!("63ee6b280060005260206000f3");
    for (code, rate) in [(answers_four_thousand, 4_000_000_000_u64), (bytes!("60006000fd"), 3_000_000_000)] {
        chain.rpc("anvil_setCode", json!([oracle, code])).await.unwrap();
        let nonce = if rate == 4_000_000_000 { 3 } else { 4 };
        let receipt = handle_ops(&chain, &[paid_in_tokens(nonce, &[safe_mint()], Some(oracle))]).await;
        let paid = &events::<abi::TokenPaymasterOperation>(&receipt)[0];
        assert_eq!((paid.exchangeRate, paid.priceSource), (U256::from(rate), 1));
    }
}

#[tokio::test]
async fn an_account_pays_for_itself_from_its_first_operation_on() {
    let chain = Chain::start().await;
    let ether = U256::from(10).pow(U256::from(18));
    chain.rpc("anvil_setBalance", json!([ACCOUNT, ether])).await.unwrap();
    let send = Call { to: Address::repeat_byte(0x77), value: U256::from(5), data: Bytes::new() };
    let mut operation = operation(U256::ZERO, std::slice::from_ref(&send), false);
    operation.init_code = init_code(OWNER, U256::ZERO);
    let receipt = handle_ops(&chain, &[signed_by_owner(operation)]).await;
    let done = &events::<abi::UserOperationEvent>(&receipt)[0];
    assert!(done.success && done.paymaster == Address::ZERO);
    assert_eq!(chain.balance(send.to).await, send.value);
    assert!(chain.balance(ACCOUNT).await <= ether - done.actualGasCost - send.value);
}
