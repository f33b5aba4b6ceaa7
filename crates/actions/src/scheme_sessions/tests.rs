//! A third account kind and a third session scheme, as CONTRIBUTING.md says how they are added: nothing but these two types
//! is needed for the verbs to work with them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::rc::Rc;

use alloy::primitives::{Address, B256, Bytes, Signature, U256, eip191_hash_message, keccak256};
use async_trait::async_trait;
use futures::executor::block_on;
use serde::{Deserialize, Serialize};

use super::*;
use crate::{
    adapters::memory_store::MemorySessionStore,
    create_session::{CreateSessionVariables, create_session},
    fake::{BesideAnotherTab, Ending, Fake, Step, rejected},
    options::BuildUserOpOptions,
    revoke_sessions::{RevokeSessionsVariables, SessionsToRevoke, revoke_sessions},
    send_transaction::send_transaction,
};
use use_aa_protocol::{
    ProtocolError,
    call::Call,
    describe::Names,
    entry_point::EntryPoint,
    lint::Severity,
    policy::{Policy, SessionPolicy},
    rpc::AccountState,
    session_scheme::{AboutSession, ActionLimits, OnChain, SchemeFinding, SessionCalls, SessionTerms},
    simulate::Violation,
};

const POCKET: Address = Address::repeat_byte(0x90);
const NOTES: Address = Address::repeat_byte(0x91);
const SHOP: Address = Address::repeat_byte(0x92);
const FORBIDDEN: Address = Address::repeat_byte(0x93);

/// An account whose call data is JSON, whose nonces begin far up and whose owner's signatures have a mark in front.
struct Pocket;

#[async_trait(?Send)]
impl AccountKind for Pocket {
    fn name(&self) -> &'static str {
        "pocket"
    }

    fn entry_point(&self) -> EntryPoint {
        EntryPoint::V07
    }

    fn address(&self) -> Address {
        POCKET
    }

    fn init_code(&self) -> Bytes {
        vec![0x94; 25].into()
    }

    fn encode_calls(&self, calls: &[Call], _: bool) -> Result<Bytes, ProtocolError> {
        Ok(serde_json::to_vec(calls).unwrap().into())
    }

    fn decode_calls(&self, call_data: &[u8]) -> Result<Vec<Call>, ProtocolError> {
        serde_json::from_slice(call_data).map_err(|error| ProtocolError::invalid("callData", "a list of calls", error))
    }

    fn owner_nonce_key(&self, lane: U256) -> Result<U256, ProtocolError> {
        Ok(lane + (U256::from(7) << 100))
    }

    fn owner_stub(&self) -> Bytes {
        self.owner_signature([0; 65])
    }

    fn owner_signature(&self, signature: [u8; 65]) -> Bytes {
        [&[0xaa][..], &signature].concat().into()
    }

    fn message_signature(&self, signature: [u8; 65], _: bool) -> Result<Bytes, ProtocolError> {
        Ok(self.owner_signature(signature))
    }

    async fn read_state(&self, relay: &dyn Relay, nonce_key: U256) -> Result<AccountState, AppError> {
        relay.account_state(POCKET, nonce_key).await
    }
}

/// Sessions that may send anything to one contract; the chain tells how many there are, and how many before these ended.
struct Notes;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    key: Address,
    to: Address,
    salt: B256,
}

impl SessionScheme for Notes {
    type Session = Note;

    const NAME: &'static str = "notes";

    fn session(terms: &SessionTerms<'_>) -> Result<Note, ProtocolError> {
        Ok(Note { key: terms.session_key, to: terms.policies[0].0.contract(), salt: terms.salt })
    }

    fn id(note: &Note) -> B256 {
        keccak256([note.key.as_slice(), note.to.as_slice(), note.salt.as_slice()].concat())
    }

    fn session_key(note: &Note) -> Address {
        note.key
    }

    fn listing_call(account: Address) -> Call {
        Call { to: NOTES, value: U256::ZERO, data: account.to_vec().into() }
    }

