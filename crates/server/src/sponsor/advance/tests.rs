//! Advances in a database, without a chain.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use alloy::primitives::{Address, B256, U256};

use super::super::policy::AdvanceLimits;
use super::{
    AdvanceRequest,
    ledger::{Charge, Debt, Mined, Obstacle, Reserved},
};
use crate::{database::Database, sponsor::ledger::Decision};
use use_aa_protocol::entry_point::EntryPoint;

const CHAIN: u64 = 31_337;
const NOW: u64 = 1_790_000_000;
const ACCOUNT: Address = Address::repeat_byte(1);
const TOKEN: Address = Address::repeat_byte(2);
const PAYMASTER: Address = Address::repeat_byte(3);
const UNLIMITED: AdvanceLimits = AdvanceLimits { account: None, caller: None, total: None };

fn gwei(number: u64) -> U256 {
    U256::from(number) * U256::from(1_000_000_000_u64)
}

fn wanted(account: Address, nonce: u64) -> AdvanceRequest {
    AdvanceRequest { entry_point: EntryPoint::V06, account, token: TOKEN, nonce: U256::from(nonce) }
}

async fn ask_with(
    database: &Database,
    wanted: AdvanceRequest,
    hash: u8,
    cost: u64,
    limits: &AdvanceLimits,
) -> Reserved {
    ask_for(database, wanted, hash, cost, limits, 300).await
}

async fn ask_for(
    database: &Database,
    wanted: AdvanceRequest,
    hash: u8,
    cost: u64,
    limits: &AdvanceLimits,
    seconds: u64,
) -> Reserved {
    let decision = Decision {
        chain_id: CHAIN,
        entry_point: EntryPoint::V06,
        decided_at: NOW,
        mode: "ERC20",
        account: wanted.account,
        nonce: wanted.nonce,
        user_op_hash: B256::repeat_byte(hash),
        max_cost: gwei(cost),
        policy_version: "test".into(),
        api_key: None,
        webhooks: None,
        valid_until: NOW + seconds,
        paymaster: Some(PAYMASTER),
        caller: Some([10, 0, 0, 1].into()),
    };
    database.advance(&wanted, &decision, U256::from(1_000), (limits, Some(4))).await.unwrap()
}

async fn ask(database: &Database, wanted: AdvanceRequest, hash: u8) -> Reserved {
    ask_with(database, wanted, hash, 10, &UNLIMITED).await
}

fn mined(hash: u8, nonce: u64, charge: Charge) -> Mined {
    let user_op_hash = B256::repeat_byte(hash);
    Mined { account: ACCOUNT, nonce: U256::from(nonce), user_op_hash, cost: gwei(4), block: 100, charge }
}

fn waits(nonce: u64) -> Reserved {
    Reserved::Refused(Obstacle::Waits { nonce: U256::from(nonce), until: NOW + 300 })
}

fn memory() -> Database {
    Database::at("sqlite::memory:").unwrap()
}

#[tokio::test]
async fn one_signature_of_an_account_and_token_is_open() {
    let database = memory();
    assert_eq!(ask(&database, wanted(ACCOUNT, 7), 1).await, Reserved::Yes);
    assert_eq!(ask(&database, wanted(ACCOUNT, 7), 1).await, Reserved::Yes, "the very same");
    assert_eq!(ask(&database, wanted(ACCOUNT, 7), 2).await, Reserved::Yes, "the same nonce is no second one");
    assert_eq!(ask(&database, wanted(ACCOUNT, 8), 3).await, waits(7));
    let other_token = AdvanceRequest { token: PAYMASTER, ..wanted(ACCOUNT, 8) };
    assert_eq!(ask(&database, other_token, 4).await, Reserved::Yes, "another balance");
    assert_eq!(ask(&database, wanted(PAYMASTER, 8), 5).await, Reserved::Yes, "another account");
    assert_eq!(ask(&database, wanted(TOKEN, 8), 8).await, Reserved::Yes);
    let crowded = Reserved::Crowded { most: 4 };
    assert_eq!(
        ask(&database, wanted(Address::ZERO, 8), 9).await,
        crowded,
        "strangers' accounts cannot be held at will"
    );
    // The first of the two with the nonce 7 was mined, and charged.
    assert!(!database.advance_mined(CHAIN, &mined(1, 7, Charge::Taken)).await.unwrap());
    assert_eq!(ask(&database, wanted(ACCOUNT, 9), 6).await, Reserved::Yes);
    let told = waits(9);
    let Reserved::Refused(obstacle) = told else { panic!("{told:?}") };
    assert!(obstacle.to_string().contains("nonce 9 waits") && obstacle.to_string().contains("1790000300"));
}

