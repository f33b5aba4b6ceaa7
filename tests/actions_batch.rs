//! Batch sessions, end to end: the actions of the page, run natively against the real server and the real lab.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use alloy::{
    primitives::{Address, Bytes, U256},
    sol,
    sol_types::SolCall,
};
use serde_json::json;
use use_aa::{
    actions::{
        create_batch_session::{CreateBatchSessionVariables, create_batch_session},
        options::{BuildUserOpOptions, NonceOptions},
        ports::Relay,
        send_with_batch_session::{
            SendWithBatchSessionRequest, prepare_send_with_batch_session, send_with_batch_session,
        },
        wait_for_user_operation_receipt::wait_for_user_operation_receipt,
    },
    error::AppError,
    protocol::{
        addresses::{
            ABI_SESSION_VALIDATION_MODULE, BATCHED_SESSION_ROUTER, DEMO_TOKEN, ECDSA_MODULE,
            ERC20_SESSION_VALIDATION_MODULE, SESSION_KEY_MANAGER,
        },
        policy::{Condition, Erc20Policy, Policy},
        rpc::UserOpReceipt,
        session::SessionStatus,
        smart_account::{Call, decode_calls},
    },
};

mod actions_support;
use actions_support::Person;

sol! {
    interface IDemoToken {
        function mint(address to, uint256 value) external;
        function transfer(address to, uint256 value) external returns (bool);
        function approve(address spender, uint256 value) external returns (bool);
        function balanceOf(address owner) external view returns (uint256);
    }
}

const SHOP: Address = Address::repeat_byte(0x5a);

fn tokens(whole: u64) -> U256 {
    U256::from(whole * 1_000_000)
}

fn token_call(call: impl SolCall) -> Call {
    Call { to: DEMO_TOKEN, value: U256::ZERO, data: call.abi_encode().into() }
}

/// Mint tokens to the own account, and send tokens to the shop.
fn mint_tokens(person: &Person, whole: u64) -> Call {
    token_call(IDemoToken::mintCall { to: person.account(), value: tokens(whole) })
}

fn pay(to: Address, whole: u64) -> Call {
    token_call(IDemoToken::transferCall { to, value: tokens(whole) })
}

async fn tokens_of(person: &Person, owner: Address) -> U256 {
    let data = Bytes::from(IDemoToken::balanceOfCall { owner }.abi_encode());
    let answer = person.relay.read("eth_call", json!([{"to": DEMO_TOKEN, "data": data}, "latest"])).await.unwrap();
    serde_json::from_value(answer).unwrap()
}

/// A shop of this test's own: the tests share a chain.
fn shop(person: &Person) -> Address {
    Address::from_slice(&[&SHOP[..10], &person.account()[..10]].concat())
}

/// Mint an NFT (ABI), mint tokens (ABI), pay the shop up to 10 (ERC-20).
fn mixed(person: &Person) -> CreateBatchSessionVariables {
    let mint_tokens = Policy::new(DEMO_TOKEN, "mint(address,uint256)").with_rule(0, Condition::Equal, person.account());
    let pay = Erc20Policy::new(DEMO_TOKEN, shop(person), tokens(10));
    let policy = vec![person.mint_policy().into(), mint_tokens.into(), pay.into()];
    CreateBatchSessionVariables { policy, label: Some("shopping".into()), ..Default::default() }
}

async fn grant(person: &Person, request: CreateBatchSessionVariables) -> Vec<String> {
    let response = create_batch_session(&person.client, &person.store, request).await.unwrap();
    person.settle(&response).await.unwrap();
    response.session.unwrap().session_ids
}

fn request(person: &Person, calls: Vec<Call>) -> SendWithBatchSessionRequest {
    SendWithBatchSessionRequest { account: person.account(), calls, ..Default::default() }
}

