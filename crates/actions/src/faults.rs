//! Whatever fails at whichever step, nothing that was stored is lost, and no root ever holds a leaf that
//! is not confirmed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::rc::Rc;

use alloy::primitives::{Address, B256, U256};
use futures::executor::block_on;

use super::{
    account::SmartAccountClient,
    clock::unix_seconds,
    create_session::{
        CreateSessionVariables, MAX_SESSIONS_PER_GRANT, complete_create_session, create_session, prepare_create_session,
    },
    fake::{Ending, Fake, Step, rejected, unavailable},
    options::{BuildUserOpOptions, GasOffset, NonceOptions, Options, merge_options},
    restore_sessions::{RestoreSessionsVariables, restore_sessions},
    revoke_sessions::{RevokeSessionsVariables, SessionsToRevoke, revoke_sessions},
    send_transaction::prepare_transaction,
    send_with_session::{SendWithSessionRequest, send_with_session},
    settle_revocation::settle_revocation,
    settle_session::settle_session,
    sync_sessions::sync_sessions,
};
use crate::error::AppError;
use use_aa_protocol::{
    addresses::{DEMO_NFT, SESSION_KEY_MANAGER},
    paymaster::VerifyingPaymasterData,
    policy::{Condition, FunctionSelector, Policy, Rule, SessionEpoch},
    session::{SessionBook, SessionStatus},
    smart_account::Call,
};

fn client(fake: &Fake) -> SmartAccountClient {
    SmartAccountClient::new(Rc::new(fake.clone()), Rc::new(fake.clone()))
}

fn mint_policy(account: Address) -> Policy {
    Policy {
        session_key_address: None,
        contract_address: DEMO_NFT,
        function_selector: FunctionSelector::Signature("safeMint(address)".into()),
        rules: vec![Rule { offset: 0, condition: Condition::Equal, reference_value: account.into() }],
        interval: SessionEpoch::default(),
        value_limit: U256::ZERO,
    }
}

fn grant_of(policies: usize, account: Address) -> CreateSessionVariables {
    let policy = vec![mint_policy(account); policies];
    CreateSessionVariables { policy, label: Some("mint".into()), ..CreateSessionVariables::default() }
}

fn mint(account: Address, to: Address) -> SendWithSessionRequest {
    let data = [hex::decode("40d097c3").unwrap(), to.into_word().to_vec()].concat();
    let calls = vec![Call { to: DEMO_NFT, value: U256::ZERO, data: data.into() }];
    SendWithSessionRequest { account, calls, ..Default::default() }
}

/// A world with one confirmed session.
fn granted() -> (Fake, SmartAccountClient) {
    let fake = Fake::new();
    let client = client(&fake);
    let response = block_on(create_session(&client, &fake, grant_of(1, client.account))).unwrap();
    block_on(settle_session(&fake, &fake, client.account, response.user_op_hash, |_| {})).unwrap();
    assert_eq!(statuses(&fake, &client), [SessionStatus::Active]);
    (fake, client)
}

fn statuses(fake: &Fake, client: &SmartAccountClient) -> Vec<SessionStatus> {
    fake.book(client.account).leaf_nodes.iter().map(|leaf| leaf.status).collect()
}

type Stored = (SessionBook, Vec<Address>);

fn stored(fake: &Fake, client: &SmartAccountClient) -> Stored {
    (fake.book(client.account), fake.keys())
}

fn network() -> AppError {
    AppError::Network { reason: "cut".into() }
}

#[test]
fn a_failed_grant_leaves_everything_as_it_was() {
    let steps = [
        (Step::ChainInfo, network()),
        (Step::AccountState, network()),
        (Step::GasFees, unavailable()),
        (Step::Sponsor, AppError::SponsorshipRefused { reason: "budget".into() }),
        (Step::Sponsor, unavailable()),
        (Step::Send, rejected("AA24 signature error")),
        (Step::WalletChain, AppError::NoWallet { reason: "gone".into() }),
        (Step::WalletSign, AppError::WalletRejected),
        (Step::StoreLoad, AppError::Storage { reason: "blocked".into() }),
        (Step::StoreUpdate, AppError::StorageFull { place: "the store".into() }),
        (Step::StorePutSigner, AppError::StorageFull { place: "the store".into() }),
    ];
    for (step, error) in steps {
        let (fake, client) = granted();
        let (before, root, sent) = (stored(&fake, &client), fake.root(), fake.sent());
        fake.fail(step, error.clone());
        let failed = block_on(create_session(&client, &fake, grant_of(2, client.account)));
        assert_eq!(failed.unwrap_err(), error, "{step:?}");
        assert_eq!(stored(&fake, &client), before, "{step:?}");
        assert_eq!((fake.root(), fake.sent()), (root, sent), "{step:?}");

        fake.fail(step, None);
        let response = block_on(create_session(&client, &fake, grant_of(1, client.account))).unwrap();
        block_on(settle_session(&fake, &fake, client.account, response.user_op_hash, |_| {})).unwrap();
        assert_eq!(statuses(&fake, &client), [SessionStatus::Active; 2], "the next grant works after {step:?}");
        assert_eq!(fake.book(client.account).root(), fake.root());
    }
}

