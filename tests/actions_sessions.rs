//! Sessions, end to end: the actions of the page, run natively against the real server and the real lab.
#![cfg(feature = "ssr")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use alloy::primitives::{Address, B256, Bytes, U256};
use serde_json::json;
use use_aa::{
    actions::{
        create_session::{complete_create_session, create_session, prepare_create_session},
        options::{BuildUserOpOptions, GasOffset, NonceOptions, Options, PaymasterServiceData, merge_options},
        ports::{Relay, SessionStore},
        send_sponsored_transaction::send_sponsored_transaction,
        send_with_session::{complete_send_with_session, prepare_send_with_session, send_with_session},
        sync_sessions::sync_sessions,
        wait_for_user_operation_receipt::wait_for_user_operation_receipt,
    },
    error::AppError,
    protocol::{
        policy::{Condition, Policy, ReferenceValue, Rule, SessionEpoch},
        rpc::UserOpUpdate,
        session::{PublishedLeaves, SessionStatus},
        smart_account::set_merkle_root,
    },
};

mod actions_support;
#[path = "actions_sessions/rendered.rs"]
mod rendered;
use actions_support::{Person, now};

#[tokio::test]
async fn a_new_account_is_deployed_granted_and_mints_by_session_with_the_gas_sponsored() {
    let person = Person::new().await;
    let before = person.relay.account_state(person.account(), U256::ZERO).await.unwrap();
    assert!(!before.deployed && before.balance.is_zero() && before.merkle_root.is_zero());

    let mut seen = Vec::new();
    let prepared = prepare_create_session(&person.client, &person.store, person.grant_request()).await.unwrap();
    assert!(prepared.operation().is_sponsored());
    assert!(person.leaves().await.is_empty(), "preparing writes nothing");
    let response = complete_create_session(&person.client, &person.store, prepared).await.unwrap();
    let leaves = person.leaves().await;
    assert_eq!(leaves[0].status, SessionStatus::Pending);
    assert_eq!(leaves[0].user_op_hash, Some(response.user_op_hash));
    let receipt = wait_for_user_operation_receipt(person.relay.as_ref(), response.user_op_hash, |update| {
        seen.push(update.clone());
    })
    .await
    .unwrap();
    assert!(matches!(seen.last(), Some(UserOpUpdate::Confirmed { .. })), "{seen:?}");
    person.settle(&response).await.unwrap();
    assert_eq!(person.statuses().await, [SessionStatus::Active]);
    let (local, chain) = person.roots().await;
    assert_eq!(local, chain);
    assert!(!chain.is_zero());
    let transaction = person.relay.read("eth_getTransactionReceipt", json!([receipt.transaction_hash])).await.unwrap();
    assert_eq!(transaction["status"], "0x1", "{transaction}");

    let signed = person.wallet.signed.get();
    assert_eq!(signed, 1);
    assert_eq!(person.nfts().await, 0);
    person.use_session_with(person.mint_request()).await.unwrap();
    assert_eq!(person.nfts().await, 1);
    assert_eq!(person.wallet.signed.get(), signed, "the owner had no part in it");
    let after = person.relay.account_state(person.account(), U256::ZERO).await.unwrap();
    assert!(after.deployed && after.session_key_manager_enabled);
    assert!(after.balance.is_zero(), "the gas was sponsored");
}

#[tokio::test]
async fn a_second_grant_keeps_the_first_session_working() {
    let person = Person::new().await;
    let first = person.grant(person.grant_request()).await.unwrap();
    let mut two = person.grant_request();
    two.policy.push(person.mint_policy());
    let second = person.grant(two).await.unwrap();
    assert_eq!(person.statuses().await, [SessionStatus::Active; 3]);
    let leaves = person.leaves().await;
    assert_eq!(leaves[1].session_key_address, leaves[2].session_key_address, "one key per grant");
    assert_ne!(leaves[0].session_key_address, leaves[1].session_key_address);
    let mut request = person.mint_request();
    request.corresponding_index = Some(0);
    let prepared = prepare_send_with_session(person.relay.as_ref(), &person.store, request).await.unwrap();
    assert_eq!(prepared.leaves().next().unwrap().session_id, first[0]);
    let response = complete_send_with_session(person.relay.as_ref(), &prepared).await.unwrap();
    wait_for_user_operation_receipt(person.relay.as_ref(), response.user_op_hash, |_| {}).await.unwrap();
    for session_id in second {
        let mut request = person.mint_request();
        request.session_id = Some(session_id);
        person.use_session_with(request).await.unwrap();
    }
    assert_eq!(person.nfts().await, 3);
}

