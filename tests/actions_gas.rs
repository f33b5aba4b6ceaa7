//! Gas paid in a token, withdrawals, and what things cost: natively against the real server and the real lab.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use alloy::{
    primitives::{Address, Bytes, U256, address},
    signers::local::PrivateKeySigner,
    sol,
    sol_types::SolCall,
};
use serde_json::json;
use tokio::sync::Mutex;
use use_aa::{
    actions::{
        deploy::deploy_smart_account,
        gas_estimate::get_gas_estimate,
        options::{BuildUserOpOptions, Options, PaymasterServiceData, merge_options},
        ports::Relay,
        send_gas_token_transaction::{TokenParam, send_gas_token_transaction},
        send_transaction::{complete_transaction, prepare_transaction, send_transaction},
        send_with_session::{SendWithSessionRequest, prepare_send_with_session},
        send_withdrawals::{WithdrawalRequest, send_withdrawals},
        token::{allowance, balance_of},
        token_fees::get_token_fees,
        wait_for_user_operation_receipt::wait_for_user_operation_receipt,
    },
    error::AppError,
    protocol::{
        addresses::{DEMO_NFT, DEMO_TOKEN, ENTRY_POINT, NATIVE_TOKEN, TOKEN_PAYMASTER},
        paymaster::{FeeQuote, TokenPaymasterData},
        rpc::{PaymasterMode, UserOpReceipt},
        smart_account::{Call, decode_calls},
        user_op_response::UserOpResponse,
    },
};

mod actions_support;
#[path = "actions_gas/bundlers.rs"]
mod bundlers;
#[path = "actions_gas/nexus_bundlers.rs"]
mod nexus_bundlers;
#[path = "actions_gas/nexus_fees.rs"]
mod nexus_fees;
#[path = "actions_gas/session_fees.rs"]
mod session_fees;
#[path = "actions_gas/stubborn_token.rs"]
mod stubborn_token;
use actions_support::{Person, common, now};

/// Account 1 of the test mnemonic, which anvil signs for.
const FAUCET: Address = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");

sol! {
    function mint(address to, uint256 value);
}

/// The paymaster's balances are everybody's: who looks at them takes turns.
static PAYMASTER: Mutex<()> = Mutex::const_new(());

fn dollars(number: u64) -> U256 {
    U256::from(number) * U256::from(1_000_000)
}

fn ether() -> U256 {
    U256::from(10).pow(U256::from(18))
}

/// An address that nobody has used.
fn somebody() -> Address {
    PrivateKeySigner::random().address()
}

async fn rpc(method: &str, params: serde_json::Value) -> serde_json::Value {
    common::rpc(common::lab().await.info().rpc_url.expose().as_str(), method, params).await
}

/// One faucet, one nonce after the other.
static FAUCET_TURN: Mutex<()> = Mutex::const_new(());