#[test]
fn while_nodes_disagree_nothing_rests_on_a_root_and_the_rest_goes_on() {
    let (fake, client) = granted();
    let second = B256::repeat_byte(9);
    assert!(block_on(super::session_ledger::publish_sessions(&fake, &fake, client.account)).unwrap());
    let before = (stored(&fake, &client), fake.root(), fake.sent());
    let disagree = AppError::NodesDisagree { first: fake.root(), second };
    fake.dispute(Some(second));
    let id = fake.book(client.account).leaf_nodes[0].session_id.clone();
    let refusals = [
        block_on(create_session(&client, &fake, grant_of(1, client.account))).map(drop),
        block_on(create_session(
            &client,
            &fake,
            CreateSessionVariables { replace_unknown: true, ..grant_of(1, client.account) },
        ))
        .map(drop),
        block_on(revoke_sessions(
            &client,
            &fake,
            RevokeSessionsVariables { sessions: SessionsToRevoke::These(vec![id]), ..Default::default() },
        ))
        .map(drop),
        block_on(sync_sessions(&fake, &fake, client.account)).map(drop),
    ];
    for refused in refusals {
        assert_eq!(refused.unwrap_err(), disagree);
    }
    assert_eq!((stored(&fake, &client), fake.root(), fake.sent()), before);

    // Another device has no leaves of this root, and takes none over.
    let elsewhere = Fake::new();
    block_on(send_with_session(&fake, &elsewhere, mint(client.account, client.account))).unwrap_err();
    let book = || block_on(super::ports::SessionStore::load(&elsewhere, client.account)).unwrap();
    assert!(book().leaf_nodes.is_empty());

    // What rests on no root, or on one that the stored leaves make.
    assert!(block_on(client.is_account_deployed()).unwrap());
    block_on(super::sign_message::sign_message(&client, b"hello")).unwrap();
    block_on(send_with_session(&fake, &fake, mint(client.account, client.account))).unwrap();
    fake.dispute(None);
    block_on(send_with_session(&fake, &elsewhere, mint(client.account, client.account))).unwrap_err();
    assert_eq!(book().leaf_nodes.len(), 1, "taken over, though its key is not here");
    block_on(create_session(&client, &fake, grant_of(1, client.account))).unwrap();
}

#[test]
fn a_lost_answer_loses_nothing_whether_the_operation_arrived_or_not() {
    for (step, arrived) in [(Step::Send, false), (Step::SendAnswer, true)] {
        for error in [network(), unavailable()] {
            let (fake, client) = granted();
            let before = stored(&fake, &client);
            fake.fail(step, error.clone());
            let failed = block_on(create_session(&client, &fake, grant_of(1, client.account)));
            assert_eq!(failed.unwrap_err(), error);
            let book = fake.book(client.account);
            assert_eq!(book.leaf_nodes[0], before.0.leaf_nodes[0]);
            assert_eq!(statuses(&fake, &client), [SessionStatus::Active, SessionStatus::Pending]);
            assert_eq!(book.root(), before.0.root(), "an unconfirmed leaf is in no root");
            assert_eq!(fake.keys().len(), 2, "the key may be needed");

            fake.fail(step, None);
            if arrived {
                let synced = block_on(sync_sessions(&fake, &fake, client.account)).unwrap();
                assert!(synced.in_sync && synced.pending.is_empty());
                assert_eq!(statuses(&fake, &client), [SessionStatus::Active; 2]);
            }
            let next = block_on(create_session(&client, &fake, grant_of(1, client.account))).unwrap();
            block_on(settle_session(&fake, &fake, client.account, next.user_op_hash, |_| {})).unwrap();
            let synced = block_on(sync_sessions(&fake, &fake, client.account)).unwrap();
            assert_eq!(synced.book.root(), fake.root());
            // The one that never arrived is gone: its nonce was used by the next.
            let expected = if arrived { 3 } else { 2 };
            assert_eq!(statuses(&fake, &client), vec![SessionStatus::Active; expected]);
            assert_eq!(fake.keys().len(), expected);
        }
    }
}

