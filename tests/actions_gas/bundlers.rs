//! Bundlers as they are: with other methods, with a least tip, slow, and forgetful; each a socket in front of alto.

use std::time::{Duration, Instant};

use alloy::primitives::{B256, U256};
use serde_json::json;
use use_aa::{
    actions::{
        create_session::create_session,
        options::{BuildUserOpOptions, Options},
        ports::Relay,
        revoke_sessions::{RevokeSessionsVariables, SessionsToRevoke, revoke_sessions},
        send_transaction::send_transaction,
        send_with_session::send_with_session,
        speed_up_user_operation::{speed_up_session_change, speed_up_session_use, speed_up_user_operation},
        wait_for_user_operation_receipt::wait_for_user_operation_receipt,
    },
    client::relay_native::HttpRelay,
    error::{AppError, Upstream},
    protocol::{
        rpc::{GasFees, UserOpReceipt, UserOpUpdate},
        session::SessionStatus,
    },
};

use super::{
    Person,
    actions_support::{
        common::bundlers::{Bundler, Habits},
        server_with,
    },
};

const GWEI: u64 = 1_000_000_000;
const FEE_METHODS: [&str; 3] =
    ["pimlico_getUserOperationGasPrice", "biconomy_getGasFeeValues", "rundler_maxPriorityFeePerGas"];

pub async fn server(bundler: &Bundler) -> std::rc::Rc<HttpRelay> {
    server_of(&[&bundler.url]).await
}

async fn server_of(bundlers: &[&str]) -> std::rc::Rc<HttpRelay> {
    let urls = bundlers.iter().map(|url| url.parse().unwrap()).collect();
    std::rc::Rc::new(HttpRelay::new(&server_with(|config| config.bundler_urls = urls).await).unwrap())
}

/// Somebody with a session, at a server whose bundler is well so far.
async fn with_a_session() -> (Person, Bundler) {
    let bundler = Bundler::start(Habits::default()).await;
    let person = Person::at(server(&bundler).await);
    person.grant(person.grant_request()).await.unwrap();
    (person, bundler)
}

/// What is told of an operation, with the end.
pub async fn follow(relay: &HttpRelay, hash: B256) -> (Vec<UserOpUpdate>, Result<UserOpReceipt, AppError>) {
    let mut told = Vec::new();
    let end = wait_for_user_operation_receipt(relay, hash, |update| told.push(update.clone()));
    let end = tokio::time::timeout(Duration::from_secs(40), end).await.expect("it ends");
    (told, end)
}

async fn session_use(person: &Person) -> Result<B256, AppError> {
    let sent = send_with_session(person.relay.as_ref(), &person.store, person.mint_request()).await?;
    Ok(sent.user_op_hash)
}