    fn listed(stored: &[Stored<Note>], answer: &[u8]) -> Result<Vec<Note>, ProtocolError> {
        let (count, ended) = (usize::from(answer[31]), usize::from(answer[23]));
        Ok(stored.iter().skip(ended).take(count).map(|stored| stored.session.clone()).collect())
    }

    fn grant_calls(_: &OnChain<'_, Note>, new: &[Note]) -> Result<Vec<Call>, ProtocolError> {
        let call = |note| Call { to: NOTES, value: U256::ZERO, data: Self::id(note).to_vec().into() };
        Ok(new.iter().map(call).collect())
    }

    fn revocation_calls(_: &OnChain<'_, Note>, ended: &[B256]) -> Result<Vec<Call>, ProtocolError> {
        Ok(ended.iter().map(|id| Call { to: NOTES, value: U256::ONE, data: id.to_vec().into() }).collect())
    }

    fn nonce_key(lane: U256) -> Result<U256, ProtocolError> {
        Ok(lane + (U256::from(9) << 100))
    }

    fn use_signature(_: &OnChain<'_, Note>, note: &Note, signature: &[u8]) -> Result<Bytes, ProtocolError> {
        Ok([Self::id(note).as_slice(), signature].concat().into())
    }

    fn judge(note: &Note, used: &SessionCalls<'_>) -> Result<(), Violation> {
        let refused =
            || Violation { rule: "destination".into(), reason: note.to.to_string(), revert_text: String::new() };
        used.calls.iter().all(|call| call.to == note.to).then_some(()).ok_or_else(refused)
    }

    fn lint(note: &Note, _: &OnChain<'_, Note>, _: u64) -> Vec<SchemeFinding> {
        let stop = || SchemeFinding { severity: Severity::Stop, text: "not there".into() };
        (note.to == FORBIDDEN).then(stop).into_iter().collect()
    }

    fn describe(note: &Note, names: &Names<'_>) -> Vec<String> {
        vec![names.contract(note.to, use_aa_protocol::describe::Detail::Review)]
    }

    fn refusal(text: &str, _: Option<&[u8]>) -> Option<Violation> {
        let reason = text.strip_prefix("NOTES ")?.to_owned();
        Some(Violation { rule: "notes".into(), reason, revert_text: text.into() })
    }
}

struct World {
    fake: Rc<Fake>,
    owner: SmartAccountClient,
    store: MemorySessionStore,
    sessions: SchemeSessions<Notes>,
}

fn world() -> World {
    let fake = Rc::new(Fake::new());
    fake.answer_amount(NOTES, U256::ZERO);
    let owner = SmartAccountClient::of_kind(Rc::new(Pocket), fake.clone(), fake.clone());
    let store = MemorySessionStore::new();
    let sessions = SchemeSessions::new(owner.shared_kind(), fake.clone(), Rc::new(store.clone()));
    World { fake, owner, store, sessions }
}

fn grant(to: Address) -> SessionGrant {
    SessionGrant { policies: vec![(Policy::new(to, "buy()").into(), ActionLimits::default())], ..Default::default() }
}

fn none() -> BuildUserOpOptions {
    BuildUserOpOptions::default()
}

fn buy(to: Address) -> [Call; 1] {
    [Call { to, ..Call::default() }]
}