#[tokio::test]
async fn uses_at_the_same_time_do_not_wait_for_each_other() {
    let person = Person::new().await;
    person.grant(person.grant_request()).await.unwrap();
    let uses = (0..5).map(|_| person.use_session_with(person.mint_request()));
    for receipt in futures::future::join_all(uses).await {
        receipt.unwrap();
    }
    assert_eq!(person.nfts().await, 5);
}

#[tokio::test]
async fn an_expired_session_is_refused_by_name_and_nothing_is_sent() {
    let person = Person::new().await;
    let valid_until = now() + 8;
    let mut request = person.grant_request();
    request.policy[0].interval = SessionEpoch { valid_until, valid_after: 0 };
    let ids = person.grant(request).await.unwrap();
    person.use_session_with(person.mint_request()).await.unwrap();
    while now() <= valid_until {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let operations = person.operations().await;
    let error = person.use_session_with(person.mint_request()).await.unwrap_err();
    assert_eq!(error, AppError::SessionExpired { session_id: ids[0].clone(), valid_until });
    assert_eq!(person.operations().await, operations);
    // It is still a leaf of the tree, so the next grant stays in step with the chain.
    person.grant(person.grant_request()).await.unwrap();
    person.use_session_with(person.mint_request()).await.unwrap();
    assert_eq!(person.nfts().await, 2);
}

#[tokio::test]
async fn a_session_that_has_not_begun_says_when_it_does() {
    let person = Person::new().await;
    let valid_after = now() + 3600;
    let mut request = person.grant_request();
    request.policy[0].interval = SessionEpoch { valid_until: 0, valid_after };
    person.grant(request).await.unwrap();
    let error = person.use_session_with(person.mint_request()).await.unwrap_err();
    assert!(matches!(error, AppError::SessionNotYetValid { valid_after: after, .. } if after == valid_after));
}

#[tokio::test]
async fn a_call_outside_the_policy_names_the_rule_and_nothing_is_sent() {
    let person = Person::new().await;
    person.grant(person.grant_request()).await.unwrap();
    let operations = person.operations().await;
    let refused = async |change: &dyn Fn(&mut use_aa::protocol::smart_account::Call)| {
        let mut request = person.mint_request();
        change(&mut request.calls[0]);
        match send_with_session(person.relay.as_ref(), &person.store, request).await {
            Err(AppError::PolicyViolation { rule, .. }) => rule,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&|call| *call = Person::mint_call(Address::repeat_byte(1))).await, "rule 0");
    assert_eq!(refused(&|call| call.to = Address::repeat_byte(1)).await, "destination");
    assert_eq!(refused(&|call| call.data = vec![1, 2, 3, 4].into()).await, "selector");
    assert_eq!(refused(&|call| call.value = U256::MAX).await, "value limit");
    assert_eq!(refused(&|call| call.data = Default::default()).await, "selector");
    assert_eq!(refused(&|call| call.data = call.data.slice(..10)).await, "rule 0");
    assert_eq!(person.operations().await, operations);
    assert_eq!(person.nfts().await, 0);
    assert_eq!(person.statuses().await, [SessionStatus::Active]);
}

#[tokio::test]
async fn a_refused_signature_leaves_nothing_and_the_next_grant_works() {
    let person = Person::new().await;
    person.wallet.refuses.set(true);
    let error = create_session(&person.client, &person.store, person.grant_request()).await.unwrap_err();
    assert_eq!(error, AppError::WalletRejected);
    assert!(person.leaves().await.is_empty());
    assert!(person.store.session_key_addresses(person.account()).is_empty());
    person.wallet.refuses.set(false);
    person.wallet.chain_id.set(1);
    let error = create_session(&person.client, &person.store, person.grant_request()).await.unwrap_err();
    assert_eq!(error, AppError::WrongChain { expected: 31_337, actual: 1 });
    person.wallet.chain_id.set(31_337);
    person.grant(person.grant_request()).await.unwrap();
    person.use_session_with(person.mint_request()).await.unwrap();
    assert_eq!(person.nfts().await, 1);
    assert_eq!(person.store.session_key_addresses(person.account()).len(), 1);
}

#[tokio::test]
async fn an_account_without_code_cannot_be_used() {
    let person = Person::new().await;
    let error = person.use_session_with(person.mint_request()).await.unwrap_err();
    assert!(matches!(error, AppError::SessionNotFound { .. }));
    // Sessions of a chain that was started anew: stored as granted, but the account is not even there.
    let granted = Person::new().await;
    granted.grant(granted.grant_request()).await.unwrap();
    let book = granted.store.load(granted.account()).await.unwrap();
    let change = |empty: &mut use_aa::protocol::session::SessionBook| {
        *empty = book;
        Ok(())
    };
    person.store.update(person.account(), Box::new(change)).await.unwrap();
    let error = person.use_session_with(person.mint_request()).await.unwrap_err();
    let expected = [
        AppError::AccountNotDeployed { account: person.account() },
        AppError::SessionRevoked { session_id: person.leaves().await[0].session_id.clone() },
    ];
    assert!(expected.contains(&error), "{error}");
    assert_eq!(person.operations().await, 0);
}

#[tokio::test]
async fn a_root_set_elsewhere_is_noticed_before_anything_is_sent() {
    let person = Person::new().await;
    person.grant(person.grant_request()).await.unwrap();
    let foreign = B256::repeat_byte(0xab);
    let options = BuildUserOpOptions::default();
    let response = send_sponsored_transaction(&person.client, &[set_merkle_root(foreign)], &options).await.unwrap();
    wait_for_user_operation_receipt(person.relay.as_ref(), response.user_op_hash, |_| {}).await.unwrap();
    let (local, chain) = person.roots().await;
    assert_eq!(chain, foreign);
    let (operations, book) = (person.operations().await, person.store.load(person.account()).await.unwrap());
    let expected = AppError::SessionsOutOfSync { local, chain };
    assert_eq!(person.use_session_with(person.mint_request()).await.unwrap_err(), expected);
    assert_eq!(person.grant(person.grant_request()).await.unwrap_err(), expected);
    assert!(!sync_sessions(person.relay.as_ref(), &person.store, person.account()).await.unwrap().in_sync);
    assert_eq!(person.operations().await, operations);
    assert_eq!(person.store.load(person.account()).await.unwrap(), book);
}

/// A set of large leaves, so many bytes as JSON or a little less; the first of them is `number`.
fn large_set(number: u8, bytes: usize) -> PublishedLeaves {
    let leaf = |first: u8| Bytes::from([vec![first; 1], vec![0x5a; 4_000]].concat());
    let count = bytes / (2 * 4_001 + 5);
    serde_json::from_value(json!(std::iter::once(leaf(number)).chain((1..count).map(|_| leaf(0))).collect::<Vec<_>>()))
        .unwrap()
}

#[tokio::test]
async fn large_sets_are_published_up_to_what_is_promised() {
    const MIB: usize = 1024 * 1024;
    let person = Person::new().await;
    for bytes in [2 * MIB + MIB / 2, 8 * MIB - 20_000] {
        let set = large_set(1, bytes);
        let root = set.root();
        let options = BuildUserOpOptions::default();
        let response = send_sponsored_transaction(&person.client, &[set_merkle_root(root)], &options).await.unwrap();
        wait_for_user_operation_receipt(person.relay.as_ref(), response.user_op_hash, |_| {}).await.unwrap();
        person.relay.publish_sessions(person.account(), &set).await.unwrap();
        let found = person.relay.published_sessions(person.account(), root).await.unwrap();
        assert!(found == Some(set), "{bytes} bytes come back");
    }
    let too_large = person.relay.publish_sessions(person.account(), &large_set(2, 8 * MIB + 20_000)).await.unwrap_err();
    assert_eq!(too_large, AppError::TooLarge { what: "the request".into(), limit: "8192 KiB".into() });
    // What the chain has not is not kept, of whomever.
    let other = large_set(3, 10_000);
    let refused = person.relay.publish_sessions(person.account(), &other).await.unwrap_err();
    assert!(matches!(refused, AppError::SessionsOutOfSync { .. }), "{refused}");
    let nobody = person.relay.publish_sessions(Address::repeat_byte(0x77), &other).await.unwrap_err();
    assert_eq!(nobody, AppError::SessionsOutOfSync { local: other.root(), chain: B256::ZERO });
}

#[tokio::test]
async fn all_sessions_taken_back_elsewhere_are_revoked_here_and_a_new_grant_works() {
    let person = Person::new().await;
    person.grant(person.grant_request()).await.unwrap();
    let none = [set_merkle_root(B256::ZERO)];
    let response = send_sponsored_transaction(&person.client, &none, &BuildUserOpOptions::default()).await.unwrap();
    wait_for_user_operation_receipt(person.relay.as_ref(), response.user_op_hash, |_| {}).await.unwrap();
    let error = person.use_session_with(person.mint_request()).await.unwrap_err();
    assert!(matches!(error, AppError::SessionRevoked { .. }), "{error}");
    person.grant(person.grant_request()).await.unwrap();
    assert_eq!(person.statuses().await, [SessionStatus::Revoked, SessionStatus::Active]);
    person.use_session_with(person.mint_request()).await.unwrap();
}

#[tokio::test]
async fn two_grants_at_once_in_one_browser_both_end_up_on_chain() {
    let person = Person::new().await;
    person.grant(person.grant_request()).await.unwrap();
    let (one, other) = futures::join!(person.grant(person.grant_request()), person.grant(person.grant_request()));
    let ids = [one.unwrap(), other.unwrap()].concat();
    assert_eq!(person.statuses().await, [SessionStatus::Active; 3]);
    let (local, chain) = person.roots().await;
    assert_eq!(local, chain);
    for session_id in ids {
        let mut request = person.mint_request();
        request.session_id = Some(session_id);
        person.use_session_with(request).await.unwrap();
    }
    assert_eq!(person.nfts().await, 2);
}

#[tokio::test]
async fn two_grants_at_once_on_two_devices_never_overwrite_each_other_unseen() {
    let here = Person::new().await;
    let there = here.on_another_device();
    let on_this = prepare_create_session(&here.client, &here.store, here.grant_request()).await.unwrap();
    let on_that = prepare_create_session(&there.client, &there.store, there.grant_request()).await.unwrap();
    let granted = complete_create_session(&here.client, &here.store, on_this).await.unwrap();
    let refused = complete_create_session(&there.client, &there.store, on_that).await;
    here.settle(&granted).await.unwrap();
    // The bundler may take the second one over from the first only before it sends; the shared nonce lets
    // one of the two through at most.
    let second_failed = match refused {
        Ok(response) => there.settle(&response).await.is_err(),
        Err(_) => true,
    };
    assert!(second_failed);
    assert!(there.leaves().await.is_empty());
    assert!(there.store.session_key_addresses(there.account()).is_empty());
    here.use_session_with(here.mint_request()).await.unwrap();
    assert!(matches!(there.grant(there.grant_request()).await, Err(AppError::SessionsOutOfSync { .. })));
}

#[tokio::test]
async fn a_page_that_is_closed_in_mid_grant_finds_its_session_again() {
    let person = Person::new().await;
    let response = create_session(&person.client, &person.store, person.grant_request()).await.unwrap();
    // Nobody follows it; the page is opened again.
    let synced = sync_sessions(person.relay.as_ref(), &person.store, person.account()).await.unwrap();
    assert!(synced.in_sync);
    assert!(synced.pending.is_empty() || synced.pending == [response.user_op_hash]);
    for user_op_hash in synced.pending {
        let settled = use_aa::actions::settle_session::settle_session(
            person.relay.as_ref(),
            &person.store,
            person.account(),
            user_op_hash,
            |_| {},
        );
        settled.await.unwrap();
    }
    assert_eq!(person.statuses().await, [SessionStatus::Active]);
    person.use_session_with(person.mint_request()).await.unwrap();
    assert_eq!(person.nfts().await, 1);
}

#[tokio::test]
async fn sessions_that_the_javascript_sdk_left_pending_are_taken_over() {
    let person = Person::new().await;
    person.grant(person.grant_request()).await.unwrap();
    // The SDK writes neither ACTIVE nor our own fields.
    let as_the_sdk = |book: &mut use_aa::protocol::session::SessionBook| {
        for leaf in &mut book.leaf_nodes {
            (leaf.status, leaf.user_op_hash, leaf.label) = (SessionStatus::Pending, None, None);
            leaf.extra.clear();
        }
        Ok(())
    };
    person.store.update(person.account(), Box::new(as_the_sdk)).await.unwrap();
    person.use_session_with(person.mint_request()).await.unwrap();
    assert_eq!(person.statuses().await, [SessionStatus::Active]);
    assert_eq!(person.nfts().await, 1);
}

#[tokio::test]
async fn huge_numbers_are_refused_by_name_or_kept_exactly() {
    let person = Person::new().await;
    let with = |change: &dyn Fn(&mut Policy)| {
        let mut request = person.grant_request();
        change(&mut request.policy[0]);
        request
    };
    let too_much = U256::from(1) << 128;
    for (field, request) in [
        ("value", with(&|policy| policy.value_limit = too_much)),
        ("offset", with(&|policy| policy.rules[0].offset = u32::MAX)),
        ("validUntil", with(&|policy| policy.interval.valid_until = u64::MAX)),
        ("policy", with(&|policy| policy.rules = vec![policy.rules[0].clone(); 70_000])),
    ] {
        let error = person.grant(request).await.unwrap_err();
        let named =
            matches!(error, AppError::InvalidInput { .. } | AppError::PolicyRefused { .. } | AppError::TooLarge { .. });
        assert!(named, "{field}: {error}");
    }
    assert!(person.leaves().await.is_empty());

    let largest = with(&|policy| {
        policy.value_limit = too_much - U256::from(1);
        policy.interval = SessionEpoch { valid_until: (1 << 48) - 1, valid_after: 0 };
        let at_most = ReferenceValue::Uint(U256::MAX);
        policy.rules.push(Rule { offset: 0, condition: Condition::LessThanOrEqual, reference_value: at_most });
    });
    let mut request = largest;
    let largest_key = (U256::from(1) << 192) - U256::from(1);
    let lane = NonceOptions { nonce_key: Some(largest_key), nonce_override: None };
    request.options.nonce_options = Some(lane);
    person.grant(request).await.unwrap();
    let mut mint = person.mint_request();
    mint.options.nonce_options = Some(lane);
    let prepared = prepare_send_with_session(person.relay.as_ref(), &person.store, mint).await.unwrap();
    assert_eq!(prepared.operation().user_operation.nonce, (largest_key << 64) | U256::from(1));
    let response = complete_send_with_session(person.relay.as_ref(), &prepared).await.unwrap();
    wait_for_user_operation_receipt(person.relay.as_ref(), response.user_op_hash, |_| {}).await.unwrap();
    assert_eq!(person.nfts().await, 1);
}

#[tokio::test]
async fn raised_limits_are_those_that_the_paymaster_signs() {
    let person = Person::new().await;
    let offset = GasOffset {
        call_gas_limit_offset_pct: Some(25),
        verification_gas_limit_offset_pct: Some(50),
        pre_verification_gas_offset_pct: Some(10),
        max_fee_per_gas_offset_pct: Some(20),
        max_priority_fee_per_gas_offset_pct: Some(20),
    };
    let mut request = person.grant_request();
    request.options =
        merge_options([Options::sponsored(), BuildUserOpOptions { gas_offset: Some(offset), ..Default::default() }]);
    person.grant(request.clone()).await.unwrap();
    let bundler_reckons = PaymasterServiceData { calculate_gas_limits: Some(false), ..Default::default() };
    let bundler_reckons = BuildUserOpOptions { paymaster_service_data: Some(bundler_reckons), ..Default::default() };
    let mut mint = person.mint_request();
    mint.options = merge_options([request.options, bundler_reckons]);
    person.use_session_with(mint).await.unwrap();
    assert_eq!(person.nfts().await, 1);
}

/// Not asserted: what a grant and a use cost natively, signing included.
#[tokio::test]
async fn prints_how_long_a_grant_and_a_use_take() {
    let person = Person::new().await;
    person.grant(person.grant_request()).await.unwrap();
    let mut figures: [Vec<u128>; 2] = Default::default();
    for _ in 0..5 {
        let prepared = prepare_create_session(&person.client, &person.store, person.grant_request()).await.unwrap();
        let started = Instant::now();
        let response = complete_create_session(&person.client, &person.store, prepared).await.unwrap();
        person.settle(&response).await.unwrap();
        figures[0].push(started.elapsed().as_millis());
        let started = Instant::now();
        person.use_session_with(person.mint_request()).await.unwrap();
        figures[1].push(started.elapsed().as_millis());
    }
    println!("ms from click to confirmed: grant (prepared) {:?}, use {:?}", figures[0], figures[1]);
}