async fn use_it(person: &Person, request: SendWithBatchSessionRequest) -> Result<UserOpReceipt, AppError> {
    let response = send_with_batch_session(person.relay.as_ref(), &person.store, request).await?;
    wait_for_user_operation_receipt(person.relay.as_ref(), response.user_op_hash, |_| {}).await
}

#[tokio::test]
async fn one_grant_on_a_new_account_allows_a_mixed_batch_in_one_operation() {
    let person = Person::new().await;
    grant(&person, mixed(&person)).await;
    assert_eq!((person.operations().await, person.wallet.signed.get()), (1, 1), "all in one, signed once");
    let state = person.relay.account_state(person.account(), U256::ZERO).await.unwrap();
    assert!(state.deployed && state.session_key_manager_enabled && state.batched_session_router_enabled);
    assert_eq!(state.modules, [BATCHED_SESSION_ROUTER, SESSION_KEY_MANAGER, ECDSA_MODULE]);
    let (local, chain) = person.roots().await;
    assert!(local == chain && !chain.is_zero());
    let leaves = person.leaves().await;
    let modules: Vec<_> = leaves.iter().map(|leaf| leaf.session_validation_module).collect();
    let abi = ABI_SESSION_VALIDATION_MODULE;
    assert_eq!(modules, [abi, abi, ERC20_SESSION_VALIDATION_MODULE]);
    assert!(leaves.iter().all(|leaf| leaf.session_key_address == leaves[0].session_key_address), "one key");
    assert_eq!(person.store.session_key_addresses(person.account()).len(), 1);

    let calls = vec![Person::mint_call(person.account()), mint_tokens(&person, 7), pay(shop(&person), 5)];
    let receipt = use_it(&person, request(&person, calls)).await.unwrap();
    assert!(receipt.success);
    assert_eq!(person.nfts().await, 1);
    assert_eq!(tokens_of(&person, person.account()).await, tokens(2));
    assert_eq!(tokens_of(&person, shop(&person)).await, tokens(5));
    assert_eq!(person.wallet.signed.get(), 1, "the owner had no part in it");
    let after = person.relay.account_state(person.account(), U256::ZERO).await.unwrap();
    assert!(after.balance.is_zero(), "the gas was sponsored");
}

#[tokio::test]
async fn sessions_are_found_whatever_the_order_of_the_calls() {
    let person = Person::new().await;
    grant(&person, mixed(&person)).await;
    // Neither in the order of the grant nor as many as were granted, and one session twice.
    let calls = vec![mint_tokens(&person, 3), pay(shop(&person), 1), pay(shop(&person), 2)];
    use_it(&person, request(&person, calls)).await.unwrap();
    assert_eq!(tokens_of(&person, shop(&person)).await, tokens(3));
    // A later grant with another key does not get in the way.
    person.grant(person.grant_request()).await.unwrap();
    let calls = vec![Person::mint_call(person.account()), mint_tokens(&person, 1)];
    use_it(&person, request(&person, calls)).await.unwrap();
    assert_eq!(person.nfts().await, 1);
}

#[tokio::test]
async fn a_batch_of_one_call_works_and_so_does_a_single_use_of_its_session() {
    let person = Person::new().await;
    let ids = grant(&person, mixed(&person)).await;
    let mut by_index = request(&person, vec![Person::mint_call(person.account())]);
    by_index.corresponding_indexes = Some(vec![0]);
    let prepared =
        prepare_send_with_batch_session(person.relay.as_ref(), &person.store, by_index.clone()).await.unwrap();
    assert_eq!(prepared.leaves().map(|leaf| &leaf.session_id).collect::<Vec<_>>(), [&ids[0]], "0 is the first");
    let call_data = &prepared.operation().user_operation.call_data;
    assert_eq!(call_data[..4], [0x00, 0x00, 0x46, 0x80], "executeBatch, also of one call");
    assert_eq!(decode_calls(call_data).unwrap(), by_index.calls);
    use_it(&person, by_index).await.unwrap();
    assert_eq!(person.nfts().await, 1);

    let mut single = person.mint_request();
    single.session_id = Some(ids[0].clone());
    person.use_session_with(single).await.unwrap();
    assert_eq!(person.nfts().await, 2);

    let mut by_id = request(&person, vec![mint_tokens(&person, 1), Person::mint_call(person.account())]);
    by_id.session_ids = Some(vec![ids[1].clone(), ids[0].clone()]);
    by_id.corresponding_indexes = Some(vec![0, 0]);
    use_it(&person, by_id).await.unwrap();
    assert_eq!((person.nfts().await, tokens_of(&person, person.account()).await), (3, tokens(1)), "ids come first");
}

