//! Uses of sessions, counted by the server from the real chain.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use alloy::primitives::U256;
use serde_json::json;
use use_aa::{
    actions::{
        create_batch_session::{CreateBatchSessionVariables, create_batch_session},
        options::Options,
        ports::Relay,
        send_transaction::prepare_transaction,
        send_user_operation::sign_user_operation,
        send_with_batch_session::{SendWithBatchSessionRequest, send_with_batch_session},
        send_with_session::SendWithSessionRequest,
        wait_for_user_operation_receipt::wait_for_user_operation_receipt,
    },
    client::relay_native::HttpRelay,
    protocol::{policy::Policy, session::SessionUses},
};

mod actions_support;
use actions_support::{
    Person,
    common::{
        self,
        manners::{Cap, Manners, Proxy},
    },
    now, server_url, server_with,
};

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
        person.use_session_with(request).await.unwrap();
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
    assert_eq!((count(&told, 0), told.uses.len(), told.unreadable), (Some(2), 4, 0));

    // The owner's signature without its padding: the account takes it, whoever reads along does not guess.
    let calls = [Person::mint_call(person.account())];
    let prepared = prepare_transaction(&person.client, &calls, &Options::sponsored()).await.unwrap();
    let mut signed = sign_user_operation(&person.client, &prepared).await.unwrap();
    signed.signature = signed.signature.slice(..signed.signature.len() - 31);
    let user_op_hash = person.relay.send(&signed, None).await.unwrap();
    wait_for_user_operation_receipt(person.relay.as_ref(), user_op_hash, |_| {}).await.unwrap();
    let after = uses(&url, &person).await;
    assert_eq!((after.uses, after.unreadable), (told.uses, 1), "counted for nobody, and nothing else is lost");
}

/// Passes on to the lab's node, and counts the calls.
async fn counting_node() -> (String, Arc<AtomicUsize>) {
    let node = common::lab().await.info().rpc_url.expose().to_string();
    let calls = Arc::new(AtomicUsize::new(0));
    let pass_on = {
        let calls = calls.clone();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        axum::routing::post(async move |body: String| {
            let asked: serde_json::Value = serde_json::from_str(&body).unwrap();
            calls.fetch_add(asked.as_array().map_or(1, Vec::len), Ordering::SeqCst);
            let request = client.post(node).header("content-type", "application/json").body(body);
            request.send().await.unwrap().text().await.unwrap()
        })
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/", pass_on)).await.unwrap() });
    (url, calls)
}

/// Who counts the questions to the node, and who makes blocks meanwhile, take turns.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[tokio::test]
async fn however_many_ask_the_chain_is_read_once_and_then_only_what_is_new() {
    let _turn = TURN.lock().await;
    let (node, calls) = counting_node().await;
    let url = server_with(|config| config.rpc_urls = vec![node.parse().unwrap()]).await;
    // Acts through a server of its own: what it asks is not counted.
    let person = Person::new().await;
    let ids = person.grant(person.grant_request()).await.unwrap();
    let request = || SendWithSessionRequest { session_id: Some(ids[0].clone()), ..person.mint_request() };
    for _ in 0..12 {
        person.use_session_with(request()).await.unwrap();
    }
    let asked = || calls.swap(0, Ordering::SeqCst);
    asked();
    let count = |told: &SessionUses| told.uses.iter().map(|used| used.count).sum::<u64>();
    let told = futures::future::join_all((0..20).map(|_| uses(&url, &person))).await;
    assert!(told.iter().all(|told| count(told) == 12), "{told:?}");
    // Height and logs once more for each block that comes meanwhile.
    let (first, at_once) = (asked(), 3 + 12 + 12 + 1 + 2 * 4);
    assert!((4..=at_once).contains(&first), "{first} calls for 20 questions at once, of 12 uses");
    for _ in 0..40 {
        assert_eq!(count(&uses(&url, &person).await), 12);
    }
    let again = asked();
    assert!(again <= 8, "{again} calls for 40 questions more");
    // A new use is seen, and costs what is new.
    person.use_session_with(request()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    asked();
    assert_eq!(count(&uses(&url, &person).await), 13);
    let new = asked();
    assert!(new <= 5, "{new} calls for one use more");
}

/// Providers take so many blocks in one question for logs, and say so in many ways. Uses are counted all the same, what a
/// node takes is asked of it from then on, and a wider one is asked first.
#[tokio::test]
async fn uses_are_counted_whatever_range_of_logs_a_node_takes() {
    let _turn = TURN.lock().await;
    let node = common::lab().await.info().rpc_url.expose().to_string();
    let (person, stranger) = (Person::new().await, Person::new().await);
    let ids = person.grant(person.grant_request()).await.unwrap();
    for _ in 0..3 {
        let request = SendWithSessionRequest { session_id: Some(ids[0].clone()), ..person.mint_request() };
        person.use_session_with(request).await.unwrap();
    }
    let count = |told: &SessionUses| told.uses.iter().map(|used| used.count).sum::<u64>();
    let cap = |blocks, status, code, words| Cap { blocks, status, code, words };
    let caps = [
        cap(10, 200, -32600, |most| format!("You can make eth_getLogs requests with up to a {most} block range.")),
        cap(5, 200, -32602, |most| format!("query block range exceeds server limit of {most}")),
        cap(5, 200, -32005, |_| "limit exceeded".into()),
        cap(2, 200, -32614, |most| format!("eth_getLogs is limited to a {most} range")),
        cap(4, 400, -32000, |most| format!("exceed maximum block range: {most}")),
        cap(6, 400, 0, |_| "block range is too wide".into()),
        cap(3, 413, 0, |_| "no".into()),
    ];
    for cap in caps {
        let proxy = Proxy::start(node.clone(), Manners { logs: Some(cap), ..Default::default() }).await;
        let url = server_with(|config| config.rpc_urls = vec![proxy.url.parse().unwrap()]).await;
        let told = uses(&url, &person).await;
        assert_eq!((count(&told), told.from_block), (3, 0), "{cap:?}: {told:?}");
        let refusals = 14 + told.to_block / cap.blocks.min(2);
        assert!((proxy.count("eth_getLogs") as u64) < 2 * refusals, "{cap:?}: {}", proxy.count("eth_getLogs"));
        proxy.forget();
        assert_eq!(count(&uses(&url, &stranger).await), 0, "{cap:?}");
        assert!((1..=cap.blocks).contains(&proxy.longest_logs()), "{cap:?}: {} blocks", proxy.longest_logs());
        // A new use costs what is new, not all blocks again; many blocks are read again for reorganisations.
        assert_eq!(count(&uses(&url, &person).await), 3, "{cap:?}");
    }
    let narrow = Proxy::start(node.clone(), Manners { logs: Some(caps[1]), ..Default::default() }).await;
    let wide = Proxy::start(node, Manners::default()).await;
    let urls = [&narrow, &wide].map(|proxy| proxy.url.parse().unwrap());
    let url = server_with(|config| config.rpc_urls = urls.to_vec()).await;
    assert_eq!(count(&uses(&url, &person).await), 3);
    wide.forget();
    narrow.forget();
    assert_eq!(count(&uses(&url, &stranger).await), 0);
    let asked = (narrow.count("eth_getLogs"), wide.count("eth_getLogs"));
    assert!(asked.0 <= 1 && asked.1 == 1, "the whole range of the wider one: {asked:?}");
    assert!(narrow.count("eth_blockNumber") > 0, "everything else of the first one");
}
