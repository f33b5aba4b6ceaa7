//! Distributed session keys on the lab: five real processes sign, the session key manager on the chain accepts.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod actions_support;

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use actions_support::Person;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use use_aa::{
    actions::{
        create_session_with_distributed_key::{
            complete_create_session_with_distributed_key, prepare_create_session_with_distributed_key,
        },
        ports::DistributedKeys,
        send_with_distributed_session::send_with_distributed_session,
        wait_for_user_operation_receipt::wait_for_user_operation_receipt,
    },
    app::{App, shell},
    client::relay_native::HttpRelay,
    error::AppError,
    lab::{Lab, LabOptions},
    server::{
        config::{Config, ServeArgs},
        http,
        state::ServerState,
    },
};

/// A server of its own over the lab.
async fn serve(lab: &Lab) -> Rc<HttpRelay> {
    let mut config = Config::from_args(&ServeArgs::default()).unwrap();
    lab.fill(&mut config);
    assert_eq!(config.dan_nodes.len(), 5);
    let listener = http::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let state = ServerState::new(config).unwrap();
    tokio::spawn(http::serve_on(listener, state, http::Pages { app: App, shell }, std::future::pending()));
    Rc::new(HttpRelay::new(&base).unwrap())
}

/// A debug build on a busy machine takes long for a key.
async fn wait_for_keys(relay: &HttpRelay, wanted: u32) {
    let began = Instant::now();
    while relay.network().await.unwrap().pooled < wanted {
        assert!(began.elapsed() < Duration::from_secs(300), "the pool is filled");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn the_chain_accepts_what_the_nodes_sign_and_the_nodes_are_enough_while_three_live() {
    let program = Some(env!("CARGO_BIN_EXE_use-aa").into());
    let lab = Lab::start(LabOptions { dan_program: program, ..LabOptions::default() }).await.unwrap();
    let nodes = lab.info().dan_nodes.clone();
    assert_eq!(nodes.iter().map(|node| node.id).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let relay = serve(&lab).await;
    let person = Person::at(relay.clone());
    wait_for_keys(&relay, 2).await;

    // Another server over the same nodes knows the same keys.
    let other_relay = serve(&lab).await;
    let rival = Person::at(other_relay.clone());
    wait_for_keys(&other_relay, 2).await;
    let prepare = async |person: &Person, relay: &HttpRelay| {
        let request = person.grant_request();
        prepare_create_session_with_distributed_key(&person.client, &person.store, relay, request).await.unwrap()
    };
    let complete = async |person: &Person, relay: &HttpRelay, prepared| {
        let (client, store) = (&person.client, &person.store);
        complete_create_session_with_distributed_key(client, store, relay, prepared).await.unwrap()
    };
    let early = Person::at(relay.clone());
    let prepared = prepare(&early, &relay).await;
    let taken = prepared.offer().key_id;
    complete(&early, &relay, prepared).await;
    // It does not offer what is bound at the other one.
    let same = prepare(&rival, &other_relay).await;
    assert_ne!(same.offer().key_id, taken);
    // What is not bound yet both offer.
    let prepared = prepare(&person, &relay).await;
    assert_eq!(same.offer().key_id, prepared.offer().key_id);
    let granted = complete(&person, &relay, prepared).await;
    person.settle(&granted).await.unwrap();
    assert_eq!(person.wallet.signed.get(), 2, "the owner signs the grant and the operation");
    // The slower one gets another key, for which the owner signs once more.
    let granted = complete(&rival, &other_relay, same).await;
    rival.settle(&granted).await.unwrap();
    assert_eq!(rival.wallet.signed.get(), 3);
    let keys = [&person, &rival].map(|person| async { person.leaves().await.remove(0).session_key_address });
    let [first, second] = keys;
    assert_ne!(first.await, second.await);
    let mint = async || -> Result<(), AppError> {
        let request = person.mint_request();
        let sent = send_with_distributed_session(relay.as_ref(), &person.store, relay.as_ref(), request).await?;
        wait_for_user_operation_receipt(relay.as_ref(), sent.user_op_hash, |_| {}).await.map(drop)
    };
    mint().await.unwrap();
    assert_eq!(person.nfts().await, 1);
    for node in &nodes[..2] {
        kill(Pid::from_raw(node.process), Signal::SIGKILL).unwrap();
    }
    mint().await.unwrap();
    assert_eq!(person.nfts().await, 2);
    kill(Pid::from_raw(nodes[2].process), Signal::SIGKILL).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let error = mint().await.unwrap_err();
    assert!(matches!(error, AppError::TooFewNodes { live: 2, needed: 3 }), "{error}");
    assert_eq!(person.nfts().await, 2);
    assert_eq!(person.wallet.signed.get(), 2, "the owner had no part in it");
    lab.stop().await;
}