#[tokio::test]
async fn what_a_session_does_not_allow_names_call_and_rule_and_nothing_is_sent() {
    let person = Person::new().await;
    let ids = grant(&person, mixed(&person)).await;
    let operations = person.operations().await;
    let (mint, pay_shop) = (Person::mint_call(person.account()), pay(shop(&person), 1));
    let refused = async |calls: Vec<Call>| match use_it(&person, request(&person, calls)).await {
        Err(AppError::PolicyViolation { rule, .. }) => rule,
        other => panic!("{other:?}"),
    };
    let rule = refused(vec![mint.clone(), pay(shop(&person), 11)]).await;
    assert!(rule.starts_with("call 1: ") && rule.contains("amount"), "{rule}");
    let rule = refused(vec![pay(Address::repeat_byte(1), 1), mint.clone()]).await;
    assert!(rule.starts_with("call 0: ") && rule.contains("recipient"), "{rule}");
    assert_eq!(refused(vec![Person::mint_call(SHOP), pay_shop.clone()]).await, "call 0: rule 0");
    let strange = Call { to: SHOP, ..mint.clone() };
    let rule = refused(vec![mint.clone(), strange]).await;
    assert!(rule.starts_with("call 1: "), "{rule}");

    let error = |change: &dyn Fn(&mut SendWithBatchSessionRequest)| {
        let mut asked = request(&person, vec![mint.clone(), pay_shop.clone()]);
        change(&mut asked);
        let person = &person;
        async move { use_it(person, asked).await.unwrap_err() }
    };
    let swapped = error(&|asked| asked.session_ids = Some(vec![ids[2].clone(), ids[0].clone()])).await;
    assert!(matches!(swapped, AppError::PolicyViolation { .. }), "{swapped}");
    let short = error(&|asked| asked.corresponding_indexes = Some(vec![0])).await;
    assert!(matches!(&short, AppError::InvalidInput { field, .. } if field == "correspondingIndexes"), "{short}");
    let long = error(&|asked| asked.session_ids = Some(ids.clone())).await;
    assert!(matches!(&long, AppError::InvalidInput { field, .. } if field == "sessionIds"), "{long}");
    let beyond = error(&|asked| asked.corresponding_indexes = Some(vec![0, 3])).await;
    assert!(matches!(beyond, AppError::SessionNotFound { .. }), "{beyond}");
    let none = error(&|asked| asked.calls.clear()).await;
    assert!(matches!(none, AppError::InvalidInput { .. }), "{none}");
    assert_eq!(person.operations().await, operations);
    assert_eq!(person.nfts().await, 0);
}

#[tokio::test]
async fn sessions_of_different_keys_cannot_be_mixed() {
    let person = Person::new().await;
    let batch = grant(&person, mixed(&person)).await;
    let other = person.grant(person.grant_request()).await.unwrap();
    let operations = person.operations().await;
    let mut asked = request(&person, vec![Person::mint_call(person.account()), mint_tokens(&person, 1)]);
    asked.session_ids = Some(vec![other[0].clone(), batch[1].clone()]);
    let leaves = person.leaves().await;
    let error = use_it(&person, asked.clone()).await.unwrap_err();
    let (first, other_key) = (leaves[3].session_key_address, leaves[1].session_key_address);
    assert_eq!(error, AppError::SessionKeysDiffer { first, other: other_key });
    asked.session_ids = None;
    asked.corresponding_indexes = Some(vec![0, 3]);
    let error = use_it(&person, asked.clone()).await.unwrap_err();
    assert!(matches!(error, AppError::SessionKeysDiffer { .. }), "{error}");
    assert_eq!(person.operations().await, operations);
    // Left to itself the batch takes the key that can do it all, though it is the older one.
    asked.corresponding_indexes = None;
    use_it(&person, asked).await.unwrap();
    assert_eq!(person.nfts().await, 1);
}

