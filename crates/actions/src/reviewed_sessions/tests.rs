//! What is kept of foreign sessions, and what is not.

#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::rc::Rc;

use futures::executor::block_on;

use super::*;
use crate::{
    account::SmartAccountClient,
    create_session::{CreateSessionVariables, prepare_create_session},
    fake::Fake,
    ports::SessionStore,
    restore_sessions::{RestoreSessionsVariables, prepare_restore_sessions},
    revoke_sessions::{RevokeSessionsVariables, SessionsToRevoke, prepare_revoke_sessions},
};
use use_aa_protocol::{
    addresses::{DEMO_NFT, DEMO_TOKEN},
    policy::{Condition, Policy},
    session::{SessionKeyManager, SessionStatus},
};

const ACCOUNT: Address = Address::repeat_byte(0xaa);

fn leaf(policy: &Policy) -> SessionLeaf {
    let leaf = SessionLeaf::from_policy(policy, Address::repeat_byte(1), "own").unwrap();
    SessionLeaf { status: SessionStatus::Active, ..leaf }
}

/// This of our own, and these adopted.
fn book_of(own: &Policy, adopted: &[Policy]) -> SessionBook {
    let mut book = SessionBook { leaf_nodes: vec![leaf(own)], ..Default::default() };
    let mut all = book.clone();
    all.leaf_nodes.extend(adopted.iter().map(leaf));
    book.adopt(&all.published().unwrap()).unwrap();
    book
}

fn book(contracts: &[Address]) -> SessionBook {
    let policy = |contract: &Address| Policy::new(*contract, "safeMint(address)");
    book_of(&Policy::new(DEMO_NFT, "burn()"), &contracts.iter().map(policy).collect::<Vec<_>>())
}

fn decide(book: &SessionBook, reviewed: Option<&ReviewedSessions>) -> Result<Kept, AppError> {
    Kept::decide(&book.tree_leaves(), book, reviewed, HashSet::new(), ACCOUNT, &[])
}

#[test]
fn what_was_not_shown_is_not_kept_and_what_must_not_be_granted_ends_or_stops() {
    let honest = book(&[DEMO_NFT, DEMO_TOKEN]);
    let [nft, token] = [1, 2].map(|index| honest.leaf_nodes[index].hash());
    assert_eq!(decide(&honest, None).unwrap().leaves.len(), 2, "no review: the linter decides");
    let shown = ReviewedSessions { keep: vec![nft, token], end: vec![] };
    assert_eq!(decide(&honest, Some(&shown)).unwrap().leaves.len(), 2);
    let half = ReviewedSessions { keep: vec![nft], end: vec![] };
    let refused = decide(&honest, Some(&half)).unwrap_err();
    assert!(
        matches!(&refused, AppError::SessionsNotReviewed { session_ids, .. } if *session_ids == [token.to_string()])
    );
    let ended = ReviewedSessions { end: vec![token], ..half };
    assert_eq!(decide(&honest, Some(&ended)).unwrap().ended, HashSet::from([token.to_string()]));

    let slipped = book(&[ACCOUNT]);
    let evil = slipped.leaf_nodes[1].hash();
    let reviews = [None, Some(ReviewedSessions { keep: vec![evil], end: vec![] })];
    for reviewed in reviews {
        let refused = decide(&slipped, reviewed.as_ref()).unwrap_err();
        assert_eq!(refused.name(), "SessionsNotReviewed", "{refused}");
    }
    let ended = ReviewedSessions { keep: vec![], end: vec![evil] };
    assert!(decide(&slipped, Some(&ended)).unwrap().leaves.is_empty());
}

#[test]
fn what_an_app_may_grant_knowingly_is_not_taken_from_others() {
    let spends = [
        Policy::new(DEMO_TOKEN, "transfer(address,uint256)"),
        Policy::new(DEMO_NFT, "setApprovalForAll(address,bool)"),
        Policy::new(DEMO_TOKEN, "multicall(bytes[])"),
        Policy::new(DEMO_TOKEN, "transferOwnership(address)"),
    ];
    for spend in spends {
        let book = book_of(&Policy::new(DEMO_NFT, "burn()"), std::slice::from_ref(&spend));
        let hash = book.leaf_nodes[1].hash();
        let keep = ReviewedSessions { keep: vec![hash], end: vec![] };
        for reviewed in [None, Some(&keep)] {
            let refused = decide(&book, reviewed).unwrap_err();
            assert_eq!(refused.name(), "SessionsNotReviewed", "{spend:?}: {refused}");
        }
        let end = ReviewedSessions { keep: vec![], end: vec![hash] };
        assert!(decide(&book, Some(&end)).unwrap().leaves.is_empty());
        // The same, granted here.
        let own = book_of(&spend, &[Policy::new(DEMO_NFT, "safeMint(address)")]);
        assert_eq!(decide(&own, None).unwrap().leaves.len(), 1, "{spend:?}");
    }
    // A usual one of another device: what it may pay, and to whom, is limited.
    let limited = Policy::new(DEMO_TOKEN, "transfer(address,uint256)")
        .with_rule(0, Condition::Equal, Address::repeat_byte(7))
        .with_rule(1, Condition::LessThanOrEqual, 10_u64);
    assert_eq!(decide(&book_of(&Policy::new(DEMO_NFT, "burn()"), &[limited]), None).unwrap().leaves.len(), 1);
}