#[tokio::test]
async fn a_third_kind_and_scheme_need_nothing_but_themselves() {
    let World { fake, owner, store, sessions } = world();
    let (id, granted) = sessions.grant(&owner, grant(SHOP)).await.unwrap();
    let sent = fake.last_sent();
    assert_eq!((sent.entry_point, sent.hash(31_337)), (EntryPoint::V07, granted.user_op_hash));
    assert_eq!((sent.nonce, sent.factory()), (U256::from(7) << 164, Some(Address::repeat_byte(0x94))));
    assert_eq!(owner.kind().decode_calls(&sent.call_data).unwrap()[0].data[..], id[..]);
    let by_owner = Signature::from_raw(&sent.signature[1..]).unwrap();
    let digest = eip191_hash_message(granted.user_op_hash);
    assert_eq!(by_owner.recover_address_from_prehash(&digest).unwrap(), owner.owner);

    // On its way; then there.
    assert!(!sessions.list().await.unwrap()[0].on_chain);
    let early = sessions.use_session(id, &buy(SHOP), &none()).await.unwrap_err();
    assert!(matches!(early, AppError::SessionNotFound { .. }), "{early}");
    fake.answer_amount(NOTES, U256::ONE);
    let used = sessions.use_session(id, &buy(SHOP), &none()).await.unwrap();
    let sent = fake.last_sent();
    assert_eq!((sent.nonce, sent.init_code.len(), &sent.signature[..32]), (U256::from(9) << 164, 0, &id[..]));
    let by_key = Signature::from_raw(&sent.signature[32..]).unwrap();
    let digest = eip191_hash_message(used.user_op_hash);
    assert_eq!(by_key.recover_address_from_prehash(&digest).unwrap(), sessions.list().await.unwrap()[0].session.key);
    let before = fake.sent();
    let elsewhere = sessions.use_session(id, &buy(NOTES), &none()).await.unwrap_err();
    assert!(matches!(elsewhere, AppError::PolicyViolation { .. }), "{elsewhere}");
    assert_eq!(fake.sent(), before, "refused before it is sent");
    fake.fail(Step::Estimate, rejected("NOTES used up"));
    let refused = sessions.use_session(id, &buy(SHOP), &none()).await.unwrap_err();
    assert!(matches!(&refused, AppError::PolicyViolation { reason, .. } if reason == "used up"), "{refused}");
    fake.fail(Step::Estimate, None);

    send_transaction(&owner, &buy(SHOP), &none()).await.unwrap();
    sessions.revoke(&owner, &[id], &none()).await.unwrap();
    assert_eq!(owner.kind().decode_calls(&fake.last_sent().call_data).unwrap()[0].value, U256::ONE);
    fake.answer_amount(NOTES, U256::ZERO);
    sessions.forget(id).await.unwrap();
    assert_eq!(sessions.list().await.unwrap(), []);
    assert!(store.session_key_addresses(POCKET).is_empty());
}

/// Their calls would mean something else, or nothing, to another account.
#[tokio::test]
async fn the_verbs_of_one_kinds_sessions_refuse_other_accounts() {
    let World { fake, owner, store, .. } = world();
    let request = CreateSessionVariables { policy: vec![Policy::new(SHOP, "buy()")], ..Default::default() };
    let granted = create_session(&owner, &store, request).await.unwrap_err();
    let all = RevokeSessionsVariables { sessions: SessionsToRevoke::All, ..RevokeSessionsVariables::default() };
    let revoked = revoke_sessions(&owner, &store, all).await.unwrap_err();
    for error in [granted, revoked] {
        assert!(matches!(&error, AppError::InvalidInput { field, got, .. } if field == "account" && got == "pocket"));
    }
    assert_eq!(fake.sent(), 0);
}

#[tokio::test]
async fn what_was_not_sent_leaves_nothing_and_what_must_not_be_granted_is_not_asked_for() {
    let World { fake, owner, store, sessions } = world();
    let stopped = sessions.grant(&owner, grant(FORBIDDEN)).await.unwrap_err();
    assert!(matches!(&stopped, AppError::PolicyRefused { reason } if reason == "not there"), "{stopped}");
    fake.fail(Step::WalletSign, AppError::WalletRejected);
    assert_eq!(sessions.grant(&owner, grant(SHOP)).await.unwrap_err(), AppError::WalletRejected);
    assert_eq!(sessions.list().await.unwrap(), []);
    assert!(store.session_key_addresses(POCKET).is_empty());
    fake.fail(Step::WalletSign, None);
    // The bundler has it, though its answer is lost: the key must not be.
    fake.fail(Step::SendAnswer, AppError::Network { reason: "cut".into() });
    assert!(sessions.grant(&owner, grant(SHOP)).await.is_err());
    assert_eq!((sessions.list().await.unwrap().len(), store.session_key_addresses(POCKET).len()), (1, 1));
    fake.fail(Step::SendAnswer, None);
    let v2 = SmartAccountClient::new(fake.clone(), fake);
    let other = sessions.grant(&v2, grant(SHOP)).await.unwrap_err();
    assert!(matches!(&other, AppError::InvalidInput { field, .. } if field == "owner"), "{other}");
}