#[test]
fn a_session_that_comes_back_is_waited_for_though_its_first_grant_was_in_doubt() {
    let fake = Fake::new();
    let client = client(&fake);
    fake.fail(Step::SendAnswer, network());
    block_on(create_session(&client, &fake, grant_of(1, client.account))).unwrap_err();
    fake.fail(Step::SendAnswer, None);
    block_on(sync_sessions(&fake, &fake, client.account)).unwrap();
    assert_eq!(statuses(&fake, &client), [SessionStatus::Active]);
    let session_ids = vec![fake.book(client.account).leaf_nodes[0].session_id.clone()];
    let sessions = SessionsToRevoke::These(session_ids.clone());
    let request = RevokeSessionsVariables { sessions, ..Default::default() };
    let revoked = block_on(revoke_sessions(&client, &fake, request)).unwrap();
    block_on(settle_revocation(&fake, &fake, client.account, revoked.user_op_hash, |_| {})).unwrap();
    let request = RestoreSessionsVariables { session_ids, ..Default::default() };
    fake.end_with(Ending::Dropped);
    let restored = block_on(restore_sessions(&client, &fake, request)).unwrap();
    let open = fake.book(client.account).change_in_flight(true, |_| false);
    assert_eq!(open.map(|(_, user_op_hash)| user_op_hash), Some(restored.user_op_hash));
}

#[test]
fn a_grant_that_reverts_is_taken_out_with_its_key() {
    let (fake, client) = granted();
    let before = stored(&fake, &client);
    fake.end_with(Ending::Reverted);
    let response = block_on(create_session(&client, &fake, grant_of(3, client.account))).unwrap();
    let session = response.session.unwrap();
    assert_eq!(session.session_ids.len(), 3);
    assert_eq!(fake.keys().len(), 2, "one key for the whole grant");
    let book = fake.book(client.account);
    assert!(book.leaf_nodes[1..].iter().all(|leaf| leaf.user_op_hash == Some(response.user_op_hash)));
    let settled = settle_session(&fake, &fake, client.account, response.user_op_hash, |_| {});
    assert!(matches!(block_on(settled).unwrap_err(), AppError::UserOpReverted { .. }));
    assert_eq!(stored(&fake, &client), before);
}

/// A grant that the bundler says it dropped.
fn dropped() -> (Fake, SmartAccountClient, B256) {
    let (fake, client) = granted();
    fake.end_with(Ending::Dropped);
    let response = block_on(create_session(&client, &fake, grant_of(2, client.account))).unwrap();
    let settled = settle_session(&fake, &fake, client.account, response.user_op_hash, |_| {});
    assert!(matches!(block_on(settled).unwrap_err(), AppError::UserOpDropped { .. }));
    (fake, client, response.user_op_hash)
}

#[test]
fn a_dropped_grant_that_is_included_after_all_is_not_lost() {
    let (fake, client, user_op_hash) = dropped();
    let book = fake.book(client.account);
    assert_eq!(statuses(&fake, &client)[1..], [SessionStatus::Pending; 2]);
    assert_eq!((book.root(), fake.keys().len()), (fake.root(), 2), "in no root, but not forgotten");
    assert_eq!(block_on(sync_sessions(&fake, &fake, client.account)).unwrap().pending, [user_op_hash]);
    // The bundle was on its way when the bundler was restarted.
    fake.end_with(Ending::Confirmed);
    fake.include_dropped();
    assert!(block_on(sync_sessions(&fake, &fake, client.account)).unwrap().in_sync);
    assert_eq!(statuses(&fake, &client), [SessionStatus::Active; 3]);
    block_on(send_with_session(&fake, &fake, mint(client.account, client.account))).unwrap();
}

#[test]
fn a_dropped_grant_is_in_nobodys_way_and_goes_when_its_nonce_is_used() {
    let (fake, client, _) = dropped();
    fake.end_with(Ending::Confirmed);
    let next = block_on(create_session(&client, &fake, grant_of(1, client.account))).unwrap();
    block_on(settle_session(&fake, &fake, client.account, next.user_op_hash, |_| {})).unwrap();
    assert_eq!(statuses(&fake, &client), [SessionStatus::Active; 2]);
    assert_eq!((fake.book(client.account).root(), fake.keys().len()), (fake.root(), 2));
}

#[test]
fn an_old_root_revokes_nothing_that_another_tab_has_confirmed_since() {
    let (fake, client) = granted();
    let mut as_seen = fake.book(client.account);
    as_seen.leaf_nodes[0].status = SessionStatus::Pending;
    let stale = super::session_tree::reconcile(&mut as_seen, fake.root()).unwrap().unwrap();
    let next = block_on(create_session(&client, &fake, grant_of(1, client.account))).unwrap();
    block_on(settle_session(&fake, &fake, client.account, next.user_op_hash, |_| {})).unwrap();
    block_on(stale.write(&fake, client.account)).unwrap();
    assert_eq!(statuses(&fake, &client), [SessionStatus::Active; 2]);
}

