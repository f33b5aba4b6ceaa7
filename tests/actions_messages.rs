//! Message signatures, and `@biconomy/use-aa`'s helpers around single sessions: natively against the real server and lab.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use alloy::{
    primitives::{Address, Bytes, U256, eip191_hash_message, hex},
    sol_types::SolCall,
};
use serde_json::{Value, json};
use use_aa::{
    actions::{
        create_session::CreateSessionVariables,
        options::{BuildUserOpOptions, Options},
        session_key::create_session_key_eoa,
        session_params::get_single_session_tx_params,
        sign_message::verify_message,
    },
    error::AppError,
    protocol::{
        abi::ISmartAccount,
        addresses::{ACCOUNT_FACTORY, ECDSA_MODULE, SESSION_KEY_MANAGER},
        policy::Policy,
        signature::{split_counterfactual, unwrap, wrap},
    },
};

mod actions_support;
use actions_support::{Person, common};

const MESSAGE: &[u8] = b"Sign in to example.com";
/// `isValidSignature`'s good answer, in a word.
const VALID: &str = "0x1626ba7e00000000000000000000000000000000000000000000000000000000";

/// Asks the account on the chain, past the application; an error is `None`.
async fn asked(account: Address, message: &[u8], wrapped: &Bytes) -> Option<String> {
    let url = common::lab().await.info().rpc_url.expose().as_str();
    let call = ISmartAccount::isValidSignatureCall {
        dataHash: eip191_hash_message(message),
        moduleSignature: wrapped.clone(),
    };
    let params = json!([{"to": account, "data": Bytes::from(call.abi_encode())}, "latest"]);
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": params});
    let answer: Value = reqwest::Client::new().post(url).json(&body).send().await.unwrap().json().await.unwrap();
    answer["result"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_deployed_account_accepts_its_owners_signature_and_no_other() {
    let (person, stranger) = (Person::new().await, Person::new().await);
    let account = person.account();
    person.client.wait(&person.client.deploy(&Options::sponsored()).await.unwrap()).await.unwrap();
    assert!(person.client.is_account_deployed().await.unwrap());

    let signature = person.client.sign_message(MESSAGE).await.unwrap();
    let (module, inner) = unwrap(&signature).unwrap();
    assert_eq!(module, ECDSA_MODULE, "the module that signed is named");
    assert_eq!(asked(account, MESSAGE, &signature).await.as_deref(), Some(VALID));
    assert_ne!(asked(account, b"something else", &signature).await.as_deref(), Some(VALID));

    let relay = person.relay.as_ref();
    assert!(verify_message(relay, account, MESSAGE, &signature).await.unwrap());
    assert!(!verify_message(relay, account, b"something else", &signature).await.unwrap());
    let strangers = stranger.client.sign_message(MESSAGE).await.unwrap();
    let (_, _, strangers) = split_counterfactual(&strangers).unwrap();
    assert!(!verify_message(relay, account, MESSAGE, &strangers).await.unwrap());
    let by_session_module = wrap(SESSION_KEY_MANAGER, &inner);
    assert!(!verify_message(relay, account, MESSAGE, &by_session_module).await.unwrap(), "sessions sign no messages");
    for garbage in [&[][..], &[1; 65], &hex!("6492649264926492649264926492649264926492649264926492649264926492")] {
        assert!(!verify_message(relay, account, MESSAGE, garbage).await.unwrap());
    }
}

#[tokio::test]
async fn a_signature_made_before_the_account_is_deployed_says_how_and_holds_afterwards() {
    let (person, stranger) = (Person::new().await, Person::new().await);
    let (account, relay) = (person.account(), person.relay.as_ref());
    let signature = person.client.sign_message(MESSAGE).await.unwrap();
    assert!(!person.client.is_account_deployed().await.unwrap());
    assert!(verify_message(relay, account, MESSAGE, &signature).await.unwrap());
    assert!(!verify_message(relay, account, b"something else", &signature).await.unwrap());
    assert!(!verify_message(relay, stranger.account(), MESSAGE, &signature).await.unwrap());

    // What ERC-6492 asks of a verifier, on the chain: call the factory as told, then ask the account.
    let (factory, factory_data, wrapped) = split_counterfactual(&signature).unwrap();
    assert_eq!(factory, ACCOUNT_FACTORY);
    let url = common::lab().await.info().rpc_url.expose().as_str();
    let anybody = common::lab().await.info().accounts()[5].address;
    let transaction = json!([{"from": anybody, "to": factory, "data": factory_data, "gas": "0x1e8480"}]);
    common::rpc(url, "eth_sendTransaction", transaction).await;
    assert_eq!(asked(account, MESSAGE, &wrapped).await.as_deref(), Some(VALID));
    assert!(verify_message(relay, account, MESSAGE, &signature).await.unwrap(), "the long form still holds");
}

#[tokio::test]
async fn the_wallets_refusal_is_one() {
    let person = Person::new().await;
    person.wallet.refuses.set(true);
    assert_eq!(person.client.sign_message(MESSAGE).await.unwrap_err(), AppError::WalletRejected);
}

#[tokio::test]
async fn a_key_made_ahead_of_its_grant_signs_for_the_session_that_names_it() {
    let person = Person::new().await;
    let account = person.account();
    let none = get_single_session_tx_params(&person.store, account, None).await.unwrap_err();
    assert!(matches!(none, AppError::SessionNotFound { .. }));

    let key = create_session_key_eoa(&person.store, account).await.unwrap();
    let policy = Policy { session_key_address: Some(key), ..person.mint_policy() };
    person.grant(CreateSessionVariables { policy: vec![policy], ..person.grant_request() }).await.unwrap();
    person.grant(person.grant_request()).await.unwrap();
    assert_eq!(person.store.session_key_addresses(account).len(), 2, "the first grant made no key of its own");

    let first = get_single_session_tx_params(&person.store, account, Some(0)).await.unwrap();
    assert_eq!((first.session.session_key_address, first.session_signer.address()), (key, key));
    let newest = get_single_session_tx_params(&person.store, account, None).await.unwrap();
    assert_ne!(newest.session.session_id, first.session.session_id);
    let secret = hex::encode(first.session_signer.to_bytes());
    assert!(!format!("{first:?}").contains(&secret), "the key is never shown");

    let request = first.request(Person::mint_call(account), BuildUserOpOptions::default());
    person.use_session_with(request).await.unwrap();
    assert_eq!(person.nfts().await, 1);
    let state = use_aa::actions::ports::Relay::account_state(person.relay.as_ref(), account, U256::ZERO).await.unwrap();
    assert!(state.deployed);
}
