//! Sessions that others slip in: a node that lies about the root, and a ledger that serves leaves which make it.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use alloy::primitives::{Address, B256, Bytes, U256};
use serde_json::json;
use use_aa::{
    actions::{
        create_session::{CreateSessionVariables, complete_create_session, prepare_create_session},
        ports::{Relay, SessionStore},
        restore_sessions::{RestoreSessionsVariables, restore_sessions},
        reviewed_sessions::ReviewedSessions,
        revoke_sessions::revoke_sessions,
        sync_sessions::sync_sessions,
    },
    client::relay_native::HttpRelay,
    error::AppError,
    protocol::{
        policy::Policy,
        session::{PublishedLeaves, SessionBook, SessionLeaf, SessionStatus},
    },
};

use super::{
    actions_support::{Person, server_with},
    granted,
    lying_node::{LyingNode, Says},
    publish, revoke, these,
};

/// A person whose server asks these nodes.
async fn person_at(nodes: &[&LyingNode]) -> Person {
    let urls = nodes.iter().map(|node| node.url.clone()).collect::<Vec<_>>();
    let url = server_with(move |config| {
        config.rpc_urls = urls.iter().map(|url| url.parse().unwrap()).collect();
    })
    .await;
    Person::at(Rc::new(HttpRelay::new(&url).unwrap()))
}

/// The person's tree with one more leaf, of the attacker's key.
async fn with_leaf(person: &Person, contract: Address, function: &str) -> (PublishedLeaves, B256) {
    let policy = Policy::new(contract, function);
    let leaf = SessionLeaf::from_policy(&policy, Address::repeat_byte(0xe1), "evil").unwrap();
    let leaf = SessionLeaf { status: SessionStatus::Active, ..leaf };
    let hash = leaf.hash();
    let mut book = person.store.load(person.account()).await.unwrap();
    book.leaf_nodes.push(leaf);
    (book.published().unwrap(), hash)
}

/// The node names the root of these leaves, the ledger takes them, and the page takes them over.
async fn slip_in(person: &Person, node: &LyingNode, leaves: &PublishedLeaves) {
    node.say(Says::Root(person.account(), leaves.root()));
    person.relay.publish_sessions(person.account(), leaves).await.unwrap();
    let synced = sync_sessions(person.relay.as_ref(), &person.store, person.account()).await.unwrap();
    assert_eq!(synced.adopted.unwrap().added.len(), 1);
}

fn grant_with(person: &Person, reviewed: Option<ReviewedSessions>) -> CreateSessionVariables {
    CreateSessionVariables { reviewed, ..person.grant_request() }
}

async fn book(person: &Person) -> SessionBook {
    person.store.load(person.account()).await.unwrap()
}

