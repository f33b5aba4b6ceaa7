//! Uses of sessions, counted by the server from the real chain.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::rc::Rc;

use alloy::primitives::U256;
use serde_json::json;
use use_aa::{
    actions::{
        create_batch_session::{CreateBatchSessionVariables, create_batch_session},
        send_with_batch_session::{SendWithBatchSessionRequest, send_with_batch_session},
        send_with_session::SendWithSessionRequest,
        wait_for_user_operation_receipt::wait_for_user_operation_receipt,
    },
    client::relay_native::HttpRelay,
    protocol::{policy::Policy, session::SessionUses},
};

mod actions_support;
use actions_support::{Person, now, server_url};

async fn uses(url: &str, person: &Person) -> SessionUses {
    let answer = reqwest::Client::new()
        .post([url, "/api/fn/session_uses"].concat())
        .json(&json!({ "account": person.account() }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test]
async fn single_and_batched_uses_are_counted_by_leaf_and_grants_are_not() {
    let url = server_url().await;
    let person = Person::at(Rc::new(HttpRelay::new(&url).unwrap()));
    assert!(uses(&url, &person).await.uses.is_empty(), "an account that nobody has seen");
    let mut ids = person.grant(person.grant_request()).await.unwrap();
    ids.extend(person.grant(person.grant_request()).await.unwrap());
    assert!(uses(&url, &person).await.uses.is_empty(), "the owner signed the grants");

    for id in [&ids[0], &ids[0], &ids[1]] {
        let request = SendWithSessionRequest { session_id: Some(id.clone()), ..person.mint_request() };
        person.use_session(request).await.unwrap();
    }
    let told = uses(&url, &person).await;
    let leaves = person.leaves().await;
    let count = |told: &SessionUses, leaf: usize| told.of(leaves[leaf].hash()).map(|used| used.count);
    assert_eq!((count(&told, 0), count(&told, 1), told.uses.len()), (Some(2), Some(1), 2));
    let last = told.of(leaves[0].hash()).unwrap();
    assert!(last.last_at.abs_diff(now()) < 3_600 && !last.last_transaction.is_zero(), "{last:?}");
    assert!(told.from_block <= told.to_block);

    // Two sessions in one operation: one use of each.
    let other = Policy { value_limit: U256::ONE, ..person.mint_policy() };
    let policy = vec![person.mint_policy().into(), other.into()];
    let request = CreateBatchSessionVariables { policy, ..Default::default() };
    let response = create_batch_session(&person.client, &person.store, request).await.unwrap();
    person.settle(&response).await.unwrap();
    let batch = response.session.unwrap().session_ids;
    let request = SendWithBatchSessionRequest {
        account: person.account(),
        calls: vec![Person::mint_call(person.account()); 2],
        session_ids: Some(batch.clone()),
        ..Default::default()
    };
    let sent = send_with_batch_session(person.relay.as_ref(), &person.store, request).await.unwrap();
    wait_for_user_operation_receipt(person.relay.as_ref(), sent.user_op_hash, |_| {}).await.unwrap();
    let told = uses(&url, &person).await;
    for leaf in person.leaves().await.iter().filter(|leaf| batch.contains(&leaf.session_id)) {
        let used = told.of(leaf.hash()).unwrap();
        assert_eq!(used.count, 1);
    }
    assert_eq!((count(&told, 0), told.uses.len()), (Some(2), 4));
}