#[tokio::test]
async fn fees_are_asked_for_in_the_way_that_the_bundler_has_and_an_unknown_one_is_not_asked_again() {
    let bundler = Bundler::start(Habits::default()).await;
    let relay = server(&bundler).await;
    let alto = relay.gas_fees().await.unwrap();
    assert_eq!(FEE_METHODS.map(|method| bundler.count(method)), [1, 0, 0], "an honest one is asked once");

    let rundler = Bundler::start(Habits {
        unknown: FEE_METHODS[..2].to_vec(),
        answers: [(FEE_METHODS[2], json!(format!("{:#x}", 3 * GWEI)))].into(),
        ..Habits::default()
    })
    .await;
    let relay = server(&rundler).await;
    for _ in 0..2 {
        let fees = relay.gas_fees().await.unwrap();
        assert_eq!(fees.max_priority_fee_per_gas, U256::from(3 * GWEI));
        assert!(fees.max_fee_per_gas >= fees.max_priority_fee_per_gas, "{fees:?}");
        // The advice is kept for a second.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
    }
    assert_eq!(FEE_METHODS.map(|method| rundler.count(method)), [1, 1, 2]);

    // None of them: the node's fee history, and the margin that a refusal asked for.
    let silent = Bundler::start(Habits { unknown: FEE_METHODS.to_vec(), ..Habits::default() }).await;
    let person = Person::at(server(&silent).await);
    let before = person.relay.gas_fees().await.unwrap();
    assert!(before.max_priority_fee_per_gas >= alto.max_priority_fee_per_gas.min(U256::from(GWEI)), "{before:?}");
    let least = before.max_priority_fee_per_gas.to::<u64>() * 3 / 2;
    silent.habits.lock().unwrap().least_tip =
        Some((least, 0, |least| format!("maxPriorityFeePerGas is below minimum {least}")));
    person.grant(person.grant_request()).await.unwrap();
    assert_eq!(silent.count("eth_sendUserOperation"), 2);
    let after = person.relay.gas_fees().await.unwrap();
    assert!(after.max_priority_fee_per_gas >= U256::from(least), "learned from the refusal: {after:?}");
    person.use_session_with(person.mint_request()).await.unwrap();
    assert_eq!(silent.count("eth_sendUserOperation"), 3, "the next one is taken at once");
    assert_eq!(FEE_METHODS.map(|method| silent.count(method)), [1, 1, 1]);
}

#[tokio::test]
async fn a_tip_that_is_too_low_is_raised_once_and_signed_anew() {
    let (person, bundler) = with_a_session().await;
    let tip = person.relay.gas_fees().await.unwrap().max_priority_fee_per_gas.to::<u64>();
    let (sent, signed) = (bundler.count("eth_sendUserOperation"), person.wallet.signed.get());
    let want = |least: u64, growth: u64, words: fn(u64) -> String| {
        bundler.habits.lock().unwrap().least_tip = Some((least, growth, words));
    };
    // The session key signs again, and nobody is asked.
    want(tip * 5 / 4, 0, |least| format!("maxPriorityFeePerGas must be at least {least} (current: 1)"));
    let hash = session_use(&person).await.unwrap();
    assert!(follow(&person.relay, hash).await.1.unwrap().success);
    assert_eq!((bundler.count("eth_sendUserOperation") - sent, person.wallet.signed.get()), (2, signed));

    // A bundler that wants more each time gets two, not three.
    let now = person.relay.gas_fees().await.unwrap().max_priority_fee_per_gas.to::<u64>();
    want(now + now / 8, now / 8, |least| {
        format!("max_priority_fee_per_gas is too low. it should be minimum : {least}")
    });
    let sent = bundler.count("eth_sendUserOperation");
    assert!(session_use(&person).await.is_err());
    assert_eq!(bundler.count("eth_sendUserOperation") - sent, 2);

    // The owner is asked again and told why; grants and revocations keep their books by the operation that was taken.
    let now = person.relay.gas_fees().await.unwrap().max_priority_fee_per_gas.to::<u64>();
    want(now + now / 8, 0, |least| format!("maxPriorityFeePerGas must be at least {least}"));
    let (sent, signed) = (bundler.count("eth_sendUserOperation"), person.wallet.signed.get());
    let granted = create_session(&person.client, &person.store, person.grant_request()).await.unwrap();
    person.settle(&granted).await.unwrap();
    assert_eq!(bundler.count("eth_sendUserOperation") - sent, 2);
    assert_eq!((person.wallet.signed.get() - signed, person.wallet.told_again.get()), (2, 1));
    assert_eq!(person.statuses().await, [SessionStatus::Active; 2]);
    // One that wants no more than it is offered: nobody is asked twice.
    bundler.habits.lock().unwrap().least_tip = None;
    let none = BuildUserOpOptions::default();
    let call = Person::mint_call(person.account());
    let sent = send_transaction(&person.client, &[call], &Options::sponsored()).await.unwrap();
    assert!(follow(&person.relay, sent.user_op_hash).await.1.unwrap().success);
    assert_eq!((person.wallet.signed.get() - signed, person.wallet.told_again.get()), (3, 1));
    let ids = granted.session.unwrap().session_ids;
    let request = RevokeSessionsVariables { sessions: SessionsToRevoke::These(ids), options: none, reviewed: None };
    let now = person.relay.gas_fees().await.unwrap().max_priority_fee_per_gas.to::<u64>();
    want(now + now / 10, 0, |least| format!("maxPriorityFeePerGas must be at least {least}"));
    let revoked = revoke_sessions(&person.client, &person.store, request).await.unwrap();
    let (relay, store) = (person.relay.as_ref(), &person.store);
    let settle = use_aa::actions::settle_revocation::settle_revocation;
    settle(relay, store, person.account(), revoked.user_op_hash, |_| {}).await.unwrap();
    assert_eq!(person.wallet.told_again.get(), 2);
    assert_eq!(person.statuses().await, [SessionStatus::Active, SessionStatus::Revoked]);

    // Beyond twice what was signed and what the server believes: nobody pays that, and it is told at once.
    want(now * 100, 0, |least| format!("priority fee is too low: at least {least}"));
    let sent = bundler.count("eth_sendUserOperation");
    let refusal = session_use(&person).await.unwrap_err();
    assert!(matches!(refusal, AppError::UpstreamRejected { upstream: Upstream::Bundler, .. }), "{refusal}");
    assert_eq!(bundler.count("eth_sendUserOperation") - sent, 1);
}

