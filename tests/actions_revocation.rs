//! Sessions are taken back, and the chain shows that they are gone: on the real lab.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use alloy::primitives::{B256, U256};
use use_aa::{
    actions::{
        create_session::{complete_create_session, prepare_create_session},
        options::NonceOptions,
        ports::{Relay, SessionStore},
        prove_revocation::{RevocationProof, prove_revocation},
        restore_sessions::{RestoreSessionsVariables, restore_sessions},
        revoke_sessions::{
            RevokeSessionsVariables, SessionsToRevoke, complete_revoke_sessions, prepare_revoke_sessions,
            revoke_sessions,
        },
        session_ledger::publish_sessions,
        settle_revocation::settle_revocation,
        sync_sessions::sync_sessions,
    },
    error::AppError,
    protocol::{
        session::SessionStatus::{self, Active, Revoked},
        user_op_response::UserOpResponse,
    },
};

mod actions_support;
#[path = "actions_revocation/adoption.rs"]
mod adoption;
#[path = "actions_revocation/lying_node.rs"]
mod lying_node;
#[path = "actions_revocation/older_manager.rs"]
mod older_manager;
use actions_support::Person;

fn these(ids: &[String]) -> RevokeSessionsVariables {
    RevokeSessionsVariables { sessions: SessionsToRevoke::These(ids.to_vec()), ..Default::default() }
}

fn all() -> RevokeSessionsVariables {
    RevokeSessionsVariables { sessions: SessionsToRevoke::All, ..Default::default() }
}

/// Grants one session after the other; gives their ids.
async fn granted(person: &Person, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.extend(person.grant(person.grant_request()).await.unwrap());
    }
    ids
}

async fn revoke(person: &Person, request: RevokeSessionsVariables) -> UserOpResponse {
    let response = revoke_sessions(&person.client, &person.store, request).await.unwrap();
    settle(person, &response).await;
    response
}

async fn settle(person: &Person, response: &UserOpResponse) {
    let hash = response.user_op_hash;
    settle_revocation(person.relay.as_ref(), &person.store, person.account(), hash, |_| {}).await.unwrap();
}

async fn proof(person: &Person, id: &str) -> RevocationProof {
    prove_revocation(person.relay.as_ref(), &person.store, person.account(), id).await.unwrap()
}

fn mint_with(person: &Person, id: &str) -> use_aa::actions::send_with_session::SendWithSessionRequest {
    let mut request = person.mint_request();
    request.session_id = Some(id.into());
    request
}

#[tokio::test]
async fn one_of_three_is_taken_back_and_the_others_go_on() {
    let person = Person::new().await;
    let ids = granted(&person, 3).await;
    let before = proof(&person, &ids[1]).await;
    assert_eq!(before, RevocationProof::NotProven { answer: "the operation is valid".into() });

    let prepared = prepare_revoke_sessions(&person.client, &person.store, these(&ids[1..2])).await.unwrap();
    assert!(prepared.operation().is_sponsored());
    let response = complete_revoke_sessions(&person.client, &person.store, prepared).await.unwrap();
    assert_eq!(person.statuses().await, [Active; 3], "nothing is revoked before the chain says so");
    settle(&person, &response).await;
    assert_eq!(person.statuses().await, [Active, Revoked, Active]);
    let (local, chain) = person.roots().await;
    assert_eq!(local, chain);

    let RevocationProof::Refused { reason } = proof(&person, &ids[1]).await else { panic!("it still works") };
    assert!(reason.contains("AA23") && reason.contains("SessionNotApproved"), "{reason}");
    let refused = person.use_session_with(mint_with(&person, &ids[1])).await.unwrap_err();
    assert_eq!(refused, AppError::SessionRevoked { session_id: ids[1].clone() });
    for id in [&ids[0], &ids[2]] {
        person.use_session_with(mint_with(&person, id)).await.unwrap();
    }
    assert_eq!(person.nfts().await, 2);
}

#[tokio::test]
async fn all_are_taken_back_at_once_also_those_of_another_device() {
    let person = Person::new().await;
    let ids = granted(&person, 2).await;
    let elsewhere = person.on_another_device();
    let unknown = prepare_revoke_sessions(&elsewhere.client, &elsewhere.store, these(&ids)).await.unwrap_err();
    assert!(matches!(unknown, AppError::SessionsOutOfSync { .. }), "{unknown:?}");
    revoke(&elsewhere, all()).await;
    assert_eq!(elsewhere.roots().await.1, B256::ZERO);
    for id in &ids {
        assert!(matches!(proof(&person, id).await, RevocationProof::Refused { .. }));
    }
    sync_sessions(person.relay.as_ref(), &person.store, person.account()).await.unwrap();
    assert_eq!(person.statuses().await, [Revoked; 2]);
    let nothing_left = prepare_revoke_sessions(&person.client, &person.store, all()).await.unwrap_err();
    assert!(matches!(nothing_left, AppError::SessionNotFound { .. }));
    // Life goes on: a new grant builds on the empty tree.
    granted(&person, 1).await;
    person.use_session_with(person.mint_request()).await.unwrap();
}