#[test]
fn a_wait_that_is_cut_leaves_the_grant_pending() {
    let (fake, client) = granted();
    let response = block_on(create_session(&client, &fake, grant_of(1, client.account))).unwrap();
    let before = stored(&fake, &client);
    fake.fail(Step::Watch, network());
    let settled = settle_session(&fake, &fake, client.account, response.user_op_hash, |_| {});
    assert_eq!(block_on(settled).unwrap_err(), network());
    assert_eq!(stored(&fake, &client), before);
    // After a reload the root on chain proves it.
    let synced = block_on(sync_sessions(&fake, &fake, client.account)).unwrap();
    assert!(synced.in_sync);
    assert_eq!(statuses(&fake, &client), [SessionStatus::Active; 2]);
}

#[test]
fn a_grant_prepared_before_another_one_builds_on_it() {
    let (fake, client) = granted();
    let first = block_on(prepare_create_session(&client, &fake, grant_of(1, client.account))).unwrap();
    let second = block_on(prepare_create_session(&client, &fake, grant_of(1, client.account))).unwrap();
    assert_eq!(statuses(&fake, &client), [SessionStatus::Active], "preparing writes nothing");
    let second_key = second.session_key_address();
    block_on(complete_create_session(&client, &fake, first)).unwrap();
    // The first one's receipt was not even looked at yet.
    let response = block_on(complete_create_session(&client, &fake, second)).unwrap();
    assert_eq!(response.session.unwrap().session_key_address, second_key, "still the same key");
    block_on(settle_session(&fake, &fake, client.account, response.user_op_hash, |_| {})).unwrap();
    assert_eq!(statuses(&fake, &client), [SessionStatus::Active; 3]);
    assert_eq!(fake.book(client.account).root(), fake.root());
}

#[test]
fn a_grant_prepared_before_another_one_was_confirmed_builds_on_it() {
    let (fake, client) = granted();
    let [first, second] =
        [1, 2].map(|_| block_on(prepare_create_session(&client, &fake, grant_of(1, client.account))).unwrap());
    let first = block_on(complete_create_session(&client, &fake, first)).unwrap();
    block_on(settle_session(&fake, &fake, client.account, first.user_op_hash, |_| {})).unwrap();
    let confirmed = fake.book(client.account);
    let second = block_on(complete_create_session(&client, &fake, second)).unwrap();
    assert_eq!(fake.book(client.account).leaf_nodes[..2], confirmed.leaf_nodes[..], "still active");
    block_on(settle_session(&fake, &fake, client.account, second.user_op_hash, |_| {})).unwrap();
    assert_eq!(statuses(&fake, &client), [SessionStatus::Active; 3]);
    assert_eq!(fake.book(client.account).root(), fake.root());
}

#[test]
fn a_grant_on_another_device_makes_this_one_fail_cleanly() {
    let (fake, client) = granted();
    let here = block_on(prepare_create_session(&client, &fake, grant_of(1, client.account))).unwrap();
    let before = stored(&fake, &client);
    // The other device shares the account, not the store.
    let elsewhere = second_store(&fake, &client);
    block_on(create_session(&client, &elsewhere, grant_of(1, client.account))).unwrap();
    let refused = block_on(complete_create_session(&client, &fake, here)).unwrap_err();
    assert!(matches!(&refused, AppError::UpstreamRejected { message, .. } if message.contains("AA25")), "{refused}");
    assert_eq!(stored(&fake, &client), before);
    let out_of_sync = block_on(create_session(&client, &fake, grant_of(1, client.account))).unwrap_err();
    assert!(matches!(out_of_sync, AppError::SessionsOutOfSync { chain, .. } if chain == fake.root()));
    let unusable = block_on(send_with_session(&fake, &fake, mint(client.account, client.account))).unwrap_err();
    assert!(matches!(unusable, AppError::SessionsOutOfSync { .. }));
    assert!(!block_on(sync_sessions(&fake, &fake, client.account)).unwrap().in_sync);
    assert_eq!(stored(&fake, &client), before);

    let replacing = CreateSessionVariables { replace_unknown: true, ..grant_of(1, client.account) };
    let response = block_on(create_session(&client, &fake, replacing)).unwrap();
    block_on(settle_session(&fake, &fake, client.account, response.user_op_hash, |_| {})).unwrap();
    let [old @ .., new] = &statuses(&fake, &client)[..] else { panic!("no sessions") };
    assert!(old.iter().all(|status| *status == SessionStatus::Revoked), "what is under no root any more: {old:?}");
    assert_eq!(*new, SessionStatus::Active);
    assert_eq!(fake.book(client.account).root(), fake.root());
}

