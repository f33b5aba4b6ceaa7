//! A Nexus account (entry point v0.7) pays its gas in tokens: never more is signed than was quoted.

use std::{cell::Cell, rc::Rc, time::Duration};

use use_aa::{
    actions::{
        account_kind::nexus::{self, NexusSessions, connect},
        create_session::CreateSessionVariables,
        enable_mode::EnableMode,
        fee_funds::read_native_funds_at,
        options::GasOffset,
        send_gas_token_transaction::SendGasTokenTransactionVariables,
    },
    client::{session_store::memory::MemorySessionStore, wallet::local::LocalWallet},
    protocol::{
        abi::IEntryPoint,
        entry_point::EntryPoint,
        nexus::{NexusRelease, NexusSetup},
        paymaster::approve_call,
        policy::{Condition, Policy},
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

/// What a V2 account does with gas in tokens a Nexus account does with the same variables. What differs is a step more.
#[tokio::test]
async fn an_approval_goes_before_and_owner_and_session_pay_in_tokens() {
    let relay = server().await;
    let wallet = Rc::new(LocalWallet::new(PrivateKeySigner::random(), 31_337));
    let (owner, _) = connect(wallet, relay.clone(), None, &nexus::owner_setup()).await.unwrap();
    let me = owner.account;
    let calls = vec![Person::mint_call(me)];
    let dollars_left = async || balance_of(relay.as_ref(), DEMO_TOKEN, me).await.unwrap();
    let minted = async || balance_of(relay.as_ref(), DEMO_NFT, me).await.unwrap().to::<u64>();
    let done = async |sent: UserOpResponse| {
        let receipt = wait_for_user_operation_receipt(relay.as_ref(), sent.user_op_hash, |_| {}).await.unwrap();
        assert!(receipt.success);
    };
    let approvals = Cell::new(0);
    let send = async |token_param: TokenParam, options: BuildUserOpOptions| {
        let variables = SendGasTokenTransactionVariables { calls: calls.clone(), token_param, options };
        nexus::send_gas_token_transaction(&owner, variables, &|_| approvals.set(approvals.get() + 1)).await
    };
    // Who has no tokens is not asked to approve any.
    let refused = send(DEMO_TOKEN.into(), none()).await.unwrap_err();
    assert!(matches!(refused, AppError::GasTokenRefused { .. }), "{refused:?}");
    assert_eq!((approvals.get(), owner.is_account_deployed().await.unwrap()), (0, false));

    give_tokens(me, dollars(1_000)).await;
    // A quote as the page has it: nobody names its paymaster.
    let quotes = get_token_fees(&owner, &calls, &none()).await.unwrap();
    let (spender, quote) = (quotes.token_paymaster_address, quotes.of(DEMO_TOKEN).unwrap().clone());
    let most = quote.max_gas_fee.scaled_up(6).unwrap();
    done(send(quote.into(), none()).await.unwrap()).await;
    let charged = dollars(1_000) - dollars_left().await;
    assert!(!charged.is_zero() && charged < most, "{charged} of {most}");
    assert_eq!((approvals.get(), minted().await), (1, 1));
    let left = allowance(relay.as_ref(), DEMO_TOKEN, me, spender).await.unwrap();
    assert!(left < most, "no more was approved than was quoted: {left}");
    // What is left does not suffice again. With `max_approval` it does from then on.
    let without_limit = PaymasterServiceData { max_approval: Some(true), ..PaymasterServiceData::default() };
    let without_limit = BuildUserOpOptions { paymaster_service_data: Some(without_limit), ..none() };
    done(send(DEMO_TOKEN.into(), without_limit).await.unwrap()).await;
    done(send(DEMO_TOKEN.into(), none()).await.unwrap()).await;
    assert_eq!((approvals.get(), minted().await), (2, 3));

    // A session: granted, and used by its key alone, with the fees in tokens; nobody has any ether.
    let in_tokens = merge_options([Options::gas_token_payment(), Options::preferred_token(DEMO_TOKEN)]);
    assert!(!get_gas_estimate(&owner, &calls, &in_tokens).await.unwrap().is_zero());
    let store = Rc::new(MemorySessionStore::new());
    let sessions = NexusSessions::new(owner.shared_kind(), relay.clone(), store);
    let mint = Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, me);
    let variables = CreateSessionVariables { policy: vec![mint], options: in_tokens.clone(), ..Default::default() };
    let before = dollars_left().await;
    done(nexus::create_session(&sessions, &owner, variables).await.unwrap()).await;
    let granted = dollars_left().await;
    let request =
        SendWithSessionRequest { account: me, calls: calls.clone(), options: in_tokens, ..Default::default() };
    done(nexus::send_with_session(&sessions, request.clone()).await.unwrap()).await;
    assert!(dollars_left().await < granted && granted < before, "fees were taken in tokens");
    assert_eq!((minted().await, ether_of(me).await), (4, U256::ZERO));
    // The owner's approval taken away, the session's key can pay in no token, and cannot approve any.
    let none_at_all = [approve_call(DEMO_TOKEN, spender, U256::ZERO)];
    done(send_transaction(&owner, &none_at_all, &Options::sponsored()).await.unwrap()).await;
    let refused = nexus::send_with_session(&sessions, request).await.unwrap_err();
    assert!(refused.to_string().contains("approve it with a transaction of the owner before"), "{refused}");
}

/// The account is created by the approval, and the grant goes on from there.
#[tokio::test]
async fn a_grant_whose_approval_is_missing_has_it_made_first() {
    let relay = server().await;
    let wallet = Rc::new(LocalWallet::new(PrivateKeySigner::random(), 31_337));
    let (owner, _) = connect(wallet, relay.clone(), None, &nexus::owner_setup()).await.unwrap();
    let me = owner.account;
    give_tokens(me, dollars(1_000)).await;
    let store = Rc::new(MemorySessionStore::new());
    let sessions = NexusSessions::new(owner.shared_kind(), relay.clone(), store);
    let mint = Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, me);
    let options = merge_options([Options::gas_token_payment(), Options::preferred_token(DEMO_TOKEN)]);
    let variables = CreateSessionVariables { policy: vec![mint], options, ..Default::default() };
    // Ahead of the click nothing is signed, so nothing is approved either.
    let grants = nexus::session_grants(variables).unwrap();
    let ahead = sessions.prepare_grant(&owner, grants.clone()).await.unwrap_err();
    assert!(matches!(ahead, AppError::GasTokenRefused { .. }), "{ahead:?}");
    let approvals = Cell::new(0);
    let count = |_: &UserOpResponse| approvals.set(approvals.get() + 1);
    let prepared = sessions.approve_and_prepare_grant(&owner, grants, &count).await.unwrap();
    let granted = sessions.complete_grant(&owner, prepared).await.unwrap();
    let hash = granted.response.user_op_hash;
    assert!(wait_for_user_operation_receipt(relay.as_ref(), hash, |_| {}).await.unwrap().success);
    assert_eq!((approvals.get(), sessions.ids_on_chain().await.unwrap()), (1, granted.ids));
    assert!(balance_of(relay.as_ref(), DEMO_TOKEN, me).await.unwrap() < dollars(1_000));
}