#[tokio::test]
async fn an_account_that_could_not_be_charged_owes_until_it_pays() {
    let database = memory();
    assert_eq!(ask(&database, wanted(ACCOUNT, 7), 1).await, Reserved::Yes);
    let uncharged = mined(1, 7, Charge::Due(Some(U256::from(600))));
    assert!(database.advance_mined(CHAIN, &uncharged).await.unwrap());
    assert!(!database.advance_mined(CHAIN, &uncharged).await.unwrap(), "told twice, owed once");
    let debt = Debt { token: TOKEN, owed: U256::from(600), paymaster: PAYMASTER };
    let owes = Obstacle::Owes(debt);
    assert!(owes.to_string().contains(&format!("owes 600 of the smallest units of {TOKEN}")), "{owes}");
    assert!(owes.to_string().contains(&PAYMASTER.to_string()), "{owes}");
    let other_token = AdvanceRequest { token: PAYMASTER, ..wanted(ACCOUNT, 8) };
    for wanted in [wanted(ACCOUNT, 8), wanted(ACCOUNT, 7), other_token] {
        assert_eq!(database.advance_obstacle(CHAIN, &wanted).await.unwrap(), Some(owes.clone()));
        assert_eq!(ask(&database, wanted, 2).await, Reserved::Refused(owes.clone()));
    }
    assert_eq!(database.debtors(CHAIN).await.unwrap(), [(ACCOUNT, TOKEN, PAYMASTER)]);
    // It does not run out.
    database.lapse_advances(CHAIN, NOW + 1_000_000, true).await.unwrap();
    let pay = |amount: u64, block: u64| database.debt_paid(CHAIN, ACCOUNT, TOKEN, U256::from(amount), block);
    assert!(!pay(599, 101).await.unwrap(), "too little");
    assert!(!pay(600, 100).await.unwrap(), "before it was owed");
    assert!(!database.debt_paid(CHAIN, PAYMASTER, TOKEN, U256::from(600), 101).await.unwrap(), "another's");
    assert!(pay(600, 101).await.unwrap());
    assert!(!pay(600, 101).await.unwrap());
    assert_eq!(ask(&database, wanted(ACCOUNT, 8), 3).await, Reserved::Yes);
    // The blocks are read again: what was paid is not owed once more.
    assert!(!database.advance_mined(CHAIN, &uncharged).await.unwrap());
    assert_eq!(database.debtors(CHAIN).await.unwrap(), []);
}

#[tokio::test]
async fn a_charge_that_a_reorganisation_brought_ends_the_debt() {
    let database = memory();
    assert_eq!(ask(&database, wanted(ACCOUNT, 7), 1).await, Reserved::Yes);
    assert!(database.advance_mined(CHAIN, &mined(1, 7, Charge::Due(None))).await.unwrap());
    let Some(Obstacle::Owes(debt)) = database.advance_obstacle(CHAIN, &wanted(ACCOUNT, 8)).await.unwrap() else {
        panic!("nothing is owed")
    };
    assert_eq!(debt.owed, U256::from(1_000), "the most that it could be charged, when nobody says how much");
    assert!(!database.advance_mined(CHAIN, &mined(1, 7, Charge::Taken)).await.unwrap());
    assert_eq!(database.advance_obstacle(CHAIN, &wanted(ACCOUNT, 8)).await.unwrap(), None);
}

