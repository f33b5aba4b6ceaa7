//! Distributed session keys on the lab: five real processes sign, the session key manager on the chain accepts.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod actions_support;

use std::{rc::Rc, time::Duration};

use actions_support::Person;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use use_aa::{
    actions::{
        create_session_with_distributed_key::create_session_with_distributed_key,
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

#[tokio::test]
async fn the_chain_accepts_what_the_nodes_sign_and_the_nodes_are_enough_while_three_live() {
    let program = Some(env!("CARGO_BIN_EXE_use-aa").into());
    let lab = Lab::start(LabOptions { dan_program: program, ..LabOptions::default() }).await.unwrap();
    let nodes = lab.info().dan_nodes.clone();
    assert_eq!(nodes.iter().map(|node| node.id).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let mut config = Config::from_args(&ServeArgs::default()).unwrap();
    lab.fill(&mut config);
    assert_eq!(config.key_nodes.len(), 5);
    let listener = http::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let state = ServerState::new(config).unwrap();
    tokio::spawn(http::serve_on(listener, state, http::Pages { app: App, shell }, std::future::pending()));
    let relay = Rc::new(HttpRelay::new(&base).unwrap());
    let person = Person::at(relay.clone());

    // A debug build on a busy machine takes long for a key: then it is asked for again.
    let mut attempts = 0;
    let granted = loop {
        attempts += 1;
        let (client, store) = (&person.client, &person.store);
        match create_session_with_distributed_key(client, store, relay.as_ref(), person.grant_request()).await {
            Ok(granted) => break granted,
            Err(error) if attempts < 5 => println!("no key yet: {error}"),
            Err(error) => panic!("{error}"),
        }
    };
    person.settle(&granted).await.unwrap();
    assert_eq!(person.wallet.signed.get(), 2, "the owner signs the grant and the operation");
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