#[tokio::test]
async fn another_device_takes_sessions_in_and_loses_nothing_of_its_own() {
    let World { fake, owner, store, sessions } = world();
    let named = SessionGrant { label: Some("Phone".into()), ..grant(SHOP) };
    sessions.grant(&owner, named).await.unwrap();
    fake.answer_amount(NOTES, U256::ONE);
    let records = store.records(POCKET, Notes::NAME).await.unwrap();

    let desk = MemorySessionStore::new();
    let there = SchemeSessions::<Notes>::new(owner.shared_kind(), fake.clone(), Rc::new(desk.clone()));
    let read = |records| SchemeSessions::<Notes>::read_records(records).unwrap();
    assert_eq!(there.take_in(read(records.clone())).await.unwrap(), 1);
    assert_eq!(there.usable_here().await.unwrap(), 0, "its key did not come along");
    let key = store.signer(POCKET, there.list().await.unwrap()[0].session.key).await.unwrap();
    desk.put_signer(POCKET, &key).await.unwrap();
    assert_eq!(there.usable_here().await.unwrap(), 1);
    assert_eq!(desk.records(POCKET, Notes::NAME).await.unwrap(), records);

    // Again: nothing is new, and what is here stays, but for a name that it had not.
    let mut nameless = read(records.clone()).remove(0);
    (nameless.about.label, nameless.ending) = (None, true);
    desk.put_record(POCKET, Notes::NAME, Notes::id(&nameless.session), serde_json::to_value(&nameless).ok())
        .await
        .unwrap();
    assert_eq!(there.take_in(read(records.clone())).await.unwrap(), 0);
    let kept = read(desk.records(POCKET, Notes::NAME).await.unwrap()).remove(0);
    assert_eq!((kept.about.label.as_deref(), kept.ending), (Some("Phone"), true));

    let mut damaged = records;
    damaged.push(serde_json::json!({ "session": 1 }));
    let refused = SchemeSessions::<Notes>::read_records(damaged).unwrap_err();
    assert!(matches!(&refused, AppError::InvalidInput { field, .. } if field == "sessions[1]"), "{refused}");
}

#[tokio::test]
async fn a_review_hears_of_each_policy_what_its_own_session_would_allow() {
    let World { sessions, .. } = world();
    let policy = |to| (SessionPolicy::from(Policy::new(to, "buy()")), ActionLimits::default());
    let found = sessions.findings(&[policy(SHOP), policy(FORBIDDEN)]).await.unwrap();
    let stop = SchemeFinding { severity: Severity::Stop, text: "not there".into() };
    assert_eq!(found, [(Some(1), stop)]);
}

fn about_of(store: &MemorySessionStore, id: B256) -> Option<AboutSession> {
    let stored = block_on(store.records(POCKET, Notes::NAME)).unwrap();
    let stored = SchemeSessions::<Notes>::read_records(stored).unwrap();
    stored.into_iter().find(|stored| Notes::id(&stored.session) == id).map(|stored| stored.about)
}

