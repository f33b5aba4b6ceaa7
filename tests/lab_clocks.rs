//! On a chain that nobody used for an hour, on one whose blocks are ahead of the clock and on one whose clock was moved,
//! people grant, use and pay as on any other: natively against the real server and labs of these tests' own.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::rc::Rc;

use alloy::{
    primitives::{Address, Bytes, U256, address},
    sol,
    sol_types::SolCall,
};
use serde_json::{Value, json};
use use_aa::{
    actions::{
        create_session::create_session,
        create_session_with_distributed_key::create_session_with_distributed_key,
        options::{BuildUserOpOptions, Options, PaymasterServiceData, merge_options},
        ports::{DistributedKeys, Relay},
        prepare_user_operation::PreparedUserOperation,
        send_gas_token_transaction::{TokenParam, send_gas_token_transaction},
        send_transaction::{complete_transaction, prepare_transaction, send_transaction},
        send_with_distributed_session::send_with_distributed_session,
        send_with_session::{prepare_send_with_session, send_with_session},
        sync_sessions::sync_sessions,
        token::balance_of,
        token_fees::get_token_fees,
        wait_for_user_operation_receipt::wait_for_user_operation_receipt,
    },
    app::{App, shell},
    client::relay_native::HttpRelay,
    error::AppError,
    lab::{Lab, LabOptions},
    protocol::{
        addresses::DEMO_TOKEN, clocks::Clocks, policy::SessionEpoch, rpc::PaymasterMode, session::SessionStatus,
        user_op_response::UserOpResponse,
    },
    server::{
        config::{Config, ServeArgs},
        http,
        state::ServerState,
    },
};

mod actions_support;
use actions_support::{Person, common, now};

const HOUR: u64 = 3_600;
/// Account 1 of the test mnemonic, which anvil signs for.
const FAUCET: Address = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");

sol! {
    function mint(address to, uint256 value);
}

/// How the chain's time and the wall clock differ.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Situation {
    /// The latest block is an hour old; the next one will not be.
    Idle,
    /// The latest block is an hour ahead, and so is the next one.
    Ahead,
    /// The clock was moved forward by an hour, and no block has come yet.
    MovedForward,
    /// The clock was moved back by an hour.
    MovedBack,
}

struct World {
    lab: Lab,
    relay: Rc<HttpRelay>,
    situation: Situation,
}

impl World {
    async fn new(situation: Situation) -> Self {
        Self::with(situation, LabOptions::default()).await
    }

    async fn with(situation: Situation, options: LabOptions) -> Self {
        let lab = Lab::start(options).await.unwrap();
        let mut config = Config::from_args(&ServeArgs::default()).unwrap();
        lab.fill(&mut config);
        let listener = http::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let state = ServerState::new(config).unwrap();
        tokio::spawn(http::serve_on(listener, state, http::Pages { app: App, shell }, std::future::pending()));
        let world = Self { lab, relay: Rc::new(HttpRelay::new(&base).unwrap()), situation };
        if situation == Situation::Ahead {
            world.rpc("evm_increaseTime", json!([HOUR])).await;
            world.rpc("evm_mine", json!([])).await;
        }
        world
    }

    async fn rpc(&self, method: &str, params: Value) -> Value {
        common::rpc(self.lab.info().rpc_url.expose().as_str(), method, params).await
    }

    /// Brings the situation about once more: a block that came since may have ended it. The differences are asserted.
    async fn arise(&self) -> Clocks {
        match self.situation {
            Situation::Idle => {
                self.rpc("evm_setTime", json!([now() - HOUR])).await;
                self.rpc("evm_mine", json!([])).await;
                self.rpc("evm_setTime", json!([now()])).await;
            }
            Situation::Ahead => {}
            Situation::MovedForward => {
                self.rpc("evm_setTime", json!([now()])).await;
                self.rpc("evm_mine", json!([])).await;
                self.rpc("evm_setTime", json!([now() + HOUR])).await;
            }
            Situation::MovedBack => {
                self.rpc("evm_setTime", json!([now() - HOUR])).await;
            }
        }
        let clocks = self.relay.account_state(Address::repeat_byte(1), U256::ZERO).await.unwrap().clocks;
        let near = |time: u64, wanted: u64| assert!(time.abs_diff(wanted) < 60, "{:?}: {clocks:?}", self.situation);
        near(clocks.wall, now());
        match self.situation {
            Situation::Idle => (near(clocks.block, now() - HOUR), near(clocks.pending, now())),
            Situation::Ahead => (near(clocks.block, now() + HOUR), near(clocks.pending, now() + HOUR)),
            Situation::MovedForward => (near(clocks.block, now()), near(clocks.pending, now() + HOUR)),
            Situation::MovedBack => ((), near(clocks.pending, now() - HOUR)),
        };
        clocks
    }