/// A world whose chain holds the tree of this book.
fn world(book: impl Fn(Address) -> SessionBook) -> (Fake, SmartAccountClient, SessionBook) {
    let fake = Fake::new();
    let client = SmartAccountClient::new(Rc::new(fake.clone()), Rc::new(fake.clone()));
    let book = book(client.account);
    fake.set_root(book.root());
    let stored = book.clone();
    let change = |book: &mut SessionBook| {
        *book = stored;
        Ok(())
    };
    block_on(fake.update(client.account, Box::new(change))).unwrap();
    (fake, client, book)
}

#[test]
fn a_module_of_the_account_is_no_contract_that_a_kept_session_may_call() {
    let module = Address::repeat_byte(0x77);
    let (fake, client, book) = world(|_| {
        let mut book = book(&[module]);
        book.leaf_nodes.push(SessionLeaf {
            status: SessionStatus::Active,
            session_id: "second".into(),
            ..leaf(&Policy::new(DEMO_NFT, "mint()"))
        });
        book.leaf_nodes.push(SessionLeaf {
            status: SessionStatus::Revoked,
            session_id: "gone".into(),
            ..leaf(&Policy::new(DEMO_NFT, "pause()"))
        });
        book
    });
    let keep = Some(ReviewedSessions { keep: vec![book.leaf_nodes[1].hash()], end: vec![] });
    let policy = vec![Policy::new(DEMO_NFT, "safeMint(address)")];
    let grant = CreateSessionVariables { policy, reviewed: keep.clone(), ..Default::default() };
    let sessions = SessionsToRevoke::These(vec!["second".into()]);
    let revoke = RevokeSessionsVariables { sessions, reviewed: keep.clone(), ..Default::default() };
    let session_ids = vec!["gone".to_owned()];
    let restore = RestoreSessionsVariables { session_ids, reviewed: keep, ..Default::default() };
    let outcomes = || {
        [
            block_on(prepare_create_session(&client, &fake, grant.clone())).map(|prepared| prepared.kept().len()),
            block_on(prepare_revoke_sessions(&client, &fake, revoke.clone())).map(|prepared| prepared.kept().len()),
            block_on(prepare_restore_sessions(&client, &fake, restore.clone())).map(|prepared| prepared.kept().len()),
        ]
    };
    assert_eq!(outcomes(), [Ok(1), Ok(1), Ok(1)], "a contract like any other");
    fake.enable(module);
    for outcome in outcomes() {
        assert_eq!(outcome.unwrap_err().name(), "SessionsNotReviewed");
    }
}

#[test]
fn what_others_granted_is_not_brought_back_where_no_signature_would_keep_it() {
    let (fake, client, _) = world(|_| {
        let spend = Policy::new(DEMO_TOKEN, "transfer(address,uint256)");
        let mut book = book_of(&spend, &[Policy::new(DEMO_NFT, "setApprovalForAll(address,bool)")]);
        for (leaf, id) in book.leaf_nodes.iter_mut().zip(["own", "foreign"]) {
            leaf.session_id = id.into();
            leaf.status = SessionStatus::Revoked;
        }
        book
    });
    let restore = |id: &str| {
        let request = RestoreSessionsVariables { session_ids: vec![id.to_owned()], ..Default::default() };
        block_on(prepare_restore_sessions(&client, &fake, request)).map(drop)
    };
    assert_eq!(restore("foreign").unwrap_err().name(), "PolicyRefused");
    assert_eq!(restore("own"), Ok(()));
}

#[test]
fn what_a_review_ends_is_ended_or_refused() {
    let (fake, client, book) = world(|_| {
        let mut book = book(&[DEMO_NFT]);
        let mut older = leaf(&Policy::new(DEMO_TOKEN, "mint()"));
        older.session_id = "older".into();
        older.set_manager(SessionKeyManager::Older);
        book.leaf_nodes.push(older);
        book
    });
    let [current, older] = [1, 2].map(|index| book.leaf_nodes[index].hash());
    let policy = vec![Policy::new(DEMO_NFT, "mint()")];
    for replace_unknown in [false, true] {
        if replace_unknown {
            fake.set_root(B256::repeat_byte(3));
        }
        for (end, ends) in [(vec![current], true), (vec![current, older], false)] {
            let reviewed = Some(ReviewedSessions { keep: vec![], end });
            let policy = policy.clone();
            let grant = CreateSessionVariables { policy, reviewed, replace_unknown, ..Default::default() };
            let outcome = block_on(prepare_create_session(&client, &fake, grant)).map(drop);
            assert_eq!(outcome.map_err(|error| error.name()), if ends { Ok(()) } else { Err("InvalidInput") });
        }
    }
    fake.set_root(book.root());
    for (end, ends) in [(vec![current], true), (vec![older], false)] {
        let keep = [current].into_iter().filter(|hash| !end.contains(hash)).collect();
        let (sessions, reviewed) = (SessionsToRevoke::These(vec!["own".into()]), Some(ReviewedSessions { keep, end }));
        let request = RevokeSessionsVariables { sessions, reviewed, ..Default::default() };
        let outcome = block_on(prepare_revoke_sessions(&client, &fake, request)).map(|prepared| prepared.new_root());
        assert_eq!(outcome.map_err(|error| error.name()), if ends { Ok(B256::ZERO) } else { Err("InvalidInput") });
    }
}
