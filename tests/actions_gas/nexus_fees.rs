//! A Nexus account (entry point v0.7) pays its gas in tokens: never more is signed than was quoted.

use std::rc::Rc;

use use_aa::{
    actions::{account_kind::nexus::connect, options::GasOffset},
    client::wallet::local::LocalWallet,
    protocol::{
        nexus::{NexusRelease, NexusSetup},
        paymaster::approve_call,
    },
};

use super::*;
use actions_support::server;

#[tokio::test]
async fn what_is_charged_for_is_within_the_quote() {
    let relay = server().await;
    let wallet = Rc::new(LocalWallet::new(PrivateKeySigner::random(), 31_337));
    let setup = NexusSetup::new(NexusRelease::Modulekit0_5_9);
    let (client, account) = connect(wallet, relay.clone(), None, &setup).await.unwrap();
    give_tokens(account.address, dollars(1_000)).await;
    let calls = [Person::mint_call(account.address)];
    let mined = async |sent: Result<UserOpResponse, AppError>| {
        let receipt = wait_for_user_operation_receipt(relay.as_ref(), sent.unwrap().user_op_hash, |_| {}).await;
        assert!(receipt.unwrap().success);
    };
    let quotes = get_token_fees(&client, &calls, &none()).await.unwrap();
    let spender = quotes.token_paymaster_address;
    // The fee is taken before the calls: the approval is a step of its own.
    let approve = [approve_call(DEMO_TOKEN, spender, U256::MAX)];
    mined(send_transaction(&client, &approve, &Options::sponsored()).await).await;

    let raised = GasOffset {
        verification_gas_limit_offset_pct: Some(100),
        call_gas_limit_offset_pct: Some(20),
        pre_verification_gas_offset_pct: Some(10),
        max_fee_per_gas_offset_pct: Some(10),
        ..GasOffset::default()
    };
    let raised = BuildUserOpOptions { gas_offset: Some(raised), ..none() };
    for (options, many) in [(none(), 1), (raised, 1), (none(), 5)] {
        let calls = vec![calls[0].clone(); many];
        let quote = get_token_fees(&client, &calls, &options).await.unwrap().of(DEMO_TOKEN).unwrap().clone();
        let by_spender = PaymasterServiceData { spender: Some(spender), ..PaymasterServiceData::default() };
        let quoted = BuildUserOpOptions { paymaster_service_data: Some(by_spender), ..options.clone() };
        let most = quote.max_gas_fee.scaled_up(6).unwrap();
        for (param, options) in [(TokenParam::from(quote), &quoted), (TokenParam::from(DEMO_TOKEN), &options)] {
            let before = balance_of(relay.as_ref(), DEMO_TOKEN, account.address).await.unwrap();
            mined(send_gas_token_transaction(&client, &calls, &param, options).await).await;
            let charged = before - balance_of(relay.as_ref(), DEMO_TOKEN, account.address).await.unwrap();
            assert!(!charged.is_zero() && charged < most, "{charged} of {most}");
        }
    }
}