    fn person(&self) -> Person {
        Person::at(self.relay.clone())
    }

    async fn give_tokens(&self, to: Address) {
        let data = Bytes::from(mintCall { to, value: U256::from(100_000_000) }.abi_encode());
        self.rpc("eth_sendTransaction", json!([{"from": FAUCET, "to": DEMO_TOKEN, "data": data}])).await;
        // The hash comes before the block does.
        self.rpc("evm_mine", json!([])).await;
    }

    async fn mined(&self, sent: Result<UserOpResponse, AppError>) {
        let hash = sent.unwrap_or_else(|error| panic!("{:?}: {error}", self.situation)).user_op_hash;
        wait_for_user_operation_receipt(self.relay.as_ref(), hash, |_| {}).await.unwrap();
    }
}

/// The paymaster's window is open for the bundler, for an estimate on the latest block and for the next block.
fn assert_sponsored(prepared: &PreparedUserOperation, clocks: Clocks) {
    assert!(prepared.is_sponsored() && prepared.is_fresh(), "{clocks:?}");
    let until = prepared.sponsored_until().unwrap();
    assert!(until > now() + 250 && until >= clocks.latest() + 300, "{until}, {clocks:?}");
}

async fn people_grant_use_and_pay(situation: Situation) {
    let world = World::new(situation).await;
    let (person, none) = (world.person(), BuildUserOpOptions::default());

    // The first grant, sponsored, for ten minutes.
    let clocks = world.arise().await;
    let mut request = person.grant_request();
    request.policy[0].interval = SessionEpoch { valid_until: clocks.latest() + 600, valid_after: 0 };
    let granted = create_session(&person.client, &person.store, request).await;
    let granted = granted.unwrap_or_else(|error| panic!("{situation:?}: {error}"));
    person.settle(&granted).await.unwrap();
    assert_eq!(person.statuses().await, [SessionStatus::Active]);

    // It is used, sponsored.
    let clocks = world.arise().await;
    let prepared = prepare_send_with_session(&*person.relay, &person.store, person.mint_request()).await.unwrap();
    assert_sponsored(prepared.operation(), clocks);
    world.mined(send_with_session(&*person.relay, &person.store, person.mint_request()).await).await;
    assert_eq!(person.nfts().await, 1);

    // The owner's transaction, prepared ahead and sent as it is.
    let clocks = world.arise().await;
    let calls = [Person::mint_call(person.account())];
    let prepared = prepare_transaction(&person.client, &calls, &Options::sponsored()).await.unwrap();
    assert_sponsored(&prepared, clocks);
    world.mined(complete_transaction(&person.client, &prepared).await).await;

    // On own gas.
    world.rpc("anvil_setBalance", json!([person.account(), "0xde0b6b3a7640000"])).await;
    world.arise().await;
    world.mined(send_transaction(&person.client, &calls, &none).await).await;
    assert_eq!(person.nfts().await, 3);

    // Gas in tokens: quoted, and paid by that quote.
    world.give_tokens(person.account()).await;
    let clocks = world.arise().await;
    let fees = get_token_fees(&person.client, &calls, &none).await.unwrap();
    let quote = fees.of(DEMO_TOKEN).unwrap().clone();
    assert!(quote.valid_until.unwrap() >= clocks.latest() + 300, "{situation:?}: {quote:?}");
    let token = TokenParam::from(DEMO_TOKEN);
    world.mined(send_gas_token_transaction(&person.client, &calls, &token, &none).await).await;
    assert_eq!(person.nfts().await, 4);
    assert!(balance_of(&*person.relay, DEMO_TOKEN, person.account()).await.unwrap() < U256::from(100_000_000));

    // What is over by the later of the clocks is refused by name, before anybody is asked to pay or sign.
    let clocks = world.arise().await;
    let signed = person.wallet.signed.get();
    let over = clocks.latest().min(clocks.next_block().max(clocks.wall)) - 30;
    let stale = PaymasterServiceData {
        mode: Some(PaymasterMode::Erc20),
        fee_quote: Some(use_aa::protocol::paymaster::FeeQuote { valid_until: Some(over), ..quote }),
        ..Default::default()
    };
    let stale = BuildUserOpOptions { paymaster_service_data: Some(stale), ..Default::default() };
    let refused = send_transaction(&person.client, &calls, &merge_options([stale])).await;
    assert!(matches!(refused, Err(AppError::FeeQuoteExpired { .. })), "{situation:?}: {refused:?}");
    let mut request = person.grant_request();
    request.policy[0].interval = SessionEpoch { valid_until: over, valid_after: 0 };
    let refused = create_session(&person.client, &person.store, request).await.unwrap_err();
    assert!(matches!(refused, AppError::PolicyRefused { .. } | AppError::InvalidInput { .. }), "{refused}");
    assert_eq!(person.wallet.signed.get(), signed);
    world.lab.stop().await;
}