/// A second store with the same leaves.
fn second_store(fake: &Fake, client: &SmartAccountClient) -> impl super::ports::SessionStore + use<> {
    let other = Fake::new();
    let book = fake.book(client.account);
    block_on(super::ports::SessionStore::update(
        &other,
        client.account,
        Box::new(|empty| {
            *empty = book;
            Ok(())
        }),
    ))
    .unwrap();
    other
}

#[test]
fn a_use_touches_no_stored_byte_and_sends_nothing_that_is_not_allowed() {
    let (fake, client) = granted();
    let (before, sent) = (stored(&fake, &client), fake.sent());
    let stranger = Address::repeat_byte(7);
    let violation = block_on(send_with_session(&fake, &fake, mint(client.account, stranger))).unwrap_err();
    assert!(matches!(&violation, AppError::PolicyViolation { rule, .. } if rule == "rule 0"), "{violation}");
    let mut two = mint(client.account, client.account);
    two.calls = vec![two.calls[0].clone(); 2];
    assert!(matches!(
        block_on(send_with_session(&fake, &fake, two)).unwrap_err(),
        AppError::PolicyViolation { rule, .. } if rule == "single call"
    ));
    let mut none = mint(client.account, client.account);
    none.calls.clear();
    assert!(matches!(block_on(send_with_session(&fake, &fake, none)).unwrap_err(), AppError::InvalidInput { .. }));
    for (step, error) in [
        (Step::AccountState, network()),
        (Step::Sponsor, unavailable()),
        (Step::Send, rejected("AA24 signature error")),
        (Step::Send, network()),
        (Step::StoreLoad, AppError::Storage { reason: "blocked".into() }),
    ] {
        fake.fail(step, error.clone());
        let failed = block_on(send_with_session(&fake, &fake, mint(client.account, client.account))).unwrap_err();
        assert_eq!(failed, error);
        fake.fail(step, None);
    }
    assert_eq!((stored(&fake, &client), fake.sent()), (before, sent));
    block_on(send_with_session(&fake, &fake, mint(client.account, client.account))).unwrap();
    assert_eq!(fake.sent(), sent + 1);
}

#[test]
fn sessions_are_picked_by_id_by_place_or_the_newest() {
    let (fake, client) = granted();
    let response = block_on(create_session(&client, &fake, grant_of(2, client.account))).unwrap();
    block_on(settle_session(&fake, &fake, client.account, response.user_op_hash, |_| {})).unwrap();
    let ids: Vec<String> = fake.book(client.account).leaf_nodes.into_iter().map(|leaf| leaf.session_id).collect();
    let pick = |session_id: Option<&str>, corresponding_index| {
        let request = SendWithSessionRequest {
            session_id: session_id.map(str::to_owned),
            corresponding_index,
            ..mint(client.account, client.account)
        };
        let prepared = super::send_with_session::prepare_send_with_session(&fake, &fake, request);
        block_on(prepared).map(|prepared| prepared.leaves().next().unwrap().session_id.clone())
    };
    assert_eq!(pick(None, Some(0)).unwrap(), ids[0], "0 is the first");
    assert_eq!(pick(None, Some(1)).unwrap(), ids[1]);
    assert_eq!(pick(None, None).unwrap(), ids[2], "the newest");
    assert_eq!(pick(Some(&ids[1]), Some(0)).unwrap(), ids[1], "the id comes first");
    assert!(matches!(pick(None, Some(3)), Err(AppError::SessionNotFound { .. })));
    assert!(matches!(pick(Some("none"), None), Err(AppError::SessionNotFound { .. })));
}

