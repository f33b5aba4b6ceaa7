//! What is said of a session's fees is true: a key that may only mint takes all that the account holds, and finds
//! nothing once that was withdrawn with the grant.

use std::sync::Arc;

use alloy::signers::SignerSync;
use use_aa::{
    actions::{
        create_batch_session::{CreateBatchSessionVariables, prepare_create_batch_session},
        create_session::{CreateSessionVariables, complete_create_session, prepare_create_session},
        fee_funds::{NativeFunds, read_fee_funds, read_native_funds},
        ports::SessionStore,
    },
    client::relay_native::HttpRelay,
    protocol::{
        abi::IEntryPoint,
        addresses::SESSION_KEY_MANAGER,
        signature::{session_key_manager, wrap},
        smart_account::encode_calls,
        user_operation::UserOperation,
    },
    server::sponsor::SponsorPolicy,
};

use super::*;

const GWEI: u64 = 1_000_000_000;
/// What the thief offers, so that the tip is next to all of it.
const DEAR: u64 = 100 * GWEI;

async fn funds(person: &Person) -> NativeFunds {
    read_native_funds(person.relay.as_ref(), person.account()).await.unwrap()
}

fn withdrawing(person: &Person) -> CreateSessionVariables {
    CreateSessionVariables { withdraw_native: true, ..person.grant_request() }
}

/// The honest call of the newest session, priced so that it costs `cost`, signed with its key.
async fn dear_mint(person: &Person, cost: U256) -> UserOperation {
    let leaf = person.leaves().await.pop().unwrap();
    let state = person.relay.account_state(person.account(), U256::ZERO).await.unwrap();
    let (call, verification) = (150_000_u64, 300_000_u64);
    let gas = cost / U256::from(DEAR);
    let operation = UserOperation {
        sender: person.account(),
        nonce: state.nonce,
        call_data: encode_calls(&[mint_nft(person)], false).unwrap(),
        call_gas_limit: U256::from(call),
        verification_gas_limit: U256::from(verification),
        // All of this goes to whoever bundles.
        pre_verification_gas: gas.saturating_sub(U256::from(call + verification)),
        max_fee_per_gas: U256::from(DEAR),
        max_priority_fee_per_gas: U256::from(DEAR),
        ..UserOperation::default()
    };
    let key = person.store.signer(person.account(), leaf.session_key_address).await.unwrap();
    let hash = operation.hash(31_337);
    let signature = key.sign_message_sync(hash.as_slice()).unwrap().as_bytes();
    let tree = person.store.load(person.account()).await.unwrap();
    let proof = tree.proof(&leaf.session_id).unwrap();
    let signature = wrap(SESSION_KEY_MANAGER, &session_key_manager(&leaf, &proof, &signature));
    UserOperation { signature, ..operation }
}

fn bundle(operation: UserOperation, beneficiary: Address) -> serde_json::Value {
    let bundle = IEntryPoint::handleOpsCall { operations: vec![operation.into()], beneficiary };
    json!({"from": FAUCET, "to": ENTRY_POINT, "data": Bytes::from(bundle.abi_encode()), "gas": "0x2dc6c0"})
}