#[track_caller]
fn not_reviewed<T: std::fmt::Debug>(outcome: Result<T, AppError>, hash: B256) {
    match outcome {
        Err(AppError::SessionsNotReviewed { session_ids, .. }) => assert_eq!(session_ids, [hash.to_string()]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_lying_node_and_a_poisoned_ledger_slip_in_is_never_signed() {
    let node = LyingNode::start().await;
    let person = person_at(&[&node]).await;
    let ids = granted(&person, 2).await;
    revoke(&person, these(&ids[..1])).await;
    let signed = person.wallet.signed.get();

    // A session that may do anything: no signature keeps it, with or without a review.
    let (evil, evil_hash) = with_leaf(&person, person.account(), "enableModule(address)").await;
    slip_in(&person, &node, &evil).await;
    let leaf = book(&person).await.find(&evil_hash.to_string()).unwrap().clone();
    assert!(!leaf.is_granted_here() && leaf.status == SessionStatus::Active, "listed, and known as foreign");
    let keep_it = Some(ReviewedSessions { keep: vec![evil_hash], end: vec![] });
    for reviewed in [None, Some(ReviewedSessions::default()), keep_it] {
        not_reviewed(person.grant(grant_with(&person, reviewed.clone())).await, evil_hash);
        let keeps_others = use_aa::actions::revoke_sessions::RevokeSessionsVariables {
            reviewed: reviewed.clone(),
            ..these(&ids[1..])
        };
        not_reviewed(revoke_sessions(&person.client, &person.store, keeps_others).await, evil_hash);
        let restore = RestoreSessionsVariables { session_ids: ids[..1].to_vec(), reviewed, ..Default::default() };
        not_reviewed(restore_sessions(&person.client, &person.store, restore).await, evil_hash);
    }
    assert_eq!(person.wallet.signed.get(), signed, "the owner was never asked");

    // One that looks harmless: not without having been shown.
    node.say(Says::Truth);
    sync_sessions(person.relay.as_ref(), &person.store, person.account()).await.unwrap();
    let (sly, sly_hash) = with_leaf(&person, use_aa::protocol::addresses::DEMO_NFT, "burn(uint256)").await;
    // The review is open and shows nothing when it is slipped in.
    let unaware = grant_with(&person, Some(ReviewedSessions::default()));
    let prepared = prepare_create_session(&person.client, &person.store, unaware.clone()).await.unwrap();
    let ahead = prepared.clone();
    slip_in(&person, &node, &sly).await;
    not_reviewed(complete_create_session(&person.client, &person.store, prepared).await, sly_hash);
    not_reviewed(person.grant(unaware).await, sly_hash);
    // Nor by a program that shows no review, once the operation is prepared.
    drop(ahead);
    assert_eq!(person.wallet.signed.get(), signed);

    // Ended by the same signature it is not in the root that is signed.
    let end_it = Some(ReviewedSessions { keep: vec![], end: vec![sly_hash] });
    let prepared = prepare_create_session(&person.client, &person.store, grant_with(&person, end_it)).await.unwrap();
    assert!(prepared.kept().is_empty());
    let response = complete_create_session(&person.client, &person.store, prepared).await.unwrap();
    node.say(Says::Truth);
    person.settle(&response).await.unwrap();
    let after = book(&person).await;
    assert_eq!(after.find(&sly_hash.to_string()).unwrap().status, SessionStatus::Revoked);
    assert!(!after.tree_leaves().iter().any(|leaf| [evil_hash, sly_hash].contains(&leaf.hash())));
    let (local, chain) = person.roots().await;
    assert_eq!(local, chain, "the chain holds what the owner knows, and nothing else");
    person.use_session_with(person.mint_request()).await.unwrap();
}

#[tokio::test]
async fn an_old_root_brings_nothing_back_that_was_ended() {
    let node = LyingNode::start().await;
    let person = person_at(&[&node]).await;
    let ids = granted(&person, 2).await;
    let old = book(&person).await;
    revoke(&person, these(&ids[..1])).await;
    node.say(Says::Root(person.account(), old.root()));
    sync_sessions(person.relay.as_ref(), &person.store, person.account()).await.unwrap();
    let back = book(&person).await.find(&ids[0]).unwrap().clone();
    assert!(back.status == SessionStatus::Active && back.has_come_back());
    for reviewed in [None, Some(ReviewedSessions::default())] {
        let refused = person.grant(grant_with(&person, reviewed)).await.unwrap_err();
        assert!(
            matches!(&refused, AppError::SessionsNotReviewed { session_ids, .. } if *session_ids == ids[..1]),
            "{refused}"
        );
    }
    node.say(Says::Truth);
    sync_sessions(person.relay.as_ref(), &person.store, person.account()).await.unwrap();
    assert!(book(&person).await.leaf_nodes.iter().all(|leaf| !leaf.has_come_back()));
    person.grant(grant_with(&person, Some(ReviewedSessions::default()))).await.unwrap();
    // Brought back by the owner it is as before.
    let restore = RestoreSessionsVariables { session_ids: ids[..1].to_vec(), ..Default::default() };
    let response = restore_sessions(&person.client, &person.store, restore).await.unwrap();
    person.settle(&response).await.unwrap();
    assert!(book(&person).await.find(&ids[0]).unwrap().is_granted_here());
}

#[tokio::test]
async fn two_nodes_must_agree_and_one_that_lags_a_little_does() {
    let (liar, honest) = (LyingNode::start().await, LyingNode::start().await);
    let person = person_at(&[&liar, &honest]).await;
    granted(&person, 1).await;
    let (evil, _) = with_leaf(&person, person.account(), "enableModule(address)").await;
    let truth = book(&person).await.root();
    let (stored, signed) = (book(&person).await, person.wallet.signed.get());

    // One of three stands still: nobody waits for it, and the third one settles it.
    let (stalled, third) = (LyingNode::start().await, LyingNode::start().await);
    let of_three = person_at(&[&liar, &stalled, &third]).await;
    let forever = Instant::now() + Duration::from_secs(3_600);
    stalled.say(Says::Behind(person.account(), B256::ZERO, forever));
    let begun = Instant::now();
    let state = of_three.relay.account_state(person.account(), U256::ZERO).await.unwrap();
    assert_eq!((state.merkle_root, state.roots_disputed), (truth, None));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());

    // Whichever of the two lies: it is said, nothing is taken over, nothing is signed.
    for (says, first, second) in [(&liar, evil.root(), truth), (&honest, truth, evil.root())] {
        says.say(Says::Root(person.account(), evil.root()));
        let synced = sync_sessions(person.relay.as_ref(), &person.store, person.account()).await.unwrap_err();
        assert_eq!(synced, AppError::NodesDisagree { first, second });
        let refused = person.grant(person.grant_request()).await.unwrap_err();
        assert_eq!(refused.name(), "NodesDisagree");
        let state = person.relay.account_state(person.account(), U256::ZERO).await.unwrap();
        assert_eq!((state.merkle_root, state.roots_disputed), (first, Some(second)));
        assert!(person.client.is_account_deployed().await.unwrap(), "what rests on no root goes on");
        says.say(Says::Truth);
    }
    assert_eq!((book(&person).await, person.wallet.signed.get()), (stored, signed));

    // Honest: the second one has not got the latest block yet.
    honest.say(Says::Behind(person.account(), B256::ZERO, Instant::now() + Duration::from_millis(700)));
    let state = person.relay.account_state(person.account(), U256::ZERO).await.unwrap();
    assert_eq!(state.merkle_root, truth);
    person.grant(person.grant_request()).await.unwrap();
    person.use_session_with(person.mint_request()).await.unwrap();
}

#[tokio::test]
async fn a_second_device_says_what_it_keeps_and_takes_nothing_over_behind_the_review() {
    let phone = Person::new().await;
    let first = granted(&phone, 1).await;
    assert!(publish(&phone).await);
    let laptop = phone.on_another_device();
    let synced = sync_sessions(laptop.relay.as_ref(), &laptop.store, laptop.account()).await.unwrap();
    assert_eq!(synced.adopted.unwrap().added.len(), 1);
    let shown = || async { book(&laptop).await.not_granted_here().map(SessionLeaf::hash).collect::<Vec<_>>() };
    let keep = shown().await;
    assert_eq!(keep, [phone.leaves().await[0].hash()]);
    let reviewed = Some(ReviewedSessions { keep, end: vec![] });

    // The phone grants while the review is open on the laptop.
    granted(&phone, 1).await;
    assert!(publish(&phone).await);
    let refused = laptop.grant(grant_with(&laptop, reviewed.clone())).await.unwrap_err();
    assert!(matches!(refused, AppError::SessionsOutOfSync { .. }), "{refused}");
    assert_eq!(laptop.leaves().await.len(), 1, "nothing was taken over");
    sync_sessions(laptop.relay.as_ref(), &laptop.store, laptop.account()).await.unwrap();
    let refused = laptop.grant(grant_with(&laptop, reviewed)).await.unwrap_err();
    assert_eq!(refused.name(), "SessionsNotReviewed", "the second one was not shown: {refused}");

    let again = Some(ReviewedSessions { keep: shown().await, end: vec![] });
    let prepared = prepare_create_session(&laptop.client, &laptop.store, grant_with(&laptop, again)).await.unwrap();
    assert_eq!(prepared.kept().len(), 2, "for whoever shows them");
    let response = complete_create_session(&laptop.client, &laptop.store, prepared).await.unwrap();
    laptop.settle(&response).await.unwrap();
    laptop.use_session_with(laptop.mint_request()).await.unwrap();
    publish(&laptop).await;
    phone.use_session_with(super::mint_with(&phone, &first[0])).await.unwrap();
}

#[tokio::test]
async fn a_set_that_hides_leaves_behind_a_node_of_the_tree_is_no_set() {
    let phone = Person::new().await;
    granted(&phone, 2).await;
    let mut hashes = phone.leaves().await.iter().map(SessionLeaf::hash).collect::<Vec<_>>();
    hashes.sort();
    let poison: PublishedLeaves = serde_json::from_value(json!([Bytes::from(hashes.concat())])).unwrap();
    assert_eq!(poison.root(), phone.roots().await.1, "it makes the root");
    let refused = phone.relay.publish_sessions(phone.account(), &poison).await.unwrap_err();
    assert!(matches!(&refused, AppError::InvalidInput { field, .. } if field == "leaves[0]"), "{refused}");
    assert!(publish(&phone).await, "the honest set is taken");
    let laptop = phone.on_another_device();
    sync_sessions(laptop.relay.as_ref(), &laptop.store, laptop.account()).await.unwrap();
    assert_eq!(laptop.leaves().await.len(), 2);
}