async fn give_tokens(to: Address, value: U256) {
    let _turn = FAUCET_TURN.lock().await;
    let data = Bytes::from(mintCall { to, value }.abi_encode());
    let hash = rpc("eth_sendTransaction", json!([{"from": FAUCET, "to": DEMO_TOKEN, "data": data}])).await;
    while rpc("eth_getTransactionReceipt", json!([hash])).await.is_null() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn give_ether(to: Address, wei: U256) {
    rpc("anvil_setBalance", json!([to, wei])).await;
}

/// Somebody whose account holds this many demo dollars and no ether.
async fn person_with(amount: U256) -> Person {
    let person = Person::new().await;
    give_tokens(person.account(), amount).await;
    person
}

async fn tokens(person: &Person, of: Address) -> U256 {
    balance_of(person.relay.as_ref(), DEMO_TOKEN, of).await.unwrap()
}

async fn ether_of(of: Address) -> U256 {
    serde_json::from_value(rpc("eth_getBalance", json!([of, "latest"])).await).unwrap()
}

/// What the entry point holds for the token paymaster, wei.
async fn deposit(person: &Person) -> U256 {
    balance_of(person.relay.as_ref(), ENTRY_POINT, TOKEN_PAYMASTER).await.unwrap()
}

async fn end(person: &Person, sent: Result<UserOpResponse, AppError>) -> UserOpReceipt {
    let response = sent.unwrap();
    wait_for_user_operation_receipt(person.relay.as_ref(), response.user_op_hash, |_| {}).await.unwrap()
}

fn mint_nft(person: &Person) -> Call {
    Person::mint_call(person.account())
}

fn none() -> BuildUserOpOptions {
    BuildUserOpOptions::default()
}

async fn quote(person: &Person, calls: &[Call]) -> FeeQuote {
    let fees = get_token_fees(&person.client, calls, &none()).await.unwrap();
    assert_eq!(fees.token_paymaster_address, TOKEN_PAYMASTER);
    fees.of(DEMO_TOKEN).unwrap().clone()
}

fn refusal(result: Result<impl std::fmt::Debug, AppError>) -> String {
    match result {
        Err(AppError::GasTokenRefused { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_gas_is_taken_in_the_token_and_the_ether_stays() {
    let person = person_with(dollars(100)).await;
    let _turn = PAYMASTER.lock().await;
    let quoted = quote(&person, &[mint_nft(&person)]).await.max_gas_fee.scaled_up(6).unwrap();
    let (receiver_before, deposit_before) = (tokens(&person, TOKEN_PAYMASTER).await, deposit(&person).await);
    let token = TokenParam::from(DEMO_TOKEN);
    let sent = send_gas_token_transaction(&person.client, &[mint_nft(&person)], &token, &none()).await;
    let receipt = end(&person, sent).await;
    assert_eq!(person.nfts().await, 1);
    let charged = dollars(100) - tokens(&person, person.account()).await;
    assert!(!charged.is_zero() && charged <= quoted, "{charged} of {quoted}");
    assert_eq!(tokens(&person, TOKEN_PAYMASTER).await - receiver_before, charged);
    // The paymaster paid the ether, and got at least its price: 2,500 dollars per ether and 5 %.
    let paid = deposit_before - deposit(&person).await;
    assert_eq!(paid, receipt.actual_gas_cost);
    let price = paid * U256::from(2_500_000_000_u64) / ether() * U256::from(105) / U256::from(100);
    assert!(charged >= price, "{charged} for {price}");
    assert_eq!(ether_of(person.account()).await, U256::ZERO);
}

#[tokio::test]
async fn a_quote_that_was_shown_is_the_most_that_is_paid() {
    let person = person_with(dollars(100)).await;
    let _turn = PAYMASTER.lock().await;
    let calls = [mint_nft(&person), mint_nft(&person)];
    let quote = quote(&person, &calls).await;
    let most = quote.max_gas_fee.scaled_up(6).unwrap();
    end(&person, send_gas_token_transaction(&person.client, &calls, &quote.into(), &none()).await).await;
    assert_eq!(person.nfts().await, 2);
    let charged = dollars(100) - tokens(&person, person.account()).await;
    let left = allowance(person.relay.as_ref(), DEMO_TOKEN, person.account(), TOKEN_PAYMASTER).await.unwrap();
    assert_eq!(left, most - charged, "exactly the quote was approved");
}

#[tokio::test]
async fn an_approval_is_sent_only_when_it_is_missing() {
    let person = person_with(dollars(100)).await;
    let _turn = PAYMASTER.lock().await;
    let token = TokenParam::from(DEMO_TOKEN);
    let unlimited = PaymasterServiceData { max_approval: Some(true), ..Default::default() };
    let unlimited = BuildUserOpOptions { paymaster_service_data: Some(unlimited), ..none() };
    let prepare = |calls: Vec<Call>, options: BuildUserOpOptions| {
        let options = token.options(&options);
        let client = person.client.clone();
        async move { prepare_transaction(&client, &calls, &options).await.unwrap() }
    };
    let first = prepare(vec![mint_nft(&person)], unlimited.clone()).await;
    let calls = decode_calls(&first.user_operation.call_data).unwrap();
    assert_eq!((calls.len(), calls[0].to, calls[1].to), (2, DEMO_TOKEN, DEMO_NFT));
    end(&person, complete_transaction(&person.client, &first).await).await;
    let left = allowance(person.relay.as_ref(), DEMO_TOKEN, person.account(), TOKEN_PAYMASTER).await.unwrap();
    assert_eq!(left, U256::MAX);
    let second = prepare(vec![mint_nft(&person)], none()).await;
    assert_eq!(decode_calls(&second.user_operation.call_data).unwrap(), [mint_nft(&person)]);
    let terms = TokenPaymasterData::decode(&second.user_operation.paymaster_and_data).unwrap();
    assert_eq!(second.sponsored_until(), Some(terms.valid_until));
    end(&person, complete_transaction(&person.client, &second).await).await;
    assert_eq!(person.nfts().await, 2);
}

#[tokio::test]
async fn who_cannot_pay_in_the_token_is_told_before_anything_is_sent() {
    let person = person_with(U256::from(10)).await;
    let calls = [mint_nft(&person)];
    let send = async |token: TokenParam| send_gas_token_transaction(&person.client, &calls, &token, &none()).await;
    assert!(refusal(send(DEMO_TOKEN.into()).await).contains("holds 0.00001 DUSD"));
    assert!(refusal(send(DEMO_NFT.into()).await).contains("does not take"));
    let zero = send(Address::ZERO.into()).await.unwrap_err();
    assert!(matches!(zero, AppError::InvalidInput { field, .. } if field == "preferredToken"));
    // docs/protocol.md 10-S10: `@biconomy/use-aa` sends it without a paymaster
    let neither = send_transaction(&person.client, &calls, &Options::gas_token_payment()).await;
    assert!(refusal(neither).contains("neither"));
    let good = quote(&person, &calls).await;
    let old = FeeQuote { valid_until: Some(now() - 3_600), ..good.clone() };
    assert!(matches!(send(old.into()).await, Err(AppError::FeeQuoteExpired { .. })));
    give_tokens(person.account(), dollars(100)).await;
    let low = FeeQuote { max_gas_fee: "0.000001".parse().unwrap(), ..good };
    assert!(refusal(send(low.into()).await).contains("may take 0.000001"));
    // An operation that only deploys has no calls to approve with.
    let deploy = deploy_smart_account(&person.client, &TokenParam::from(DEMO_TOKEN).options(&none())).await;
    assert!(refusal(deploy).contains("only deploys"));
    assert_eq!((person.operations().await, person.wallet.signed.get()), (0, 0));
}

#[tokio::test]
async fn a_session_pays_in_the_token_once_the_owner_has_approved() {
    let person = person_with(dollars(100)).await;
    person.grant(person.grant_request()).await.unwrap();
    let _turn = PAYMASTER.lock().await;
    let options = TokenParam::from(DEMO_TOKEN).options(&none());
    let request = || SendWithSessionRequest { options: options.clone(), ..person.mint_request() };
    let use_it = prepare_send_with_session(person.relay.as_ref(), &person.store, request());
    assert!(refusal(use_it.await.map(drop)).contains("approve it with a transaction of the owner"));
    let unlimited = PaymasterServiceData { max_approval: Some(true), ..Default::default() };
    let unlimited = BuildUserOpOptions { paymaster_service_data: Some(unlimited), ..none() };
    let token = TokenParam::from(DEMO_TOKEN);
    end(&person, send_gas_token_transaction(&person.client, &[mint_nft(&person)], &token, &unlimited).await).await;
    let before = tokens(&person, person.account()).await;
    person.use_session_with(request()).await.unwrap();
    assert_eq!(person.nfts().await, 2);
    assert!(tokens(&person, person.account()).await < before);
}

#[tokio::test]
async fn each_withdrawal_goes_to_its_own_recipient() {
    let person = person_with(dollars(7)).await;
    give_ether(person.account(), ether()).await;
    let [alice, bob, carol] = [(); 3].map(|()| somebody());
    let request = |address, amount: Option<U256>, recipient| WithdrawalRequest { address, amount, recipient };
    // docs/protocol.md 10-S9: one amount is missing, and the recipients are kept all the same; 0 stays 0
    let requests = [
        request(NATIVE_TOKEN, Some(U256::from(5)), Some(alice)),
        request(DEMO_TOKEN, Some(U256::ZERO), Some(bob)),
        request(DEMO_TOKEN, Some(dollars(3)), Some(alice)),
        request(NATIVE_TOKEN, Some(U256::from(6)), None),
    ];
    end(&person, send_withdrawals(&person.client, &requests, Some(carol), &Options::sponsored()).await).await;
    assert_eq!((tokens(&person, alice).await, tokens(&person, bob).await), (dollars(3), U256::ZERO));
    assert_eq!((ether_of(alice).await, ether_of(carol).await), (U256::from(5), U256::from(6)));
    let requests = [request(DEMO_TOKEN, None, Some(bob)), request(NATIVE_TOKEN, Some(U256::from(1)), Some(alice))];
    end(&person, send_withdrawals(&person.client, &requests, None, &Options::sponsored()).await).await;
    assert_eq!((tokens(&person, bob).await, tokens(&person, person.account()).await), (dollars(4), U256::ZERO));
    // All of the ether, and the owner is the recipient when nobody is named.
    let owner_before = ether_of(person.client.owner).await;
    end(&person, send_withdrawals(&person.client, &[], None, &Options::sponsored()).await).await;
    assert_eq!(ether_of(person.account()).await, U256::ZERO);
    assert_eq!(ether_of(person.client.owner).await - owner_before, ether() - U256::from(12));
}

#[tokio::test]
async fn all_of_the_ether_leaves_what_the_gas_costs() {
    let person = Person::new().await;
    give_ether(person.account(), ether()).await;
    let bob = somebody();
    let requests = [WithdrawalRequest { recipient: Some(bob), ..WithdrawalRequest::all(NATIVE_TOKEN) }];
    let receipt = end(&person, send_withdrawals(&person.client, &requests, None, &none()).await).await;
    let got = ether_of(bob).await;
    let most = ether() - receipt.actual_gas_cost;
    assert!(got <= most && got > ether() * U256::from(98) / U256::from(100), "{got} of {most}");
    // What is left on the account and with the entry point is less than the gas once more.
    let poor = Person::new().await;
    give_ether(poor.account(), U256::from(1_000)).await;
    let error = send_withdrawals(&poor.client, &requests, None, &none()).await.unwrap_err();
    assert!(matches!(&error, AppError::InvalidInput { field, .. } if field == "balance"), "{error}");
}

#[tokio::test]
async fn withdrawals_that_cannot_be_are_refused_by_name() {
    let person = person_with(dollars(5)).await;
    give_ether(person.account(), U256::from(10)).await;
    let field = async |requests: &[WithdrawalRequest], options: BuildUserOpOptions| match send_withdrawals(
        &person.client,
        requests,
        None,
        &options,
    )
    .await
    {
        Err(AppError::InvalidInput { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    let all = WithdrawalRequest::all;
    let nobody = WithdrawalRequest { recipient: Some(Address::ZERO), ..all(DEMO_TOKEN) };
    assert_eq!(field(&[nobody], Options::sponsored()).await, "recipient");
    assert_eq!(field(&[all(Address::ZERO)], Options::sponsored()).await, "address");
    assert_eq!(field(&[all(NATIVE_TOKEN), all(NATIVE_TOKEN)], Options::sponsored()).await, "withdrawalRequests");
    let much = WithdrawalRequest { amount: Some(U256::from(11)), ..all(NATIVE_TOKEN) };
    assert_eq!(field(&[much], Options::sponsored()).await, "amount");
    let in_token = TokenParam::from(DEMO_TOKEN).options(&none());
    assert_eq!(field(&[all(DEMO_TOKEN)], in_token).await, "amount");
    assert_eq!(person.operations().await, 0);
}

#[tokio::test]
async fn an_estimate_is_the_prefund_and_needs_no_funds() {
    let person = person_with(dollars(100)).await;
    let calls = [mint_nft(&person)];
    let own = get_gas_estimate(&person.client, &calls, &none()).await.unwrap();
    let options = Options::sponsored();
    let before = get_gas_estimate(&person.client, &calls, &options).await.unwrap();
    let sponsored = prepare_transaction(&person.client, &calls, &options).await.unwrap();
    let after = get_gas_estimate(&person.client, &calls, &options).await.unwrap();
    assert!(!own.is_zero() && own < before.max(after), "validation counts threefold: {own} {before} {after}");
    // Other tests make blocks meanwhile, and each moves the base fee by up to an eighth.
    let (low, high) = (before.min(after), before.max(after));
    let prefund = sponsored.required_prefund();
    let near = low * U256::from(7) / U256::from(8)..=high * U256::from(9) / U256::from(8);
    assert!(near.contains(&prefund), "{prefund} against {before} and {after}");
    // enough for the real thing
    give_ether(person.account(), own * U256::from(11) / U256::from(10)).await;
    end(&person, send_transaction(&person.client, &calls, &none()).await).await;
    assert_eq!(person.wallet.signed.get(), 1, "estimates are not signed");
}

#[tokio::test]
async fn quotes_name_what_is_not_taken() {
    let person = Person::new().await;
    let calls = [mint_nft(&person)];
    let fees = get_token_fees(&person.client, &calls, &Options::preferred_token(DEMO_NFT)).await.unwrap();
    assert_eq!((fees.fee_quotes.len(), fees.unsupported_tokens), (0, vec![DEMO_NFT]));
    let quote = quote(&person, &calls).await;
    assert_eq!((quote.symbol.as_str(), quote.decimal), ("DUSD", 6));
    assert_eq!(quote.premium_percentage.unwrap().to_string(), "5");
    assert!(quote.valid_until.unwrap() > now());
    let long = PaymasterServiceData { expiry_duration: Some(3_601), ..Default::default() };
    let long = BuildUserOpOptions { paymaster_service_data: Some(long), ..none() };
    let error = get_token_fees(&person.client, &calls, &merge_options([long])).await.unwrap_err();
    assert!(matches!(error, AppError::InvalidInput { field, .. } if field == "context.expiryDuration"));
    assert_eq!(PaymasterMode::Erc20.name(), "ERC20");
    assert_eq!(person.relay.chain_info().await.unwrap().chain_id, 31_337);
}