#[test]
fn an_unusable_session_is_named_by_what_is_wrong_with_it() {
    let fake = Fake::new();
    let client = client(&fake);
    let account = client.account;
    let use_it = || block_on(send_with_session(&fake, &fake, mint(account, account))).unwrap_err();
    assert!(matches!(use_it(), AppError::SessionNotFound { .. }));
    let response = block_on(create_session(&client, &fake, grant_of(1, account))).unwrap();
    fake.set_root(B256::ZERO);
    assert!(matches!(use_it(), AppError::SessionPending { .. }));
    fake.set_root(fake.book(account).root_with(&fake.book(account).leaf_nodes));
    block_on(settle_session(&fake, &fake, account, response.user_op_hash, |_| {})).unwrap();
    let change = |status, until, after| {
        let store: &dyn super::ports::SessionStore = &fake;
        let change = move |book: &mut SessionBook| {
            let leaf = &mut book.leaf_nodes[0];
            (leaf.status, leaf.valid_until, leaf.valid_after) = (status, until, after);
            Ok(())
        };
        block_on(store.update(account, Box::new(change))).unwrap();
        fake.set_root(fake.book(account).root());
    };
    change(SessionStatus::Active, 1_000, 0);
    assert!(matches!(use_it(), AppError::SessionExpired { valid_until: 1_000, .. }));
    change(SessionStatus::Active, 0, 9_000_000_000);
    assert!(matches!(use_it(), AppError::SessionNotYetValid { valid_after: 9_000_000_000, .. }));
    change(SessionStatus::Revoked, 0, 0);
    assert!(matches!(use_it(), AppError::SessionRevoked { .. }));
    assert_eq!(fake.sent(), 1);
}

#[test]
fn an_account_without_code_cannot_use_sessions() {
    let (fake, client) = granted();
    let elsewhere = Fake::new();
    elsewhere.set_root(fake.root());
    let error = block_on(send_with_session(&elsewhere, &fake, mint(client.account, client.account))).unwrap_err();
    assert_eq!(error, AppError::AccountNotDeployed { account: client.account });
}

#[test]
fn a_chain_that_starts_anew_does_not_lock_anybody_out() {
    let (fake, client) = granted();
    fake.set_root(B256::ZERO);
    let response = block_on(create_session(&client, &fake, grant_of(1, client.account))).unwrap();
    block_on(settle_session(&fake, &fake, client.account, response.user_op_hash, |_| {})).unwrap();
    assert_eq!(statuses(&fake, &client), [SessionStatus::Revoked, SessionStatus::Active]);
    assert_eq!(fake.book(client.account).root(), fake.root());
}

#[test]
fn bad_grants_are_refused_before_anything_is_asked() {
    let fake = Fake::new();
    let client = client(&fake);
    fake.fail(Step::ChainInfo, AppError::Internal { reason: "must not be asked".into() });
    let with = |change: &dyn Fn(&mut Policy)| {
        let mut request = grant_of(1, client.account);
        change(&mut request.policy[0]);
        request
    };
    let huge = U256::from(1) << 128;
    let bad = [
        grant_of(0, client.account),
        grant_of(MAX_SESSIONS_PER_GRANT + 1, client.account),
        with(&|policy| policy.contract_address = client.account),
        with(&|policy| policy.contract_address = SESSION_KEY_MANAGER),
        with(&|policy| policy.interval = SessionEpoch { valid_until: 1, valid_after: 0 }),
        with(&|policy| policy.interval = SessionEpoch { valid_until: 1 << 48, valid_after: 0 }),
        with(&|policy| policy.value_limit = huge),
        with(&|policy| policy.function_selector = FunctionSelector::Signature("not a signature".into())),
        with(&|policy| policy.rules[0].offset = 70_000),
    ];
    for request in bad {
        let error = block_on(create_session(&client, &fake, request.clone())).unwrap_err();
        let named = matches!(error, AppError::InvalidInput { .. } | AppError::PolicyRefused { .. });
        assert!(named, "{request:?}: {error}");
    }
    assert_eq!((fake.sent(), fake.keys().len()), (0, 0));
}

#[test]
fn gas_offsets_are_applied_before_the_paymaster_signs() {
    let (_, client) = granted();
    let offset =
        GasOffset { call_gas_limit_offset_pct: Some(50), max_fee_per_gas_offset_pct: Some(10), ..Default::default() };
    let options =
        merge_options([Options::sponsored(), BuildUserOpOptions { gas_offset: Some(offset), ..Default::default() }]);
    let calls = mint(client.account, client.account).calls;
    let prepared = block_on(prepare_transaction(&client, &calls, &options)).unwrap();
    let user_operation = &prepared.user_operation;
    assert!(prepared.is_sponsored() && prepared.is_fresh());
    // The fake paymaster takes over the limits that it is shown.
    assert_eq!(user_operation.call_gas_limit, U256::from(150));
    assert_eq!(user_operation.verification_gas_limit, U256::from(100));
    assert_eq!(user_operation.max_fee_per_gas, U256::from(11));
    assert_eq!(prepared.sponsored_until(), Some(4_000_000_000));
    let mut old = prepared.clone();
    old.prepared_at -= 1_000;
    assert!(!old.is_fresh());
    let mut running_out = VerifyingPaymasterData::decode(&prepared.user_operation.paymaster_and_data).unwrap();
    running_out.valid_until = prepared.prepared_at + 10;
    let mut short = prepared;
    short.user_operation.paymaster_and_data = running_out.encode();
    assert!(!short.is_fresh());
}