#[tokio::test]
async fn a_batch_needs_the_router_and_the_next_batch_grant_enables_it() {
    let person = Person::new().await;
    let mut two = person.grant_request();
    two.policy.push(person.mint_policy());
    person.grant(two).await.unwrap();
    let calls = vec![Person::mint_call(person.account()); 2];
    let error = use_it(&person, request(&person, calls.clone())).await.unwrap_err();
    assert_eq!(error, AppError::ModuleNotEnabled { account: person.account(), module: BATCHED_SESSION_ROUTER });
    assert_eq!(person.operations().await, 1);

    grant(&person, mixed(&person)).await;
    let state = person.relay.account_state(person.account(), U256::ZERO).await.unwrap();
    assert!(state.batched_session_router_enabled);
    assert_eq!(person.statuses().await, [SessionStatus::Active; 5]);
    // The sessions from before can be used together now, too.
    let mut before = request(&person, calls);
    before.corresponding_indexes = Some(vec![0, 1]);
    use_it(&person, before).await.unwrap();
    assert_eq!(person.nfts().await, 2);
    // A second batch grant enables nothing twice, which would revert.
    grant(&person, mixed(&person)).await;
    assert_eq!(person.statuses().await, [SessionStatus::Active; 8]);
}

#[tokio::test]
async fn the_callers_nonce_lane_wins() {
    let person = Person::new().await;
    grant(&person, mixed(&person)).await;
    let lane = U256::from(77);
    let nonce_options = Some(NonceOptions { nonce_key: Some(lane), nonce_override: None });
    for sequence in 0..2_u64 {
        let mut asked = request(&person, vec![Person::mint_call(person.account())]);
        asked.options = BuildUserOpOptions { nonce_options, ..Default::default() };
        let prepared =
            prepare_send_with_batch_session(person.relay.as_ref(), &person.store, asked.clone()).await.unwrap();
        assert_eq!(prepared.operation().user_operation.nonce, (lane << 64) | U256::from(sequence));
        use_it(&person, asked).await.unwrap();
    }
    assert_eq!(person.nfts().await, 2);
}

#[tokio::test]
async fn a_refused_or_malformed_grant_stores_and_sends_nothing() {
    let person = Person::new().await;
    let with = |change: &dyn Fn(&mut Erc20Policy)| {
        let mut pay = Erc20Policy::new(DEMO_TOKEN, SHOP, tokens(1));
        change(&mut pay);
        CreateBatchSessionVariables { policy: vec![person.mint_policy().into(), pay.into()], ..Default::default() }
    };
    for (request, expected) in [
        (with(&|pay| pay.token = person.account()), "PolicyRefused"),
        (with(&|pay| pay.max_amount = U256::ZERO), "InvalidInput"),
        (with(&|pay| pay.interval.valid_until = 1), "PolicyRefused"),
        (CreateBatchSessionVariables::default(), "InvalidInput"),
    ] {
        let error = create_batch_session(&person.client, &person.store, request).await.unwrap_err();
        assert_eq!(error.name(), expected, "{error}");
    }
    person.wallet.refuses.set(true);
    let error = create_batch_session(&person.client, &person.store, with(&|_| {})).await.unwrap_err();
    assert_eq!(error, AppError::WalletRejected);
    assert!(person.leaves().await.is_empty());
    assert!(person.store.session_key_addresses(person.account()).is_empty());
    assert_eq!(person.operations().await, 0);
}