/// What another tab writes between reading and writing: reading the chain takes a second.
#[tokio::test]
async fn what_another_tab_writes_meanwhile_is_not_lost_and_what_it_forgets_stays_forgotten() {
    let World { fake, owner, store, sessions } = world();
    let (id, _) = sessions.grant(&owner, grant(SHOP)).await.unwrap();
    let other = B256::repeat_byte(7);
    fake.answer_amount(NOTES, U256::ONE);
    let beside = |writes: Box<dyn FnOnce(MemorySessionStore)>| {
        let of_others = store.clone();
        let store = BesideAnotherTab::that(store.clone(), move || writes(of_others));
        SchemeSessions::<Notes>::new(owner.shared_kind(), fake.clone(), Rc::new(store))
    };
    let change = move |store: &MemorySessionStore, change: fn(&mut Stored<Note>, B256)| {
        let changed = |record: Option<Value>| {
            let mut stored = serde_json::from_value::<Stored<Note>>(record.unwrap()).unwrap();
            change(&mut stored, other);
            Ok(Some(serde_json::to_value(stored).unwrap()))
        };
        block_on(store.change_record(POCKET, Notes::NAME, id, Box::new(changed))).unwrap();
    };
    let ends: fn(&mut Stored<Note>, B256) =
        |stored, operation| (stored.ending, stored.about.ended_by) = (true, Some(operation));

    // It is being ended there when it is found on chain here.
    beside(Box::new(move |store| change(&store, ends))).listing().await.unwrap();
    let about = about_of(&store, id).unwrap();
    assert_eq!((about.ended_by, about.was_on_chain), (Some(other), true));
    // That comes to nothing, and another operation is to end it by then.
    change(&store, |stored, _| stored.about.ended_by = Some(B256::repeat_byte(8)));
    beside(Box::new(move |store| change(&store, ends))).ends_no_more(B256::repeat_byte(8)).await.unwrap();
    assert_eq!(about_of(&store, id).unwrap().ended_by, Some(other));
    // Its name comes in from another device.
    let mut named = SchemeSessions::<Notes>::read_records(store.records(POCKET, Notes::NAME).await.unwrap()).unwrap();
    named[0].about = AboutSession { label: Some("Phone".into()), ..AboutSession::default() };
    sessions.take_in(named).await.unwrap();
    assert_eq!(
        about_of(&store, id).map(|about| (about.label, about.ended_by)),
        Some((Some("Phone".into()), Some(other)))
    );

    // The device is to forget the account.
    change(&store, |stored, _| *stored = Stored { ending: false, about: AboutSession::default(), ..stored.clone() });
    change(&store, |stored, operation| stored.about.granted_by = Some(operation));
    let forgets = move |store: MemorySessionStore| {
        block_on(store.put_record(POCKET, Notes::NAME, id, None)).unwrap();
    };
    let before = store.records(POCKET, Notes::NAME).await.unwrap();
    let again = || {
        let stored = SchemeSessions::<Notes>::read_records(before.clone()).unwrap();
        block_on(sessions.take_in(stored)).unwrap();
    };
    beside(Box::new(forgets)).listing().await.unwrap();
    assert_eq!(about_of(&store, id), None, "the listing writes nothing of it");
    again();
    beside(Box::new(forgets)).settle(other, true).await.unwrap();
    assert_eq!(about_of(&store, id), None, "nor does the end of its grant");
    again();
    beside(Box::new(forgets)).revoke(&owner, &[id], &none()).await.unwrap();
    assert_eq!(about_of(&store, id), None, "nor does an operation that ends it");
}