/// Sponsored or not: with the grant everything that a session's key could spend on fees goes to the owner.
#[tokio::test]
async fn a_grant_takes_the_native_currency_out_and_leaves_what_it_may_cost() {
    let relay = server().await;
    let give_deposit = async |account: Address, wei: U256| {
        let data = Bytes::from(IEntryPoint::depositToCall { account }.abi_encode());
        let to = EntryPoint::V07.address();
        rpc("eth_sendTransaction", json!([{"from": FAUCET, "to": to, "data": data, "value": wei}])).await;
        while read_native_funds_at(relay.as_ref(), EntryPoint::V07, account).await.unwrap().deposit.is_zero() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    for (options, deposit) in
        [(none(), U256::from(5)), (Options::unsponsored(), U256::ZERO), (Options::unsponsored(), ether())]
    {
        let is_sponsored = options == none();
        let wallet = Rc::new(LocalWallet::new(PrivateKeySigner::random(), 31_337));
        let (owner, _) = connect(wallet, relay.clone(), None, &nexus::owner_setup()).await.unwrap();
        let me = owner.account;
        give_ether(me, ether()).await;
        if !deposit.is_zero() {
            let _turn = FAUCET_TURN.lock().await;
            give_deposit(me, deposit).await;
        }
        let sessions = NexusSessions::new(owner.shared_kind(), relay.clone(), Rc::new(MemorySessionStore::new()));
        let mint = Policy::new(DEMO_NFT, "safeMint(address)").with_rule(0, Condition::Equal, me);
        let variables =
            CreateSessionVariables { policy: vec![mint], options, withdraw_native: true, ..Default::default() };
        // A signature sends nothing.
        let signed = CreateSessionVariables { enable: EnableMode::WithFirstUse, ..variables.clone() };
        let refused = nexus::create_session(&sessions, &owner, signed).await.unwrap_err();
        assert!(matches!(&refused, AppError::InvalidInput { field, .. } if field == "withdrawNative"), "{refused}");

        let prepared = sessions.prepare_grant(&owner, nexus::session_grants(variables).unwrap()).await.unwrap();
        let most = prepared.operation().required_prefund();
        let granted = sessions.complete_grant(&owner, prepared).await.unwrap();
        let hash = granted.response.user_op_hash;
        let receipt = wait_for_user_operation_receipt(relay.as_ref(), hash, |_| {}).await.unwrap();
        assert!(receipt.success);
        assert_eq!(sessions.ids_on_chain().await.unwrap(), granted.ids, "the same operation enabled it");
        let left = read_native_funds_at(relay.as_ref(), EntryPoint::V07, me).await.unwrap().total();
        let paid = if is_sponsored { U256::ZERO } else { receipt.actual_gas_cost };
        assert_eq!(ether_of(owner.owner).await + left + paid, ether() + deposit);
        match is_sponsored {
            true => assert_eq!(left, U256::ZERO),
            false => assert!(left <= most + most / U256::from(50), "{left} of {most}"),
        }
        // The honest use goes on, sponsored.
        let request = SendWithSessionRequest { account: me, calls: vec![Person::mint_call(me)], ..Default::default() };
        let used = nexus::send_with_session(&sessions, request).await.unwrap();
        assert!(wait_for_user_operation_receipt(relay.as_ref(), used.user_op_hash, |_| {}).await.unwrap().success);
    }
}