#[test]
fn an_operation_prepared_on_a_chain_ahead_is_fresh_while_that_chain_takes_it() {
    let (fake, client) = granted();
    fake.move_clock(3_600);
    let calls = mint(client.account, client.account).calls;
    let mut prepared = block_on(prepare_transaction(&client, &calls, &Options::sponsored())).unwrap();
    let mut ends_in = |seconds: u64| {
        let mut data = VerifyingPaymasterData::decode(&prepared.user_operation.paymaster_and_data).unwrap();
        data.valid_until = unix_seconds() + seconds;
        prepared.user_operation.paymaster_and_data = data.encode();
        prepared.is_fresh()
    };
    assert!(!ends_in(300), "over on the chain");
    assert!(ends_in(3_600 + 300));
}

#[test]
fn a_module_of_this_very_account_cannot_be_called() {
    let fake = Fake::new();
    let client = client(&fake);
    let grant = grant_of(1, client.account);
    fake.enable(SESSION_KEY_MANAGER);
    block_on(create_session(&client, &fake, grant.clone())).unwrap();
    let sent = fake.sent();
    fake.enable(DEMO_NFT);
    let refused = block_on(create_session(&client, &fake, grant)).unwrap_err();
    assert!(
        matches!(&refused, AppError::PolicyRefused { reason } if reason.contains("a module of this account")),
        "{refused}"
    );
    assert_eq!(fake.sent(), sent);
}

#[test]
fn a_session_ends_by_the_chains_clock_too() {
    let fake = Fake::new();
    let client = client(&fake);
    let mut request = grant_of(1, client.account);
    request.policy[0].interval = SessionEpoch { valid_until: unix_seconds() + 600, valid_after: unix_seconds() - 60 };
    // Its window begins after the latest block: nothing ever happened on this chain.
    let granted = block_on(create_session(&client, &fake, request.clone())).unwrap();
    block_on(settle_session(&fake, &fake, client.account, granted.user_op_hash, |_| {})).unwrap();
    let mint = || block_on(send_with_session(&fake, &fake, mint(client.account, client.account)));
    mint().unwrap();
    let sent = fake.sent();
    fake.move_clock(3_600);
    assert!(matches!(mint(), Err(AppError::SessionExpired { .. })));
    let refused = block_on(create_session(&client, &fake, request)).unwrap_err();
    assert!(
        matches!(&refused, AppError::PolicyRefused { reason } if reason.contains("the chain's clock")),
        "{refused}"
    );
    assert_eq!(fake.sent(), sent);
}

#[test]
fn nonces_are_the_callers_if_he_gives_any() {
    let (fake, client) = granted();
    let calls = mint(client.account, client.account).calls;
    let nonce = |nonce_key: Option<U256>, nonce_override: Option<U256>| {
        let nonce_options = Some(NonceOptions { nonce_key, nonce_override });
        let options = BuildUserOpOptions { nonce_options, ..Default::default() };
        block_on(prepare_transaction(&client, &calls, &options)).map(|prepared| prepared.user_operation.nonce)
    };
    assert_eq!(nonce(None, None).unwrap(), U256::from(1));
    assert_eq!(nonce(Some(U256::from(5)), None).unwrap(), U256::from(5) << 64);
    assert_eq!(nonce(Some(U256::from(5)), Some(U256::ZERO)).unwrap(), U256::ZERO, "also 0 (S6)");
    assert!(matches!(
        nonce(Some(U256::from(1) << 192), None),
        Err(AppError::InvalidInput { field, .. }) if field == "nonceOptions.nonceKey"
    ));
    let mut request = mint(client.account, client.account);
    request.options.nonce_options = Some(NonceOptions { nonce_key: Some(U256::from(77)), nonce_override: None });
    let prepared = block_on(super::send_with_session::prepare_send_with_session(&fake, &fake, request)).unwrap();
    assert_eq!(prepared.operation().user_operation.nonce, U256::from(77) << 64, "the caller's key wins (U9)");
}

