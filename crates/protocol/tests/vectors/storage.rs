//! 11: what `@biconomy/use-aa` stores, byte for byte; its look-ups; and what became of its revocation.

use alloy::primitives::B256;
use serde_json::Value;
use use_aa_protocol::{
    ProtocolError,
    addresses::ABI_SESSION_VALIDATION_MODULE,
    session::{Reconciliation, SessionBook, SessionSearch, SessionStatus, SignerBook},
};

use crate::support::*;

fn file() -> Value {
    parse(include_str!("../../../../tests/vectors/11_session_storage.json"))
}

const SESSIONS: &str = "0x0788816536defa6a14779711c0b08b7f0edfe68b_sessions";
const SIGNERS: &str = "0x0788816536defa6a14779711c0b08b7f0edfe68b_signers";

fn step<'a>(file: &'a Value, name: &str) -> &'a Value {
    list(file, "steps").iter().find(|step| text(step, "step").starts_with(name)).unwrap_or_else(|| panic!("{name}"))
}

fn book(file: &Value, name: &str) -> SessionBook {
    serde_json::from_str(text(&step(file, name)["raw"], SESSIONS)).unwrap()
}

#[test]
fn every_stored_text_is_written_back_byte_for_byte() {
    let file = file();
    let mut texts = 0;
    for step in list(&file, "steps") {
        let Some(raw) = step.get("raw") else { continue };
        let signers: SignerBook = serde_json::from_str(text(raw, SIGNERS)).unwrap();
        assert_eq!(serde_json::to_string(&signers).unwrap(), text(raw, SIGNERS));
        assert_eq!(signers.signers.len(), 2);
        texts += 1;
        if let Some(stored) = raw.get(SESSIONS).and_then(Value::as_str) {
            let book: SessionBook = serde_json::from_str(stored).unwrap();
            assert_eq!(serde_json::to_string(&book).unwrap(), stored, "{}", text(step, "step"));
            assert_eq!(serde_json::to_value(&book).unwrap(), step["localStorage"][SESSIONS]);
            texts += 1;
        }
    }
    assert_eq!(texts, 11);
    assert_eq!(
        serde_json::to_string(&SessionBook::default()).unwrap(),
        r#"{"merkleRoot":"","leafNodes":[]}"#,
        "what an absent entry means"
    );
}

#[test]
fn fields_of_the_js_sdk_that_we_do_not_know_are_kept() {
    let book = book(&file(), "createSessionData(leaf 1");
    assert_eq!(book.leaf_nodes[1].extra["preferredSessionId"], "0000000002");
    assert_eq!(book.leaf_nodes[2].extra["danModuleInfo"]["mpcKeyId"], "aabb");
}

#[test]
fn look_ups_answer_as_the_js_sdks_and_name_what_was_wanted() {
    let file = file();
    let book = book(&file, "updateSessionStatus");
    let by_key = |status| SessionSearch {
        session_key_address: Some(book.leaf_nodes[0].session_key_address),
        session_validation_module: Some(ABI_SESSION_VALIDATION_MODULE),
        status,
        ..SessionSearch::default()
    };
    assert_eq!(book.search(&by_key(None)).unwrap().session_id, "793262ca33", "first match");
    assert_eq!(book.search(&by_key(Some(SessionStatus::Pending))).unwrap().session_id, "1df6611d47");
    let by_id = SessionSearch { session_id: Some("0000000002".into()), ..SessionSearch::default() };
    assert_eq!(book.search(&by_id).unwrap(), &book.leaf_nodes[1]);
    for case in list(&file, "errors") {
        match text(case, "case") {
            "getSessionData unknown id" => {
                let wanted = SessionSearch { session_id: Some("nope".into()), ..SessionSearch::default() };
                let error = ProtocolError::SessionNotFound { wanted: "nope".into() };
                assert_eq!(book.search(&wanted), Err(error));
                assert_eq!(book.find("nope"), None);
            }
            "getSessionData {}" | "SKM signUserOpHash without id or svm" | "router param without id" => {
                let error = book.search(&SessionSearch::default()).unwrap_err().to_string();
                assert!(error.starts_with("search: expected a session id"), "{error}");
            }
            "getSignerByKey unknown" => {
                let stored = text(&step(&file, "after addSigner")["raw"], SIGNERS);
                let signers: SignerBook = serde_json::from_str(stored).unwrap();
                assert!(signers.find(Default::default()).is_none());
                assert!(signers.find(book.leaf_nodes[0].session_key_address).is_some());
                assert!(!format!("{signers:?}").contains("59c6995e"), "keys are not printed");
            }
            "resumeSession unknown" => assert_eq!(SessionBook::default().tree_leaves().len(), 0),
            // `@biconomy/use-aa` cannot encode an empty root
            "createSessionData([]) on an empty tree" => assert_eq!(SessionBook::default().root(), B256::ZERO),
            other => panic!("no assertion for {other}"),
        }
    }
}

