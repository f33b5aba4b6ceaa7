//! A token that refuses to change an allowance from one amount to another, as USD₮ does on its main chain, pays for gas
//! again and again; and the honest token beside it.

use std::sync::Arc;

use use_aa::{
    client::relay_native::HttpRelay,
    protocol::{abi::IErc20, paymaster::approve_call},
    server::{config::FeeToken, sponsor::SponsorPolicy},
};

use super::*;

/// Mints that cost more than what a first operation with its deployment leaves of its quote.
const MANY: usize = 24;
const STUBBORN: Address = Address::repeat_byte(0x5b);
/// Nothing but the mint is a target: approvals get through by the exemption alone.
const POLICY: &str = "modes = [\"ERC20\"]\n[[targets]]\naddress = \"0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e\"\n\
    [budgets]\nglobal_per_day = \"10 ether\"";

/// At a server that takes both tokens; the account holds some of each.
async fn person() -> Person {
    let rpc_url = common::lab().await.info().rpc_url.expose().to_string();
    common::place(&rpc_url, "StubbornToken", STUBBORN).await;
    let policy = Arc::new(SponsorPolicy::parse(POLICY, |_| None).unwrap());
    let url = actions_support::server_with(|config| {
        config.sponsor_policy = Some(policy);
        let tokens = &mut config.token_paymaster.as_mut().unwrap().tokens;
        let dollar = tokens[0].clone();
        tokens.push(FeeToken { symbol: "USDX".into(), address: STUBBORN, ..dollar });
    })
    .await;
    let person = Person::at(HttpRelay::new(&url).unwrap().into());
    give_tokens(person.account(), dollars(500)).await;
    let data = Bytes::from(mintCall { to: person.account(), value: dollars(500) }.abi_encode());
    let _turn = FAUCET_TURN.lock().await;
    let hash = rpc("eth_sendTransaction", json!([{"from": FAUCET, "to": STUBBORN, "data": data}])).await;
    while rpc("eth_getTransactionReceipt", json!([hash])).await.is_null() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    person
}

async fn left(person: &Person, token: Address) -> U256 {
    allowance(person.relay.as_ref(), token, person.account(), TOKEN_PAYMASTER).await.unwrap()
}

/// The amounts that an operation approves for the paymaster, in their order, and how many calls it has.
async fn approvals(person: &Person, token: Address, calls: &[Call]) -> (Vec<U256>, usize) {
    let options = TokenParam::from(token).options(&none());
    let prepared = prepare_transaction(&person.client, calls, &options).await.unwrap();
    let calls = decode_calls(&prepared.user_operation.call_data).unwrap();
    let amounts = calls.iter().filter(|call| call.to == token).map(|call| {
        let approve = IErc20::approveCall::abi_decode(&call.data).unwrap();
        assert_eq!((approve.spender, call.value), (TOKEN_PAYMASTER, U256::ZERO));
        approve.amount
    });
    (amounts.collect(), calls.len())
}

#[tokio::test]
async fn what_is_left_of_an_allowance_is_set_to_nothing_where_the_token_wants_that() {
    let person = person().await;
    let _turn = PAYMASTER.lock().await;
    let one = [mint_nft(&person)];
    let dearer: Vec<Call> = (0..MANY).map(|_| mint_nft(&person)).collect();
    for (token, second) in [(STUBBORN, 2), (DEMO_TOKEN, 1)] {
        // The first payment leaves something: what was quoted is more than what was charged.
        let (amounts, calls) = approvals(&person, token, &one).await;
        assert_eq!((amounts.len(), calls), (1, 2), "nothing is allowed yet");
        end(&person, send_gas_token_transaction(&person.client, &one, &token.into(), &none()).await).await;
        let rest = left(&person, token).await;
        assert!(!rest.is_zero(), "{token}");

        // The second is dearer than that; a quote that was shown is kept, approvals and all.
        let (amounts, calls) = approvals(&person, token, &dearer).await;
        assert_eq!((amounts.len(), calls), (second, second + MANY), "{token}");
        assert!(amounts[second - 1] > rest && (second == 1 || amounts[0].is_zero()));
        let fees = get_token_fees(&person.client, &dearer, &none()).await.unwrap();
        let quote = fees.of(token).unwrap().clone();
        let most = quote.max_gas_fee.scaled_up(6).unwrap();
        let held = balance_of(person.relay.as_ref(), token, person.account()).await.unwrap();
        let receipt =
            end(&person, send_gas_token_transaction(&person.client, &dearer, &quote.into(), &none()).await).await;
        assert!(receipt.success, "{token}");
        let charged = held - balance_of(person.relay.as_ref(), token, person.account()).await.unwrap();
        assert!(!charged.is_zero() && charged <= most);
        assert_eq!(left(&person, token).await, most - charged, "exactly the quote was approved");

        // Where what is left is enough, nothing is approved.
        let unlimited = PaymasterServiceData { max_approval: Some(true), ..Default::default() };
        let unlimited = BuildUserOpOptions { paymaster_service_data: Some(unlimited), ..none() };
        let (amounts, _) = approvals(&person, token, &dearer).await;
        assert_eq!(amounts.len(), second, "less is left than that costs");
        end(&person, send_gas_token_transaction(&person.client, &dearer, &token.into(), &unlimited).await).await;
        assert!(left(&person, token).await > U256::MAX / U256::from(2));
        assert_eq!(approvals(&person, token, &one).await, (Vec::new(), 1));
    }
    assert_eq!(person.nfts().await, 2 * (1 + 2 * MANY as u64));
}

/// The policy names no function of the token: what is more than the fee's approval is not paid for.
#[tokio::test]
async fn nothing_but_the_fees_own_approvals_is_exempt() {
    let person = person().await;
    let approve = |spender: Address, amount: u64| approve_call(DEMO_TOKEN, spender, U256::from(amount));
    let nothing = || approve(TOKEN_PAYMASTER, 0);
    let fee = || approve(TOKEN_PAYMASTER, 400_000_000);
    let options = TokenParam::from(DEMO_TOKEN).options(&none());
    let send = async |calls: Vec<Call>| {
        let calls = [calls, vec![mint_nft(&person)]].concat();
        prepare_transaction(&person.client, &calls, &options).await.map(drop)
    };
    for (calls, what) in [
        (vec![nothing(), approve(Address::repeat_byte(9), 0), fee()], "another spender's nothing"),
        (vec![fee(), fee()], "twice"),
        (vec![nothing(), nothing(), fee()], "nothing twice"),
        (vec![fee(), nothing(), fee()], "once more"),
        (vec![nothing(), Call { data: [&fee().data[..], &[0]].concat().into(), ..fee() }, fee()], "not canonical"),
        (vec![approve_call(STUBBORN, TOKEN_PAYMASTER, U256::ZERO), fee()], "another token"),
    ] {
        let Err(told) = send(calls).await else { panic!("{what}") };
        let told = told.to_string();
        assert!(told.contains("not among the policy's targets"), "{what}: {told}");
    }
    // Apps that approve by themselves, nothing first or not.
    send(vec![nothing(), fee()]).await.unwrap();
    send(vec![mint_nft(&person), fee()]).await.unwrap();
}
