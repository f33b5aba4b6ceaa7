//! What version 0.1 stores of a session's way through grant, revocation and return: read and written back byte for
//! byte, and made again by today's code.

use std::collections::HashSet;

use alloy::primitives::{Address, B256, U256};
use serde_json::json;
use use_aa_protocol::{
    addresses::DEMO_NFT,
    policy::Policy,
    session::{GrantOperation, SessionBook, SessionEvent, SessionLeaf, SessionStatus},
};

/// `[step, stored text]`, written before the bookkeeping had a type of its own.
const STORED: &str = include_str!("../stored_sessions.json");

const GRANT: B256 = B256::repeat_byte(0x11);
const REVOCATION: B256 = B256::repeat_byte(0x22);
const OTHER_REVOCATION: B256 = B256::repeat_byte(0x33);
const RETURN: B256 = B256::repeat_byte(0x44);

/// As it is before it is stored: unconfirmed, with a field of the JavaScript SDK's.
fn leaf(id: u8) -> SessionLeaf {
    let policy = Policy::new(DEMO_NFT, "safeMint(address)").with_valid_until(1_000 + u64::from(id));
    let mut leaf = SessionLeaf::from_policy(&policy, Address::repeat_byte(id), format!("session{id}")).unwrap();
    leaf.extra.insert("danModuleInfo".into(), json!({ "mpcKeyId": "aabb" }));
    (leaf.label, leaf.created_at) = (Some("for the game".into()), Some(900));
    leaf
}

fn granted(mut leaf: SessionLeaf, user_op_hash: B256, nonce: u64, valid_until: Option<u64>) -> SessionLeaf {
    let (user_op_hash, nonce) = (Some(user_op_hash), Some(U256::from(nonce)));
    let grant = GrantOperation { user_op_hash, nonce, valid_until, in_doubt: false };
    leaf.record(&SessionEvent::GrantPrepared(grant)).unwrap().unwrap();
    leaf
}

fn enter(leaf: &mut SessionLeaf) {
    leaf.record(&SessionEvent::EnteredTree).unwrap();
}

fn bring_back(book: &mut SessionBook, id: &str) {
    let leaf = granted(book.find(id).unwrap().clone(), RETURN, 9, None);
    book.leaf_nodes.retain(|known| known.session_id != id);
    book.leaf_nodes.push(leaf);
}

fn steps() -> Vec<(&'static str, String)> {
    let mut steps = Vec::new();
    let mut book = SessionBook::default();
    let mut note = |step, book: &SessionBook| steps.push((step, serde_json::to_string(book).unwrap()));

    book.leaf_nodes = [1, 2].map(|id| granted(leaf(id), GRANT, 3, Some(2_000))).into();
    book.leaf_nodes.push(granted(leaf(3), OTHER_REVOCATION, 4, None));
    note("granted, not confirmed", &book);
    book.doubt_grant(GRANT);
    note("the answer to sending was lost", &book);
    book.confirm_grant(GRANT);
    book.store_root();
    note("the grant was confirmed", &book);
    book.fail_grant(OTHER_REVOCATION);
    note("the other grant failed", &book);

    book.begin_revocation(&HashSet::from(["session1"]), OTHER_REVOCATION);
    note("a revocation was sent", &book);
    book.fail_revocation(OTHER_REVOCATION);
    note("the revocation failed", &book);
    book.begin_revocation(&HashSet::from(["session1"]), OTHER_REVOCATION);
    book.begin_revocation(&HashSet::from(["session1"]), REVOCATION);
    let sent = book.clone();
    book.confirm_revocation(REVOCATION);
    note("a second revocation was confirmed", &book);

    bring_back(&mut book, "session1");
    note("it is to come back", &book);
    let coming = book.clone();
    book.fail_grant(RETURN);
    note("it did not come back", &book);
    book = coming;
    book.confirm_grant(RETURN);
    book.store_root();
    note("it came back", &book);

    let mut elsewhere = SessionBook { leaf_nodes: vec![leaf(7), leaf(2)], ..Default::default() };
    elsewhere.leaf_nodes.iter_mut().for_each(enter);
    book.adopt(&elsewhere.published().unwrap()).unwrap();
    note("another device's root left it out", &book);
    book.find_mut(&elsewhere.leaf_nodes[0].hash().to_string()).unwrap().key_arrived();
    note("the other device's key came here", &book);
    bring_back(&mut book, "session1");
    note("what ended elsewhere is to come back", &book);

    book = sent;
    book.reconcile(book.root_without(&HashSet::from(["session1"])));
    note("the root shows that the revocation came through", &book);
    book.reconcile(B256::ZERO);
    note("the root is zero", &book);
    enter(book.find_mut("session2").unwrap());
    book.find_mut("session2").unwrap().status = SessionStatus::Expired;
    book.begin_revocation(&HashSet::from(["session1", "session2"]), REVOCATION);
    note("one that another program calls expired is revoked", &book);
    steps
}

#[test]
fn what_version_0_1_stores_is_written_back_byte_for_byte() {
    let stored: Vec<(String, String)> = serde_json::from_str(STORED).unwrap();
    for (step, text) in &stored {
        let book: SessionBook = serde_json::from_str(text).unwrap();
        assert_eq!(&serde_json::to_string(&book).unwrap(), text, "{step}");
    }
    let flags = ["userOpNonce", "userOpValidUntil", "sendInDoubt", "revokedByUserOp", "takenByUserOp", "leftTree"];
    for flag in flags.into_iter().chain(["endedElsewhere", "otherDevice", "returning"]) {
        assert!(stored.iter().any(|(_, text)| text.contains(&format!("\"{flag}\":"))), "{flag} is among them");
    }
}

#[test]
fn every_step_stores_what_version_0_1_stored() {
    let stored: Vec<(String, String)> = serde_json::from_str(STORED).unwrap();
    let steps = steps();
    assert_eq!(steps.len(), stored.len());
    for ((step, text), (stored_step, stored)) in steps.iter().zip(&stored) {
        assert_eq!((*step, text), (stored_step.as_str(), stored));
    }
}
