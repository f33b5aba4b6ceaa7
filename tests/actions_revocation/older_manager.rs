//! Sessions of the older session key manager: found, shown, refused to be used, and ended.

use alloy::{primitives::B256, signers::local::PrivateKeySigner};
use use_aa::{
    actions::{
        options::BuildUserOpOptions,
        ports::{Relay, SessionStore},
        prove_revocation::RevocationProof,
        revoke_sessions::revoke_sessions,
        send_sponsored_transaction::send_sponsored_transaction,
        send_with_session::send_with_session,
        sync_sessions::sync_sessions,
        wait_for_user_operation_receipt::wait_for_user_operation_receipt,
    },
    error::AppError,
    protocol::{
        session::{SessionBook, SessionKeyManager, SessionLeaf, SessionStatus},
        smart_account::{enable_module, set_merkle_root_at},
    },
};

use super::{actions_support::Person, all, granted, mint_with, proof, publish, revoke, these};

/// Enables the older manager and puts two sessions there; stores them as the JavaScript SDK does.
async fn older_sessions(person: &Person) -> Vec<SessionLeaf> {
    let mut leaves = Vec::new();
    for number in 0..2_u64 {
        let key = PrivateKeySigner::random();
        let policy = person.mint_policy().with_valid_until(super::actions_support::now() + 3_600 + number);
        leaves.push(SessionLeaf::from_policy(&policy, key.address(), format!("sdk{number}")).unwrap());
        person.store.put_signer(person.account(), &key).await.unwrap();
    }
    let root = SessionBook::default().root_with(&leaves);
    let manager = SessionKeyManager::Older.address();
    let calls = [enable_module(person.account(), manager), set_merkle_root_at(manager, root)];
    let response = send_sponsored_transaction(&person.client, &calls, &BuildUserOpOptions::default()).await.unwrap();
    wait_for_user_operation_receipt(person.relay.as_ref(), response.user_op_hash, |_| {}).await.unwrap();
    let stored = leaves.clone();
    let change = move |book: &mut SessionBook| {
        book.leaf_nodes.extend(stored);
        Ok(())
    };
    person.store.update(person.account(), Box::new(change)).await.unwrap();
    leaves
}

/// The chain refuses the session's key.
async fn refused(person: &Person, id: &str) {
    let answer = proof(person, id).await;
    assert!(matches!(answer, RevocationProof::Refused { .. }), "{answer:?}");
}

async fn sync(person: &Person) -> use_aa::actions::sync_sessions::SyncedSessions {
    sync_sessions(person.relay.as_ref(), &person.store, person.account()).await.unwrap()
}

#[tokio::test]
async fn sessions_of_the_older_manager_are_found_shown_and_ended() {
    let person = Person::new().await;
    let current = granted(&person, 1).await;
    let older = older_sessions(&person).await;
    let state = person.relay.account_state(person.account(), Default::default()).await.unwrap();
    assert!(state.older_session_key_manager_enabled && state.older_root() == SessionBook::default().root_with(&older));

    let synced = sync(&person).await;
    assert!(synced.in_sync && synced.older_in_sync);
    for leaf in &older {
        let found = synced.book.find(&leaf.session_id).unwrap();
        assert_eq!((found.status, found.manager()), (SessionStatus::Active, SessionKeyManager::Older));
    }
    // They work on the chain: that is what ending them is for. From here they are not used.
    let alive = proof(&person, "sdk0").await;
    assert_eq!(alive, RevocationProof::NotProven { answer: "the operation is valid".into() });
    let used = send_with_session(person.relay.as_ref(), &person.store, mint_with(&person, "sdk0")).await;
    assert!(matches!(used, Err(AppError::InvalidInput { .. })), "{used:?}");
    person.use_session_with(person.mint_request()).await.unwrap();

    // A grant goes to the current manager and leaves them alone.
    granted(&person, 1).await;
    assert!(sync(&person).await.older_in_sync);

    // Another device learns of them from the ledger.
    assert!(publish(&person).await);
    let laptop = person.on_another_device();
    let seen = sync(&laptop).await;
    assert!(seen.in_sync && seen.older_in_sync);
    assert_eq!(seen.book.part_of(SessionKeyManager::Older).root(), state.older_merkle_root);

    // One is ended, the other and the current ones stay.
    revoke(&person, these(&["sdk0".to_owned()])).await;
    let book = sync(&person).await.book;
    let status = |id: &str| book.find(id).unwrap().status;
    assert_eq!(
        [status("sdk0"), status("sdk1"), status(&current[0])],
        [SessionStatus::Revoked, SessionStatus::Active, SessionStatus::Active]
    );
    refused(&person, "sdk0").await;
    assert!(matches!(proof(&person, "sdk1").await, RevocationProof::NotProven { .. }));
    person.use_session_with(person.mint_request()).await.unwrap();

    // All: both managers.
    revoke(&person, all()).await;
    let after = person.relay.account_state(person.account(), Default::default()).await.unwrap();
    assert_eq!([after.merkle_root, after.older_merkle_root], [B256::ZERO; 2]);
    refused(&person, "sdk1").await;
    assert!(person.statuses().await.iter().all(|status| *status == SessionStatus::Revoked));
}

#[tokio::test]
async fn unknown_sessions_of_the_older_manager_are_said_to_be_there_and_can_all_be_ended() {
    let phone = Person::new().await;
    older_sessions(&phone).await;
    let laptop = phone.on_another_device();
    let synced = sync(&laptop).await;
    assert!(synced.in_sync && !synced.older_in_sync, "nobody published them");
    assert!(sync(&phone).await.older_in_sync);
    let response = revoke_sessions(&laptop.client, &laptop.store, all()).await.unwrap();
    super::settle(&laptop, &response).await;
    assert!(sync(&laptop).await.older_in_sync);
    sync(&phone).await;
    refused(&phone, "sdk0").await;
}