#[tokio::test]
async fn what_a_bundler_forgets_is_sent_again_once_and_then_dropped_until_a_block_has_it() {
    let (person, bundler) = with_a_session().await;
    // Once: nobody hears of it.
    bundler.habits.lock().unwrap().forgets = 1;
    let sent = bundler.count("eth_sendUserOperation");
    let hash = session_use(&person).await.unwrap();
    let (told, end) = follow(&person.relay, hash).await;
    assert!(
        end.unwrap().success && !told.iter().any(|update| matches!(update, UserOpUpdate::Dropped { .. })),
        "{told:?}"
    );
    assert_eq!((bundler.count("eth_sendUserOperation") - sent, person.nfts().await), (2, 1));

    // Twice: it is dropped in time, and not sent a third time.
    bundler.habits.lock().unwrap().forgets = 2;
    let sent = bundler.count("eth_sendUserOperation");
    let hash = session_use(&person).await.unwrap();
    let operation = person.relay.sent_operation(hash).await.unwrap().expect("the server keeps it");
    let begun = Instant::now();
    let (_, end) = follow(&person.relay, hash).await;
    let Err(AppError::UserOpDropped { reason, .. }) = end else { panic!("{end:?}") };
    assert!(reason.contains("never on chain"), "{reason}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!((bundler.count("eth_sendUserOperation") - sent, person.nfts().await), (2, 1));

    // It turns up all the same: the block wins.
    bundler.find(&operation).await;
    let found = async {
        while person.nfts().await < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        loop {
            let (_, end) = follow(&person.relay, hash).await;
            match end {
                Err(AppError::UserOpDropped { .. }) => tokio::time::sleep(Duration::from_millis(100)).await,
                end => return end,
            }
        }
    };
    let end = tokio::time::timeout(Duration::from_secs(20), found).await.expect("it is found");
    assert!(end.unwrap().success);
}

#[tokio::test]
async fn after_a_restart_what_is_forgotten_is_still_sent_again_and_a_standard_bundler_tells_enough() {
    let (person, bundler) = with_a_session().await;
    // No dialect of its own: it has by hash and receipts only.
    {
        let mut habits = bundler.habits.lock().unwrap();
        habits.unknown = vec!["pimlico_getUserOperationStatus", "biconomy_getUserOperationStatus"];
        habits.holds = true;
    }
    let hash = session_use(&person).await.unwrap();
    // Another server: it never sent the operation, and gets to know it from the bundler before that forgets it.
    let other = server(&bundler).await;
    let watching = follow(&other, hash);
    let forgetting = async {
        let begun = Instant::now();
        while bundler.count("eth_getUserOperationByHash") == 0 || begun.elapsed() < Duration::from_millis(1_000) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bundler.habits.lock().unwrap().holds = false;
        bundler.forget();
    };
    let ((told, end), ()) = tokio::join!(watching, forgetting);
    assert!(end.unwrap().success, "{told:?}");
    assert_eq!(person.nfts().await, 1, "both servers sent it again, and it happened once");

    // One that came after another restart gets to know it, too: there it is sped up, and told to be replaced.
    bundler.habits.lock().unwrap().holds = true;
    let hash = session_use(&person).await.unwrap();
    let other = server(&bundler).await;
    let asked = bundler.count("eth_getUserOperationByHash");
    let speeding_up = async {
        let begun = Instant::now();
        while bundler.count("eth_getUserOperationByHash") == asked || begun.elapsed() < Duration::from_millis(1_000) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let operation = other.sent_operation(hash).await.unwrap().unwrap();
        let fees = GasFees { max_fee_per_gas: U256::ZERO, max_priority_fee_per_gas: U256::ZERO };
        let relay = other.as_ref();
        let faster = speed_up_session_use(relay, &person.store, relay, &operation, &fees).await.unwrap();
        bundler.release().await;
        faster.user_op_hash
    };
    let ((told, end), faster) = tokio::join!(follow(&other, hash), speeding_up);
    assert!(matches!(end, Err(AppError::UserOpDropped { .. })), "{end:?}");
    assert!(matches!(told.last(), Some(UserOpUpdate::Replaced { by, .. }) if *by == faster), "{told:?}");
    assert!(follow(&other, faster).await.1.unwrap().success);
    assert_eq!(person.nfts().await, 2);
}

#[tokio::test]
async fn what_one_of_several_bundlers_forgets_is_sent_again_whoever_else_is_down_or_silent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let down = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    // It has no method that tells where an operation is.
    let silent = ["pimlico_getUserOperationStatus", "biconomy_getUserOperationStatus"].into_iter();
    let silent = silent.chain(["eth_getUserOperationReceipt", "eth_getUserOperationByHash"]).collect();
    let silent = Bundler::start(Habits { unknown: silent, ..Habits::default() }).await;
    let forgotten_beside = async |second: &str| {
        let bundler = Bundler::start(Habits::default()).await;
        let person = Person::at(server_of(&[&bundler.url, second]).await);
        person.grant(person.grant_request()).await.unwrap();
        bundler.habits.lock().unwrap().forgets = 1;
        let sent = bundler.count("eth_sendUserOperation");
        let hash = session_use(&person).await.unwrap();
        let begun = Instant::now();
        let (told, end) = follow(&person.relay, hash).await;
        assert!(end.unwrap().success, "{told:?}");
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
        assert_eq!((bundler.count("eth_sendUserOperation") - sent, person.nfts().await), (2, 1));
    };
    tokio::join!(forgotten_beside(&down), forgotten_beside(&silent.url));
}