/// Sent by the faucet; returns when it is mined.
async fn mined(transaction: serde_json::Value) {
    let _turn = FAUCET_TURN.lock().await;
    let hash = rpc("eth_sendTransaction", json!([transaction])).await;
    loop {
        let receipt = rpc("eth_getTransactionReceipt", json!([hash])).await;
        if !receipt.is_null() {
            assert_eq!(receipt["status"], "0x1", "{receipt}");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn give_deposit(account: Address, wei: U256) {
    let data = Bytes::from(IEntryPoint::depositToCall { account }.abi_encode());
    mined(json!({"from": FAUCET, "to": ENTRY_POINT, "data": data, "value": wei})).await;
}

#[tokio::test]
async fn a_key_that_may_only_mint_pockets_all_that_is_said_to_be_at_stake_and_nothing_after_a_withdrawal() {
    let person = Person::new().await;
    give_ether(person.account(), ether()).await;
    person.grant(person.grant_request()).await.unwrap();
    let at_stake = funds(&person).await;
    assert_eq!(at_stake, NativeFunds { balance: ether(), deposit: U256::ZERO }, "the grant was sponsored");

    let thief = somebody();
    mined(bundle(dear_mint(&person, at_stake.total()).await, thief)).await;
    assert_eq!(person.nfts().await, 1, "the policy was kept");
    let (taken, left) = (ether_of(thief).await, funds(&person).await);
    println!("taken {taken}, left {left:?}");
    assert!(taken > at_stake.total() * U256::from(9) / U256::from(10) && taken + left.total() == at_stake.total());
    assert_eq!(left.balance, U256::ZERO);

    // What it left is with the entry point, and at stake like the rest. Withdrawn with the next grant, to the owner.
    give_ether(person.account(), ether()).await;
    let before = funds(&person).await;
    assert!(!before.deposit.is_zero());
    person.grant(withdrawing(&person)).await.unwrap();
    assert_eq!((funds(&person).await, ether_of(person.client.owner).await), (NativeFunds::default(), before.total()));
    let stolen = dear_mint(&person, ether()).await;
    let url = common::lab().await.info().rpc_url.expose().to_string();
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [bundle(stolen, thief), "latest"]});
    let answer: serde_json::Value =
        reqwest::Client::new().post(url).json(&body).send().await.unwrap().json().await.unwrap();
    // FailedOp with "AA21 didn't pay prefund"
    let reason = alloy::primitives::hex::encode("AA21 didn't pay prefund");
    assert!(answer["error"]["data"].as_str().unwrap().contains(&reason), "{answer}");
    // The honest use goes on, sponsored.
    person.use_session_with(person.mint_request()).await.unwrap();
    assert_eq!(person.nfts().await, 2);
}

#[tokio::test]
async fn a_grant_in_own_gas_withdraws_all_but_what_it_may_cost() {
    // The entry point takes the cost from the deposit first, and from the balance what is missing there.
    for deposit in [U256::ZERO, ether() / U256::from(1_000_000), ether()] {
        let person = Person::new().await;
        give_ether(person.account(), ether()).await;
        if !deposit.is_zero() {
            give_deposit(person.account(), deposit).await;
        }
        let request = CreateSessionVariables { options: Options::unsponsored(), ..withdrawing(&person) };
        let prepared = prepare_create_session(&person.client, &person.store, request).await.unwrap();
        let most = prepared.operation().required_prefund();
        let response = complete_create_session(&person.client, &person.store, prepared).await.unwrap();
        let receipt = person.settle(&response).await.unwrap();
        assert!(receipt.success);
        let (left, owner) = (funds(&person).await.total(), ether_of(person.client.owner).await);
        assert!(left <= most + most / U256::from(50), "{left} of {most}");
        assert_eq!(owner + left + receipt.actual_gas_cost, ether() + deposit);
    }
}

#[tokio::test]
async fn what_cannot_be_withdrawn_is_said_and_nothing_is_done_for_nothing() {
    let person = Person::new().await;
    let calls = async |person: &Person| {
        let prepared = prepare_create_session(&person.client, &person.store, withdrawing(person)).await?;
        Ok::<_, AppError>(decode_calls(&prepared.operation().user_operation.call_data).unwrap().len())
    };
    assert_eq!(calls(&person).await, Ok(2), "there is nothing: enable and set the root");
    give_ether(person.account(), ether()).await;
    assert_eq!(calls(&person).await, Ok(3));
    let batch = CreateBatchSessionVariables {
        policy: vec![person.mint_policy().into()],
        withdraw_native: true,
        ..Default::default()
    };
    let prepared = prepare_create_batch_session(&person.client, &person.store, batch).await.unwrap();
    let last = decode_calls(&prepared.operation().user_operation.call_data).unwrap().pop().unwrap();
    assert_eq!(last, Call { to: person.client.owner, value: ether(), data: Bytes::new() });

    // A sponsor that does not pay for it says so, and what helps; without it the grant is paid for.
    let narrow = "targets = []\nsession_setup = true\n[budgets]\nglobal_per_day = \"unlimited\"";
    let narrow = Arc::new(SponsorPolicy::parse(narrow, |_| None).unwrap());
    let url = actions_support::server_with(|config| config.sponsor_policy = Some(narrow)).await;
    let person = Person::at(HttpRelay::new(&url).unwrap().into());
    give_ether(person.account(), ether()).await;
    let Err(AppError::SponsorshipRefused { reason }) = calls(&person).await else { panic!("it is not paid for") };
    assert!(reason.contains("not among the policy's targets") && reason.contains("try without"), "{reason}");
    // A deposit alone leaves with the set-up of sessions.
    give_ether(person.account(), U256::ZERO).await;
    give_deposit(person.account(), U256::from(5)).await;
    assert_eq!(calls(&person).await, Ok(3));
    person.grant(person.grant_request()).await.unwrap();

    // Nobody keeps to a limit where one party has the key.
    let limited = CreateSessionVariables { max_operation_cost: Some(U256::ONE), ..person.grant_request() };
    let error = prepare_create_session(&person.client, &person.store, limited).await.unwrap_err();
    assert!(matches!(&error, AppError::InvalidInput { field, .. } if field == "maxOperationCost"), "{error}");
}

#[tokio::test]
async fn allowances_of_the_servers_token_paymaster_are_read() {
    let person = person_with(dollars(100)).await;
    let read =
        async |person: &Person| read_fee_funds(person.relay.as_ref(), person.account()).await.unwrap().allowances;
    assert_eq!(read(&person).await, Some(Vec::new()));
    let token = TokenParam::from(DEMO_TOKEN);
    let unlimited = PaymasterServiceData { max_approval: Some(true), ..Default::default() };
    let unlimited = BuildUserOpOptions { paymaster_service_data: Some(unlimited), ..none() };
    let _turn = PAYMASTER.lock().await;
    end(&person, send_gas_token_transaction(&person.client, &[mint_nft(&person)], &token, &unlimited).await).await;
    let found = read(&person).await.unwrap().remove(0);
    assert_eq!((found.token, found.spender, found.decimals), (DEMO_TOKEN, TOKEN_PAYMASTER, 6));
    assert!(found.amount.unwrap() > U256::MAX / U256::from(2));
    // A server that takes no tokens knows of none, and one that is gone is no "none".
    let url = actions_support::server_with(|config| config.token_paymaster = None).await;
    let elsewhere = HttpRelay::new(&url).unwrap();
    assert_eq!(read_fee_funds(&elsewhere, person.account()).await.unwrap().allowances, Some(Vec::new()));
}