#[tokio::test]
async fn many_sessions_end_in_several_operations_and_what_is_left_is_told() {
    let World { fake, owner, store, sessions } = world();
    let grants = SessionGrants { sessions: vec![grant(SHOP).policies; 60], ..SessionGrants::default() };
    let ids = sessions.grant_several(&owner, grants).await.unwrap().ids;
    let on_chain = |ended: usize| U256::from(60 - ended) | U256::from(ended) << 64;
    fake.answer_amount(NOTES, on_chain(0));
    let calls = |operation: &use_aa_protocol::user_operation::UserOperation| {
        owner.kind().decode_calls(&operation.call_data).unwrap().len()
    };
    let ending = || {
        let stored = block_on(store.records(POCKET, Notes::NAME)).unwrap();
        let stored = SchemeSessions::<Notes>::read_records(stored).unwrap();
        stored.iter().filter(|stored| stored.ending).count()
    };

    // The owner refuses the second one.
    let heard = std::cell::RefCell::new(Vec::new());
    let refuses = |part: RevocationPart<'_>| {
        heard.borrow_mut().push((part.sent.is_some(), part.ended, part.left));
        if part.ended == MOST_ENDED_AT_ONCE {
            fake.answer_amount(NOTES, on_chain(part.ended));
            fake.fail(Step::WalletSign, AppError::WalletRejected);
        }
    };
    let before = fake.sent();
    let error = sessions.revoke_in_parts(&owner, &ids, &none(), &refuses).await.unwrap_err();
    let reason = AppError::WalletRejected.to_string();
    assert_eq!(error, AppError::RevokedInPart { ended: 25, left: 35, reason });
    assert_eq!(heard.take(), [(true, 0, 60), (false, 25, 35)]);
    assert_eq!((fake.sent() - before, calls(&fake.last_sent()), ending()), (1, 25, 25));

    // The same once more goes on with the others, in smaller ones where these are refused.
    fake.fail(Step::WalletSign, None);
    fake.refuse_longer(fake.last_sent().call_data.len() / 2);
    let sizes = std::cell::RefCell::new(Vec::new());
    let note = |part: RevocationPart<'_>| {
        if part.sent.is_some() {
            sizes.borrow_mut().push(calls(&fake.last_sent()));
        }
    };
    let last = sessions.revoke_in_parts(&owner, &ids, &none(), &note).await.unwrap();
    assert_eq!(sizes.take(), [12, 12]);
    let sent = fake.last_sent();
    assert_eq!((last.user_op_hash, calls(&sent), ending()), (sent.hash(31_337), 11, 60));

    // One that fails on the way: what it was to end is not ended.
    fake.end_with(Ending::Reverted);
    fake.answer_amount(NOTES, on_chain(30));
    let error = sessions.revoke_in_parts(&owner, &ids, &none(), &|_| {}).await.unwrap_err();
    let AppError::RevokedInPart { ended: 0, left: 30, reason } = error else { panic!("{error}") };
    assert!(reason.contains("reverted on chain"), "{reason}");
    assert_eq!(ending(), 48, "of the 30 on chain, the 12 that reverted");
    // Nothing was begun: the plain reason.
    fake.fail(Step::WalletSign, AppError::WalletRejected);
    let error = sessions.revoke_in_parts(&owner, &ids, &none(), &|_| {}).await.unwrap_err();
    assert_eq!(error, AppError::WalletRejected);
    // All have ended.
    fake.answer_amount(NOTES, on_chain(60));
    let error = sessions.revoke_in_parts(&owner, &ids, &none(), &|_| {}).await.unwrap_err();
    assert!(matches!(error, AppError::SessionNotFound { .. }), "{error}");
}

#[tokio::test]
async fn what_is_on_its_way_back_is_not_taken_for_ended_and_what_others_do_stays() {
    let World { fake, owner, store, sessions } = world();
    let grants = SessionGrants { sessions: vec![grant(SHOP).policies; 2], ..SessionGrants::default() };
    let ids = sessions.grant_several(&owner, grants).await.unwrap().ids;
    fake.answer_amount(NOTES, U256::ONE);
    let [returns, ends, uses] = [7, 8, 9].map(B256::repeat_byte);
    let note = |change: &dyn Fn(&mut AboutSession)| {
        let changed = |record: Option<Value>| {
            let mut stored = serde_json::from_value::<Stored<Note>>(record.unwrap()).unwrap();
            change(&mut stored.about);
            Ok(Some(serde_json::to_value(stored).unwrap()))
        };
        block_on(store.change_record(POCKET, Notes::NAME, ids[1], Box::new(changed))).unwrap();
    };
    note(&|about| (about.was_on_chain, about.returned_by) = (true, Some(returns)));
    let before = fake.sent();
    let error = sessions.revoke_in_parts(&owner, &ids, &none(), &|_| {}).await.unwrap_err();
    assert_eq!((error, fake.sent()), (AppError::SessionNotFound { wanted: ids[1].to_string() }, before));
    note(&|about| about.returned_by = None);

    // An end was not sent; a use that another tab noted meanwhile, and that the chain had it, stay.
    let snapshot = SchemeSessions::<Notes>::read_records(store.records(POCKET, Notes::NAME).await.unwrap()).unwrap();
    note(&|about| (about.ended_by, about.granted_by, about.first_use_at) = (Some(ends), Some(uses), Some(1)));
    sessions.wait_no_more(&snapshot, &[returns, ends]).await;
    let about = about_of(&store, ids[1]).unwrap();
    assert_eq!((about.ended_by, about.granted_by, about.first_use_at), (None, Some(uses), Some(1)));
    assert!(about.was_on_chain);
    // It has ended by now: the other one goes alone.
    sessions.revoke_in_parts(&owner, &ids, &none(), &|_| {}).await.unwrap();
}