#[tokio::test]
async fn a_limit_is_no_refusal_of_what_is_sent_again() {
    let (person, bundler) = with_a_session().await;
    bundler.habits.lock().unwrap().forgets = 1;
    let hash = session_use(&person).await.unwrap();
    bundler.habits.lock().unwrap().limits = true;
    let sent = bundler.count("eth_sendUserOperation");
    let limited = async {
        // Longer than one sending has patience.
        while bundler.count("eth_sendUserOperation") < sent + 3 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bundler.habits.lock().unwrap().limits = false;
    };
    let ((told, end), ()) = tokio::join!(follow(&person.relay, hash), limited);
    assert!(end.unwrap().success, "{told:?}");
    assert!(!told.iter().any(|update| matches!(update, UserOpUpdate::Dropped { .. })), "{told:?}");
    assert_eq!(person.nfts().await, 1);
}

#[tokio::test]
async fn what_waits_for_long_is_stuck_and_goes_on_or_is_overtaken() {
    let (person, bundler) = with_a_session().await;
    // It goes on when the bundler does.
    bundler.habits.lock().unwrap().holds = true;
    let first = session_use(&person).await.unwrap();
    let release = async {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        // Whoever sends the same again and again has it asked about no more often: every 50 ms at this age.
        let operation = person.relay.sent_operation(first).await.unwrap().unwrap();
        for _ in 0..10 {
            assert_eq!(person.relay.send(&operation, None).await.unwrap(), first);
        }
        let (asked, begun) = (bundler.count("pimlico_getUserOperationStatus"), Instant::now());
        tokio::time::sleep(Duration::from_millis(2_000)).await;
        let asked = bundler.count("pimlico_getUserOperationStatus") - asked;
        assert!(asked as u128 <= begun.elapsed().as_millis() / 50 + 2, "{asked} times in {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(2_000)).await;
        bundler.release().await;
    };
    let ((told, end), ()) = tokio::join!(follow(&person.relay, first), release);
    assert!(end.unwrap().success);
    assert!(matches!(told[..2], [UserOpUpdate::Submitted, UserOpUpdate::Stuck { .. }]), "{told:?}");

    // Its session key overtakes it, and so does the owner: the same nonce, so it happens once.
    for by_session in [true, false] {
        let before = person.nfts().await;
        bundler.habits.lock().unwrap().holds = true;
        let stuck = match by_session {
            true => session_use(&person).await.unwrap(),
            false => {
                let call = Person::mint_call(person.account());
                send_transaction(&person.client, &[call], &Options::sponsored()).await.unwrap().user_op_hash
            }
        };
        let operation = person.relay.sent_operation(stuck).await.unwrap().unwrap();
        let fees = GasFees { max_fee_per_gas: U256::ZERO, max_priority_fee_per_gas: U256::ZERO };
        let (relay, signed) = (person.relay.as_ref(), person.wallet.signed.get());
        let faster = match by_session {
            true => speed_up_session_use(relay, &person.store, relay, &operation, &fees).await.unwrap(),
            false => speed_up_user_operation(&person.client, &operation, &fees).await.unwrap(),
        };
        assert_eq!(person.wallet.signed.get() - signed, usize::from(!by_session));
        bundler.release().await;
        let ((_, old), (_, new)) = tokio::join!(follow(relay, stuck), follow(relay, faster.user_op_hash));
        assert!(new.unwrap().success);
        assert!(matches!(old, Err(AppError::UserOpDropped { .. })), "{old:?}");
        assert_eq!(person.nfts().await, before + 1);
    }

    // A grant, too: its session waits for whichever comes.
    bundler.habits.lock().unwrap().holds = true;
    let first = create_session(&person.client, &person.store, person.grant_request()).await.unwrap().user_op_hash;
    let operation = person.relay.sent_operation(first).await.unwrap().unwrap();
    let fees = GasFees { max_fee_per_gas: U256::ZERO, max_priority_fee_per_gas: U256::ZERO };
    let faster = speed_up_session_change(&person.client, &person.store, &operation, &fees).await.unwrap().user_op_hash;
    bundler.release().await;
    let (relay, store, account) = (person.relay.as_ref(), &person.store, person.account());
    let settle = |hash| use_aa::actions::settle_session::settle_session(relay, store, account, hash, |_| {});
    let (old, new) = tokio::join!(settle(first), settle(faster));
    assert!(new.unwrap().success && matches!(old, Err(AppError::UserOpDropped { .. })), "{old:?}");
    assert_eq!(person.statuses().await, [SessionStatus::Active; 2]);
}