#[test]
fn a_refused_sponsorship_is_never_sent_unsponsored() {
    let (fake, client) = granted();
    let sent = fake.sent();
    fake.fail(Step::Sponsor, AppError::SponsorshipRefused { reason: "budget".into() });
    let refused = block_on(send_with_session(&fake, &fake, mint(client.account, client.account))).unwrap_err();
    assert!(matches!(refused, AppError::SponsorshipRefused { .. }));
    assert_eq!(fake.sent(), sent);
    let mut own = mint(client.account, client.account);
    own.options = Options::unsponsored();
    block_on(send_with_session(&fake, &fake, own)).unwrap();
    let token = merge_options([Options::gas_token_payment()]);
    let calls = mint(client.account, client.account).calls;
    let neither = block_on(prepare_transaction(&client, &calls, &token)).unwrap_err();
    assert!(matches!(neither, AppError::GasTokenRefused { .. }), "neither a token nor a quote");
}

/// What may happen, in any order.
#[derive(Clone, Debug)]
enum Event {
    Grant(usize),
    GrantAndSettle(usize),
    Use,
    Sync,
    Break(Step, bool),
    End(Ending),
    MendAll,
}

const ALL_STEPS: [Step; 13] = [
    Step::ChainInfo,
    Step::AccountState,
    Step::GasFees,
    Step::Estimate,
    Step::Sponsor,
    Step::Send,
    Step::SendAnswer,
    Step::Watch,
    Step::WalletChain,
    Step::WalletSign,
    Step::StoreLoad,
    Step::StoreUpdate,
    Step::StorePutSigner,
];

fn event() -> impl proptest::strategy::Strategy<Value = Event> {
    use proptest::prelude::*;
    let step = proptest::sample::select(ALL_STEPS.to_vec());
    let ending = proptest::sample::select(vec![Ending::Confirmed, Ending::Reverted, Ending::Dropped]);
    prop_oneof![
        2 => (1usize..3).prop_map(Event::Grant),
        3 => (1usize..3).prop_map(Event::GrantAndSettle),
        2 => Just(Event::Use),
        2 => Just(Event::Sync),
        4 => (step, any::<bool>()).prop_map(|(step, refused)| Event::Break(step, refused)),
        1 => ending.prop_map(Event::End),
        3 => Just(Event::MendAll),
    ]
}

fn happen(fake: &Fake, client: &SmartAccountClient, event: &Event) {
    let account = client.account;
    match event {
        Event::Grant(policies) => drop(block_on(create_session(client, fake, grant_of(*policies, account)))),
        Event::GrantAndSettle(policies) => {
            if let Ok(response) = block_on(create_session(client, fake, grant_of(*policies, account))) {
                drop(block_on(settle_session(fake, fake, account, response.user_op_hash, |_| {})));
            }
        }
        Event::Use => drop(block_on(send_with_session(fake, fake, mint(account, account)))),
        Event::Sync => drop(block_on(sync_sessions(fake, fake, account))),
        Event::Break(Step::Send, true) => fake.fail(Step::Send, rejected("AA24")),
        Event::Break(step, _) => fake.fail(*step, network()),
        Event::End(ending) => fake.end_with(*ending),
        Event::MendAll => ALL_STEPS.iter().for_each(|step| fake.fail(*step, None)),
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_happens_no_confirmed_session_is_ever_lost(events in proptest::collection::vec(event(), 1..25)) {
        let (fake, client) = granted();
        for event in &events {
            let (before, keys) = stored(&fake, &client);
            happen(&fake, &client, event);
            let (mut after, keys_after) = stored(&fake, &client);
            for leaf in before.leaf_nodes.iter().filter(|leaf| leaf.status == SessionStatus::Active) {
                proptest::prop_assert!(after.leaf_nodes.contains(leaf), "{event:?} lost {leaf:?}");
            }
            for leaf in &after.leaf_nodes {
                proptest::prop_assert!(keys_after.contains(&leaf.session_key_address), "{event:?} lost a key");
            }
            proptest::prop_assert!(keys_after.len() <= keys.len() + 1);
            // The stored leaves always explain the root on chain.
            proptest::prop_assert!(super::session_tree::reconcile(&mut after, fake.root()).is_ok(), "{event:?}");
        }
        happen(&fake, &client, &Event::MendAll);
        fake.end_with(Ending::Confirmed);
        let response = block_on(create_session(&client, &fake, grant_of(1, client.account))).unwrap();
        block_on(settle_session(&fake, &fake, client.account, response.user_op_hash, |_| {})).unwrap();
        proptest::prop_assert_eq!(fake.book(client.account).root(), fake.root());
        for session_id in response.session.unwrap().session_ids {
            let request = mint(client.account, client.account);
            let request = SendWithSessionRequest { session_id: Some(session_id), ..request };
            block_on(send_with_session(&fake, &fake, request)).unwrap();
        }
        let first = mint(client.account, client.account);
        let first = SendWithSessionRequest { corresponding_index: Some(0), ..first };
        block_on(send_with_session(&fake, &fake, first)).unwrap();
    }
}