#[tokio::test]
async fn idle_for_an_hour() {
    people_grant_use_and_pay(Situation::Idle).await;
}

#[tokio::test]
async fn blocks_are_an_hour_ahead() {
    people_grant_use_and_pay(Situation::Ahead).await;
}

#[tokio::test]
async fn the_clock_was_moved_forward() {
    people_grant_use_and_pay(Situation::MovedForward).await;
}

#[tokio::test]
async fn the_clock_was_moved_back() {
    people_grant_use_and_pay(Situation::MovedBack).await;
}

/// Its window began after the latest block: an estimate on that block must not say "not due".
#[tokio::test]
async fn a_session_that_began_on_an_idle_chain_is_usable() {
    let world = World::new(Situation::Idle).await;
    let person = world.person();
    world.arise().await;
    let mut request = person.grant_request();
    request.policy[0].interval = SessionEpoch { valid_until: now() + 600, valid_after: now() - HOUR / 2 };
    person.grant(request).await.unwrap();
    world.arise().await;
    world.mined(send_with_session(&*person.relay, &person.store, person.mint_request()).await).await;
    assert_eq!(person.nfts().await, 1);
    world.lab.stop().await;
}

/// A grant whose sponsorship ran out while nobody sent is known to be dead, without a block.
#[tokio::test]
async fn a_grant_that_ran_out_on_an_idle_chain_is_taken_out() {
    let world = World::new(Situation::Idle).await;
    let person = world.person();
    // Nothing is mined any more.
    world.rpc("evm_setAutomine", json!([false])).await;
    create_session(&person.client, &person.store, person.grant_request()).await.unwrap();
    assert_eq!(person.statuses().await, [SessionStatus::Pending]);
    let synced = sync_sessions(&*person.relay, &person.store, person.account()).await.unwrap();
    assert_eq!(synced.pending.len(), 1, "it can still come");
    world.rpc("evm_increaseTime", json!([HOUR])).await;
    let synced = sync_sessions(&*person.relay, &person.store, person.account()).await.unwrap();
    assert!(synced.pending.is_empty() && person.leaves().await.is_empty(), "{synced:?}");
    world.lab.stop().await;
}

#[tokio::test]
async fn nodes_sign_on_an_idle_chain_and_on_one_ahead() {
    let program = Some(env!("CARGO_BIN_EXE_use-aa").into());
    let mut world = World::with(Situation::Idle, LabOptions { dan_program: program, ..LabOptions::default() }).await;
    // A debug build on a busy machine takes long for a key.
    let began = std::time::Instant::now();
    while world.relay.network().await.unwrap().pooled < 2 {
        assert!(began.elapsed().as_secs() < 300, "the pool is filled");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    for situation in [Situation::Idle, Situation::MovedForward] {
        world.situation = situation;
        let person = world.person();
        let clocks = world.arise().await;
        let mut request = person.grant_request();
        request.policy[0].interval = SessionEpoch { valid_until: clocks.latest() + 600, valid_after: 0 };
        let (client, store, relay) = (&person.client, &person.store, &*person.relay);
        let granted = create_session_with_distributed_key(client, store, relay, request).await.unwrap();
        person.settle(&granted).await.unwrap();
        world.arise().await;
        world.mined(send_with_distributed_session(relay, store, relay, person.mint_request()).await).await;
        assert_eq!(person.nfts().await, 1);
    }
    world.lab.stop().await;
}