#[tokio::test]
async fn what_ran_out_is_in_nobodys_way_but_counts_until_the_blocks_were_read() {
    let database = memory();
    let limits = AdvanceLimits { account: Some(gwei(15)), ..UNLIMITED };
    let ask = |nonce, hash| ask_with(&database, wanted(ACCOUNT, nonce), hash, 10, &limits);
    assert_eq!(ask(7, 1).await, Reserved::Yes);
    database.lapse_advances(CHAIN, NOW + 300, false).await.unwrap();
    assert_eq!(ask(8, 2).await, waits(7), "its last second");
    database.lapse_advances(CHAIN, NOW + 301, false).await.unwrap();
    let exhausted = Reserved::Exhausted { whose: "the account's", limit: gwei(15) };
    assert_eq!(ask(8, 2).await, exhausted, "it may have been used");
    // It was, and not charged.
    assert!(database.advance_mined(CHAIN, &mined(1, 7, Charge::Due(None))).await.unwrap());
    database.debt_paid(CHAIN, ACCOUNT, TOKEN, U256::MAX, 101).await.unwrap();
    assert_eq!(ask(8, 2).await, Reserved::Yes);
    database.lapse_advances(CHAIN, NOW + 301, true).await.unwrap();
    assert_eq!(ask(9, 3).await, Reserved::Yes);
    // Another operation took the nonce.
    database.lapse_advance(CHAIN, ACCOUNT, U256::from(9)).await.unwrap();
    assert_eq!(database.advance_obstacle(CHAIN, &wanted(ACCOUNT, 10)).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_advanced_is_limited_in_money() {
    let database = memory();
    let limits = AdvanceLimits { account: Some(gwei(10)), caller: Some(gwei(25)), total: Some(gwei(1_000)) };
    let ask = |account: u8, nonce, cost| {
        ask_with(&database, wanted(Address::repeat_byte(account), nonce), account, cost, &limits)
    };
    assert_eq!(ask(1, 7, 11).await, Reserved::Exhausted { whose: "the account's", limit: gwei(10) });
    assert_eq!(ask(1, 7, 10).await, Reserved::Yes);
    assert_eq!(ask(4, 7, 10).await, Reserved::Yes);
    let callers = Reserved::Exhausted { whose: "your address'", limit: gwei(25) };
    assert_eq!(ask(5, 7, 10).await, callers, "whatever the account");
    assert_eq!(ask(5, 7, 5).await, Reserved::Yes);
    // What is owed counts on, at its cost, for a day.
    database.advance_mined(CHAIN, &mined(1, 7, Charge::Due(None))).await.unwrap();
    assert_eq!(ask(6, 7, 7).await, callers);
    assert_eq!(ask(6, 7, 6).await, Reserved::Yes);
    database.forget_debts(CHAIN, 0, NOW + 86_401).await.unwrap();
    assert_eq!(ask(7, 7, 4).await, Reserved::Yes, "nobody's address is kept longer");
    let total = AdvanceLimits { total: Some(gwei(30)), ..UNLIMITED };
    let told = ask_with(&database, wanted(Address::repeat_byte(8), 7), 8, 3, &total).await;
    assert_eq!(told, Reserved::Exhausted { whose: "the", limit: gwei(30) });
    database.forget_debts(CHAIN, NOW + 1, NOW + 1).await.unwrap();
    assert_eq!(database.debtors(CHAIN).await.unwrap(), []);
}

/// A longer signature for the same nonce may be the one that is mined.
#[tokio::test]
async fn what_is_handed_over_is_held_until_the_longest_signature_has_run_out() {
    let database = Database::at("sqlite::memory:").unwrap();
    let limits = AdvanceLimits { total: Some(gwei(15)), ..UNLIMITED };
    assert_eq!(ask_for(&database, wanted(ACCOUNT, 7), 1, 10, &limits, 3_600).await, Reserved::Yes);
    assert_eq!(ask_for(&database, wanted(ACCOUNT, 7), 2, 10, &limits, 30).await, Reserved::Yes);
    database.lapse_advances(CHAIN, NOW + 31, true).await.unwrap();
    let other = ask_for(&database, wanted(PAYMASTER, 1), 3, 10, &limits, 30).await;
    assert!(matches!(other, Reserved::Exhausted { .. }), "{other:?}");
    database.lapse_advances(CHAIN, NOW + 3_601, true).await.unwrap();
    assert_eq!(ask_for(&database, wanted(PAYMASTER, 1), 4, 10, &limits, 30).await, Reserved::Yes);
}