#[tokio::test]
async fn a_refusal_in_the_wallet_changes_nothing_and_unknown_sessions_are_named() {
    let person = Person::new().await;
    let ids = granted(&person, 1).await;
    let before = person.store.load(person.account()).await.unwrap();
    person.wallet.refuses.set(true);
    let refused = revoke_sessions(&person.client, &person.store, these(&ids)).await.unwrap_err();
    assert_eq!(refused, AppError::WalletRejected);
    assert_eq!(person.store.load(person.account()).await.unwrap(), before);
    let error = |ids: Vec<String>| prepare_revoke_sessions(&person.client, &person.store, these(&ids));
    assert!(matches!(error(vec![]).await, Err(AppError::InvalidInput { .. })));
    let missing = error(vec!["nobody".into()]).await.unwrap_err();
    assert_eq!(missing, AppError::SessionNotFound { wanted: "nobody".into() });
    person.wallet.refuses.set(false);
    revoke(&person, these(&ids)).await;
    let twice = error(ids.clone()).await.unwrap_err();
    assert_eq!(twice, AppError::SessionRevoked { session_id: ids[0].clone() });
}

#[tokio::test]
async fn a_page_that_is_closed_in_between_finds_out_afterwards() {
    let person = Person::new().await;
    let ids = granted(&person, 4).await;
    let taken = [ids[0].clone(), ids[2].clone()];
    let response = revoke_sessions(&person.client, &person.store, these(&taken)).await.unwrap();
    let synced = sync_sessions(person.relay.as_ref(), &person.store, person.account()).await.unwrap();
    assert!(synced.in_sync);
    // Either it is included by now and the root told so, or it is still named as open.
    if synced.book.leaf_nodes[0].status == Active {
        assert_eq!(synced.revocations, [response.user_op_hash]);
        settle(&person, &response).await;
    }
    assert_eq!(person.statuses().await, [Revoked, Active, Revoked, Active]);
    let synced = sync_sessions(person.relay.as_ref(), &person.store, person.account()).await.unwrap();
    assert!(synced.in_sync && synced.revocations.is_empty());
}

/// Of a grant and a revocation over the same root one must not undo the other.
#[tokio::test]
async fn a_grant_that_was_prepared_before_a_revocation_builds_on_what_it_left() {
    let person = Person::new().await;
    let ids = granted(&person, 2).await;
    let grant = prepare_create_session(&person.client, &person.store, person.grant_request()).await.unwrap();
    let revoked = revoke_sessions(&person.client, &person.store, these(&ids[..1])).await.unwrap();
    let granted = complete_create_session(&person.client, &person.store, grant).await.unwrap();
    settle(&person, &revoked).await;
    person.settle(&granted).await.unwrap();
    assert_eq!(person.statuses().await, [Revoked, Active, Active]);
    let (local, chain) = person.roots().await;
    assert_eq!(local, chain);
    assert!(matches!(proof(&person, &ids[0]).await, RevocationProof::Refused { .. }));
    let state = person.relay.account_state(person.account(), U256::ZERO);
    assert!(state.await.unwrap().nonce >= U256::from(4), "all four operations were included");
}

#[tokio::test]
async fn a_revocation_that_was_prepared_before_a_grant_keeps_the_new_session() {
    let person = Person::new().await;
    let ids = granted(&person, 1).await;
    let prepared = prepare_revoke_sessions(&person.client, &person.store, these(&ids)).await.unwrap();
    let request = person.grant_request();
    let grant = use_aa::actions::create_session::create_session(&person.client, &person.store, request).await.unwrap();
    let revoked = complete_revoke_sessions(&person.client, &person.store, prepared).await.unwrap();
    settle(&person, &revoked).await;
    assert_eq!(person.statuses().await, [Revoked, SessionStatus::Active]);
    let kept = &grant.session.unwrap().session_ids[0];
    person.use_session_with(mint_with(&person, kept)).await.unwrap();
}

// --- two devices ---

async fn publish(person: &Person) -> bool {
    publish_sessions(person.relay.as_ref(), &person.store, person.account()).await.unwrap()
}

#[tokio::test]
async fn a_second_device_adds_to_the_sessions_of_the_first() {
    let phone = Person::new().await;
    let ids = granted(&phone, 2).await;
    assert!(publish(&phone).await);
    assert!(!publish(&phone).await, "once per root");

    let laptop = phone.on_another_device();
    let theirs = granted(&laptop, 1).await;
    let leaves = laptop.leaves().await;
    assert_eq!(leaves.len(), 3);
    assert_eq!(leaves.iter().map(|leaf| leaf.is_on_other_device()).collect::<Vec<_>>(), [true, true, false]);
    laptop.use_session_with(mint_with(&laptop, &theirs[0])).await.unwrap();
    let default = laptop.use_session_with(laptop.mint_request()).await;
    assert!(default.is_ok(), "a session whose key is elsewhere is not picked: {default:?}");

    // Before the laptop publishes, the phone cannot prove its sessions; afterwards they work as they did.
    let lost = phone.use_session_with(mint_with(&phone, &ids[0])).await.unwrap_err();
    assert!(matches!(lost, AppError::SessionsOutOfSync { .. }), "{lost:?}");
    assert!(publish(&laptop).await);
    phone.use_session_with(mint_with(&phone, &ids[0])).await.unwrap();
    assert_eq!(phone.leaves().await.len(), 3);

    // What one device takes back is gone on the other.
    revoke(&phone, these(&[phone.leaves().await[2].session_id.clone()])).await;
    publish(&phone).await;
    let synced = sync_sessions(laptop.relay.as_ref(), &laptop.store, laptop.account()).await.unwrap();
    assert!(synced.in_sync);
    let ended = synced.book.find(&theirs[0]).unwrap();
    assert_eq!(ended.status, Revoked);
}