#[test]
fn a_js_sdks_book_of_pending_leaves_is_settled_by_the_root_on_chain() {
    // S34: nothing in `@biconomy/use-aa` ever writes ACTIVE, so live sessions are PENDING
    let file = file();
    let mut book = book(&file, "createSessionData(leaf 1");
    assert_eq!(book.root(), B256::ZERO, "no unconfirmed leaf enters a root");
    let chain: B256 = book.merkle_root.parse().unwrap();
    let ids = ["793262ca33", "0000000002", "1df6611d47"].map(String::from).to_vec();
    assert_eq!(book.reconcile(chain), Reconciliation::Settled { activated: ids, revoked: vec![] });
    assert_eq!(book.root(), chain);
    assert_eq!(book.merkle_root, chain.to_string());
    assert_eq!(book.reconcile(chain), Reconciliation::InSync);
}

#[test]
fn a_grant_that_never_arrived_stays_out() {
    // S31: `@biconomy/use-aa` stores leaves before it sends; the chain still holds the first leaf alone
    let file = file();
    let chain: B256 = book(&file, "createSessionData(leaf 0)").merkle_root.parse().unwrap();
    let mut book = book(&file, "createSessionData(leaf 1");
    let activated = vec!["793262ca33".into()];
    assert_eq!(book.reconcile(chain), Reconciliation::Settled { activated, revoked: vec![] });
    assert_eq!(book.leaf_nodes[1].status, SessionStatus::Pending);
    assert_eq!(book.tree_leaves().len(), 1);
    assert_eq!(book.root(), chain);
}

#[test]
fn a_revocation_of_the_js_sdk_that_never_reached_the_chain_is_undone() {
    // docs/protocol.md 3.17: `@biconomy/use-aa` marks REVOKED, sends nothing, and after a reload has the old root again
    let file = file();
    let bug = step(&file, "BUG revokeSessions");
    let before = word(bug, "rootBefore");
    let after_reload = step(&file, "new module instance");
    assert_eq!(word(after_reload, "rootFromStorageLeaves"), before);
    let mut book = book(&file, "BUG revokeSessions");
    let hashes: Vec<B256> = book.leaf_nodes.iter().map(|leaf| leaf.hash()).collect();
    assert_eq!(hashes, words(&bug["leavesBefore"]));
    let Reconciliation::Settled { activated, .. } = book.reconcile(before) else { panic!("not settled") };
    assert_eq!(activated.len(), 3, "the first session is still live on chain, and says so");
    // what `@biconomy/use-aa` would have sent: no tree of the stored leaves, and it proves the revoked leaf
    let theirs = use_aa_protocol::merkle::MerkleTree::new(words(&bug["leavesAfter"]));
    assert_eq!(theirs.root(), Some(word(bug, "returnedRoot")));
    let proof = theirs.proof(0).unwrap();
    assert_eq!(
        use_aa_protocol::merkle::verify(word(bug, "returnedRoot"), hashes[0], &proof),
        bug["revokedLeafStillProves"].as_bool().unwrap()
    );
    // ours leaves the revoked one out
    book.find_mut("793262ca33").unwrap().status = SessionStatus::Revoked;
    assert_eq!(book.tree_leaves().len(), 2);
    assert_ne!(book.root(), word(bug, "returnedRoot"));
    assert!(book.proof("793262ca33").is_err());
}

#[test]
fn malformed_books_are_errors_that_name_the_field() {
    let leaf = r#"{"validUntil":0,"validAfter":0,"sessionValidationModule":"0x000006bc2ecdae38113929293d241cf252d91861",
        "sessionPublicKey":"0x70997970c51812dc3a010c7d01b50e0d17dc79c8","sessionKeyData":"0x00","sessionID":"a","status":"ACTIVE"}"#;
    let read = |leaf: String| serde_json::from_str::<SessionBook>(&format!(r#"{{"leafNodes":[{leaf}]}}"#));
    assert_eq!(read(leaf.into()).unwrap().leaf_nodes.len(), 1);
    for (from, to, field) in [
        (r#""ACTIVE""#, r#""LIVE""#, "status"),
        (r#""validUntil":0"#, r#""validUntil":281474976710656"#, "validUntil"),
        (r#""validUntil":0"#, r#""validUntil":1.5"#, "1.5"),
        (r#""0x00""#, r#""0x0""#, "sessionKeyData"),
        (r#""sessionID":"a","#, "", "sessionID"),
        ("0x70997970c5", "0x70", ""),
    ] {
        let error = read(leaf.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(field), "{to}: {error}");
    }
    let absent_times = leaf.replacen(r#""validUntil":0,"validAfter":0,"#, r#""validAfter":null,"#, 1);
    assert_eq!(read(absent_times).unwrap().leaf_nodes[0].valid_until, 0, "missing values are 0 (docs/protocol.md 3.2)");
}
