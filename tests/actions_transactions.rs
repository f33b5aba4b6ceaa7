//! What the owner signs, end to end: natively against the real server and the real lab.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use alloy::primitives::{B256, U256, hex};
use serde_json::json;
use use_aa::{
    actions::{
        deploy::deploy_smart_account,
        options::{BuildUserOpOptions, Options, merge_options},
        ports::Relay,
        send_sponsored_transaction::send_sponsored_transaction,
        send_transaction::{complete_transaction, prepare_transaction, send_transaction},
        settle_session::settle_session,
        wait_for_user_operation_receipt::wait_for_user_operation_receipt,
    },
    error::{AppError, Upstream},
    protocol::{
        addresses::DEMO_NFT,
        rpc::UserOpReceipt,
        smart_account::{Call, encode_calls},
    },
};

mod actions_support;
use actions_support::{Person, common};

/// Ether for an account, in wei, out of nothing.
async fn fund(person: &Person, wei: U256) {
    let url = common::lab().await.info().rpc_url.expose().as_str();
    common::rpc(url, "anvil_setBalance", json!([person.account(), wei])).await;
}

async fn wait(person: &Person, user_op_hash: B256) -> Result<UserOpReceipt, AppError> {
    wait_for_user_operation_receipt(person.relay.as_ref(), user_op_hash, |_| {}).await
}

fn mint(person: &Person) -> Call {
    Person::mint_call(person.account())
}

fn ether() -> U256 {
    U256::from(10).pow(U256::from(18))
}

#[tokio::test]
async fn an_account_with_funds_deploys_itself_and_pays_its_gas() {
    let person = Person::new().await;
    fund(&person, ether()).await;
    let none = BuildUserOpOptions::default();
    let response = send_transaction(&person.client, &[mint(&person), mint(&person)], &none).await.unwrap();
    let receipt = wait(&person, response.user_op_hash).await.unwrap();
    assert_eq!(person.nfts().await, 2);
    let state = person.relay.account_state(person.account(), U256::ZERO).await.unwrap();
    assert!(state.deployed);
    assert_eq!(state.nonce, U256::from(1));
    assert!(state.balance < ether());
    let deposited = ether() - state.balance;
    assert!(deposited >= receipt.actual_gas_cost, "{deposited} wei cover {} wei", receipt.actual_gas_cost);
}

#[tokio::test]
async fn an_account_without_funds_is_told_what_is_missing() {
    let person = Person::new().await;
    let none = BuildUserOpOptions::default();
    let error = send_transaction(&person.client, &[mint(&person)], &none).await.unwrap_err();
    assert!(
        matches!(&error, AppError::UpstreamRejected { upstream: Upstream::Bundler, message, .. } if message.contains("AA21")),
        "{error}"
    );
    let error = deploy_smart_account(&person.client, &Options::unsponsored()).await.unwrap_err();
    assert_eq!(error, AppError::AccountHasNoFunds { account: person.account() });
    let error = send_sponsored_transaction(&person.client, &[], &none).await.unwrap_err();
    assert!(matches!(error, AppError::InvalidInput { .. }));
    assert_eq!((person.operations().await, person.wallet.signed.get()), (0, 0));
}

#[tokio::test]
async fn a_sponsored_deployment_happens_once() {
    let person = Person::new().await;
    let by_default = BuildUserOpOptions::default();
    let response = deploy_smart_account(&person.client, &by_default).await.unwrap();
    let receipt = wait(&person, response.user_op_hash).await.unwrap();
    assert!(receipt.success);
    let state = person.relay.account_state(person.account(), U256::ZERO).await.unwrap();
    assert!(state.deployed && state.balance.is_zero(), "somebody else paid");
    assert!(!state.session_key_manager_enabled, "and nothing else was done");
    for options in [by_default, Options::unsponsored()] {
        let error = deploy_smart_account(&person.client, &options).await.unwrap_err();
        assert_eq!(error, AppError::AccountAlreadyDeployed { account: person.account() });
    }
    // From now on operations carry no init code, and lanes do not wait for each other.
    let lanes = (0..3).map(|_| {
        let options = merge_options([Options::sponsored(), Options::now_nonce(), Options::increased_verification(20)]);
        let (person, call) = (&person, mint(&person));
        async move {
            let response = send_transaction(&person.client, &[call], &options).await?;
            wait(person, response.user_op_hash).await
        }
    });
    for receipt in futures::future::join_all(lanes).await {
        receipt.unwrap();
    }
    assert_eq!(person.nfts().await, 3);
}

#[tokio::test]
async fn a_call_that_reverts_is_told_before_it_is_sent() {
    let person = Person::new().await;
    let nonsense = Call { to: DEMO_NFT, value: U256::ZERO, data: hex!("12345678").into() };
    let none = BuildUserOpOptions::default();
    let error = send_sponsored_transaction(&person.client, &[nonsense], &none).await.unwrap_err();
    assert!(matches!(error, AppError::UpstreamRejected { .. }), "{error}");
    assert_eq!(person.operations().await, 0);
}

#[tokio::test]
async fn an_operation_that_reverts_on_chain_says_so() {
    let person = Person::new().await;
    fund(&person, ether()).await;
    let none = BuildUserOpOptions::default();
    let mut prepared = prepare_transaction(&person.client, &[mint(&person)], &none).await.unwrap();
    // Between the estimate and the inclusion the world may change; here the call does.
    let nonsense = Call { to: DEMO_NFT, value: U256::ZERO, data: hex!("12345678").into() };
    prepared.user_operation.call_data = encode_calls(&[nonsense], false).unwrap();
    prepared.user_op_hash = prepared.user_operation.hash(31_337);
    let response = complete_transaction(&person.client, &prepared).await.unwrap();
    let user_op_hash = response.user_op_hash;
    let error = wait(&person, user_op_hash).await.unwrap_err();
    assert!(matches!(&error, AppError::UserOpReverted { user_op_hash: hash, .. } if *hash == user_op_hash), "{error}");
    // Late callers get the same answer.
    let again = settle_session(person.relay.as_ref(), &person.store, person.account(), user_op_hash, |_| {}).await;
    assert_eq!(again.unwrap_err(), error);
    assert_eq!(person.nfts().await, 0);
}

#[tokio::test]
async fn what_the_relay_gets_wrong_is_named() {
    let person = Person::new().await;
    let unknown = person.relay.read("eth_sendRawTransaction", json!(["0x"])).await.unwrap_err();
    assert!(matches!(unknown, AppError::MethodNotAllowed { method } if method == "eth_sendRawTransaction"));
    let prepared = prepare_transaction(&person.client, &[mint(&person)], &Options::sponsored()).await.unwrap();
    let unsigned = person.relay.send(&prepared.user_operation, None).await.unwrap_err();
    // -32507: the bundler refuses the signature.
    assert!(matches!(&unsigned, AppError::UpstreamRejected { code: -32507, .. }), "{unsigned}");
}