#[tokio::test]
async fn the_ledger_takes_only_what_the_chain_proves() {
    let person = Person::new().await;
    granted(&person, 1).await;
    let stale = person.store.load(person.account()).await.unwrap().published().unwrap();
    granted(&person, 1).await;
    let refused = person.relay.publish_sessions(person.account(), &stale).await.unwrap_err();
    let (local, chain) = person.roots().await;
    assert_eq!(refused, AppError::SessionsOutOfSync { local: stale.root(), chain });
    assert_eq!(person.relay.published_sessions(person.account(), local).await.unwrap(), None);
    let stranger = person.relay.publish_sessions(stale_account(), &stale).await.unwrap_err();
    assert!(matches!(stranger, AppError::SessionsOutOfSync { .. }));
}

fn stale_account() -> alloy::primitives::Address {
    alloy::primitives::Address::repeat_byte(0x77)
}

#[tokio::test]
async fn what_was_taken_back_can_be_given_again_with_the_same_key() {
    let person = Person::new().await;
    let ids = granted(&person, 2).await;
    revoke(&person, these(&ids[..1])).await;
    let restore = || RestoreSessionsVariables { session_ids: ids[..1].to_vec(), ..Default::default() };

    person.wallet.refuses.set(true);
    let before = person.store.load(person.account()).await.unwrap();
    restore_sessions(&person.client, &person.store, restore()).await.unwrap_err();
    assert_eq!(person.store.load(person.account()).await.unwrap(), before);
    person.wallet.refuses.set(false);

    let response = restore_sessions(&person.client, &person.store, restore()).await.unwrap();
    person.settle(&response).await.unwrap();
    assert_eq!(person.statuses().await, [Active, Active]);
    person.use_session_with(mint_with(&person, &ids[0])).await.unwrap();
    let not_revoked = restore_sessions(&person.client, &person.store, restore()).await.unwrap_err();
    assert!(matches!(not_revoked, AppError::InvalidInput { .. }), "{not_revoked:?}");
}

/// Two devices grant over the same root in lanes of their own, so both operations are included and the later root
/// leaves the earlier session out.
#[tokio::test]
async fn the_loser_of_two_grants_at_the_same_time_is_found_and_repaired() {
    let phone = Person::new().await;
    granted(&phone, 1).await;
    publish(&phone).await;
    let laptop = phone.on_another_device();
    sync_sessions(laptop.relay.as_ref(), &laptop.store, laptop.account()).await.unwrap();
    let in_lane = |key: u64| {
        let mut request = phone.grant_request();
        request.options.nonce_options = Some(NonceOptions { nonce_key: Some(U256::from(key)), nonce_override: None });
        request
    };
    let on_phone = prepare_create_session(&phone.client, &phone.store, in_lane(1)).await.unwrap();
    let on_laptop = prepare_create_session(&laptop.client, &laptop.store, in_lane(2)).await.unwrap();
    let on_phone = complete_create_session(&phone.client, &phone.store, on_phone).await.unwrap();
    phone.settle(&on_phone).await.unwrap();
    let lost = on_phone.session.unwrap().session_ids[0].clone();
    let on_laptop = complete_create_session(&laptop.client, &laptop.store, on_laptop).await.unwrap();
    laptop.settle(&on_laptop).await.unwrap();
    publish(&laptop).await;

    let synced = sync_sessions(phone.relay.as_ref(), &phone.store, phone.account()).await.unwrap();
    let adopted = synced.adopted.expect("the laptop's set is taken over");
    assert_eq!((adopted.added.len(), adopted.ended.as_slice()), (1, &[lost.clone()][..]));
    assert!(synced.book.find(&lost).unwrap().state().ending().unwrap().elsewhere);
    let repair = RestoreSessionsVariables { session_ids: adopted.ended, ..Default::default() };
    let response = restore_sessions(&phone.client, &phone.store, repair).await.unwrap();
    phone.settle(&response).await.unwrap();
    phone.use_session_with(mint_with(&phone, &lost)).await.unwrap();
    assert_eq!(phone.statuses().await, [Active; 3]);
    publish(&phone).await;
    let theirs = on_laptop.session.unwrap().session_ids[0].clone();
    laptop.use_session_with(mint_with(&laptop, &theirs)).await.unwrap();
}
