//! The browser's session store in a real browser: local storage, Web Locks, WebCrypto, IndexedDB.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{cell::Cell, rc::Rc};

use alloy::{
    primitives::{Address, B256, U256},
    signers::local::PrivateKeySigner,
};
use futures::future::join;
use serde_json::Value;
use use_aa::{
    actions::ports::SessionStore,
    client::{
        operation_log::{self, OperationKind},
        session_store::{
            changes,
            forgetting::{Beginning, forget_account, forget_device, is_forgotten},
            key_vault,
            local::{LocalSessionStore, StoredState, sessions_key, signers_key},
            nexus::NexusStore,
            transfer::{self, Imported, NexusTransfer, Opened, export_nexus, export_sessions},
            unless_forgotten::UnlessForgotten,
        },
        time::{now_millis, sleep},
        web_locks::with_lock,
    },
    error::AppError,
    protocol::{
        nexus::{NexusRelease, NexusSetup},
        session::{SessionBook, SessionLeaf, SessionStatus},
        user_op_response::UserOpResponse,
    },
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

const STORE: LocalSessionStore = LocalSessionStore;

fn storage() -> web_sys::Storage {
    web_sys::window().unwrap().local_storage().unwrap().unwrap()
}

/// An account of its own for each test.
fn account() -> Address {
    thread_local!(static NEXT: Cell<u64> = const { Cell::new(1) });
    let number = NEXT.replace(NEXT.get() + 1);
    Address::from_word(B256::from(U256::from(now_millis()) << 32 | U256::from(number)))
}

fn leaf(id: &str) -> SessionLeaf {
    SessionLeaf { session_id: id.into(), session_key_address: Address::repeat_byte(7), ..Default::default() }
}

async fn add(account: Address, id: String) -> Result<SessionBook, AppError> {
    let change = |book: &mut SessionBook| {
        book.leaf_nodes.push(leaf(&id));
        Ok(())
    };
    STORE.update(account, Box::new(change)).await
}

fn ids(book: &SessionBook) -> Vec<&str> {
    book.leaf_nodes.iter().map(|leaf| leaf.session_id.as_str()).collect()
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/11_session_storage.json")).unwrap()
}

#[wasm_bindgen_test]
async fn an_empty_store_is_an_empty_book() {
    let account = account();
    assert_eq!(STORE.load(account).await.unwrap(), SessionBook::default());
    assert_eq!(storage().get_item(&sessions_key(account)).unwrap(), None);
}

#[wasm_bindgen_test]
async fn the_stored_state_is_equal_until_somebody_writes() {
    let account = account();
    let nothing = StoredState::now(account).unwrap();
    assert_eq!(nothing, StoredState::now(account).unwrap());
    add(account, "a".into()).await.unwrap();
    let one = StoredState::now(account).unwrap();
    assert_ne!(one, nothing);
    assert_eq!(one, StoredState::now(account).unwrap());
    // as another tab would
    storage().set_item(&sessions_key(account), "{}").unwrap();
    assert_ne!(one, StoredState::now(account).unwrap());
}

#[wasm_bindgen_test]
async fn what_is_written_is_read_and_in_the_js_sdks_schema() {
    let account = account();
    add(account, "a".into()).await.unwrap();
    add(account, "b".into()).await.unwrap();
    let confirm = |book: &mut SessionBook| {
        book.find_mut("a").unwrap().status = SessionStatus::Active;
        Ok(())
    };
    let written = STORE.update(account, Box::new(confirm)).await.unwrap();
    assert_eq!(STORE.load(account).await.unwrap(), written);
    let raw: Value = serde_json::from_str(&storage().get_item(&sessions_key(account)).unwrap().unwrap()).unwrap();
    assert_eq!(raw["leafNodes"][0]["sessionID"], "a");
    assert_eq!(raw["leafNodes"][0]["status"], "ACTIVE");
    assert_eq!(raw["leafNodes"][1]["status"], "PENDING");
}

#[wasm_bindgen_test]
async fn a_refused_change_writes_nothing() {
    let account = account();
    let before = add(account, "a".into()).await.unwrap();
    let refused = STORE
        .update(
            account,
            Box::new(|book| {
                book.leaf_nodes.clear();
                Err(AppError::NoSmartAccount)
            }),
        )
        .await;
    assert_eq!(refused, Err(AppError::NoSmartAccount));
    assert_eq!(STORE.load(account).await.unwrap(), before);
}

#[wasm_bindgen_test]
async fn the_seeds_sessions_are_read_and_rewritten_byte_for_byte() {
    let account = account();
    let vectors = vectors();
    let text = vectors["steps"][2]["raw"]["0x0788816536defa6a14779711c0b08b7f0edfe68b_sessions"].as_str().unwrap();
    storage().set_item(&sessions_key(account), text).unwrap();
    assert_eq!(STORE.load(account).await.unwrap().leaf_nodes.len(), 3);
    add(account, "new".into()).await.unwrap();
    let written = storage().get_item(&sessions_key(account)).unwrap().unwrap();
    assert!(written.starts_with(text.strip_suffix("]}").unwrap()), "{written}");
}

#[wasm_bindgen_test]
async fn concurrent_updates_lose_nothing() {
    let account = account();
    let many = |from: usize| async move {
        for number in 0..20 {
            add(account, format!("{from}-{number}")).await.unwrap();
            // Another tab writes behind our back, too: the cache must notice.
            sleep(0).await;
        }
    };
    join(many(1), many(2)).await;
    let book = STORE.load(account).await.unwrap();
    assert_eq!(book.leaf_nodes.len(), 40);
    for from in [1, 2] {
        let order: Vec<_> = ids(&book).into_iter().filter(|id| id.starts_with(&format!("{from}-"))).collect();
        assert_eq!(order, (0..20).map(|number| format!("{from}-{number}")).collect::<Vec<_>>());
    }
}

/// The JavaScript SDK in another tab writes between two tasks of ours, and asks for no lock.
#[wasm_bindgen_test]
async fn what_a_page_without_the_lock_writes_meanwhile_is_not_lost() {
    let account = account();
    let key = sessions_key(account);
    let leaves = (0..2_000).map(|number| leaf(&format!("{number:032x}"))).collect();
    let mut theirs = SessionBook { leaf_nodes: leaves, ..Default::default() };
    storage().set_item(&key, &serde_json::to_string(&theirs).unwrap()).unwrap();
    STORE.load(account).await.unwrap();
    let others = async {
        for number in 0..8 {
            sleep(0).await;
            let text = storage().get_item(&key).unwrap().unwrap();
            theirs = serde_json::from_str(&text).unwrap();
            theirs.leaf_nodes.push(leaf(&format!("theirs {number}")));
            storage().set_item(&key, &serde_json::to_string(&theirs).unwrap()).unwrap();
        }
    };
    let ours = async {
        for number in 0..3 {
            add(account, format!("ours {number}")).await.unwrap();
        }
    };
    join(others, ours).await;
    let book = STORE.load(account).await.unwrap();
    for (who, count) in [("ours", 3), ("theirs", 8)] {
        assert_eq!(ids(&book).iter().filter(|id| id.starts_with(who)).count(), count, "{who}");
    }
    storage().remove_item(&key).unwrap();
}

#[wasm_bindgen_test]
async fn a_writer_waits_for_the_lock_of_another_tab() {
    let account = account();
    let done = Rc::new(Cell::new(false));
    let (held, waiting) = (Rc::clone(&done), Rc::clone(&done));
    // Stands for the other tab: it holds the lock, writes directly, and only then lets go.
    let key = sessions_key(account);
    let other_tab = with_lock(&key, async {
        sleep(100).await;
        let text = serde_json::to_string(&SessionBook { leaf_nodes: vec![leaf("other")], ..Default::default() });
        storage().set_item(&sessions_key(account), &text.unwrap()).unwrap();
        held.set(true);
    });
    let ours = async {
        sleep(20).await;
        let book = add(account, "ours".into()).await.unwrap();
        assert!(waiting.get(), "written before the lock was free");
        book
    };
    let (other_tab, book) = join(other_tab, ours).await;
    other_tab.unwrap();
    assert_eq!(ids(&book), ["other", "ours"]);
}

#[wasm_bindgen_test]
async fn keys_are_encrypted_and_come_back() {
    let account = account();
    let signer = PrivateKeySigner::random();
    STORE.put_signer(account, &signer).await.unwrap();
    let raw = storage().get_item(&signers_key(account)).unwrap().unwrap();
    let entries: Value = serde_json::from_str(&raw).unwrap();
    let entry = &entries[format!("{:#x}", signer.address())];
    assert_eq!(entry["version"], 1);
    assert_eq!(entry["pbKey"], signer.address().to_string());
    assert!(!raw.contains(&hex::encode(signer.to_bytes())), "the key in clear text");
    assert_eq!(STORE.signer(account, signer.address()).await.unwrap().to_bytes(), signer.to_bytes());

    STORE.put_signer(account, &signer).await.unwrap();
    let again: Value = serde_json::from_str(&storage().get_item(&signers_key(account)).unwrap().unwrap()).unwrap();
    assert_ne!(again[format!("{:#x}", signer.address())]["iv"], entry["iv"], "a nonce used twice");
}

#[wasm_bindgen_test]
async fn a_key_whose_vault_is_gone_is_lost_and_one_that_is_put_again_is_not() {
    let account = account();
    let (old, new) = (PrivateKeySigner::random(), PrivateKeySigner::random());
    STORE.put_signer(account, &old).await.unwrap();
    assert!(STORE.lost_keys(account).await.unwrap().is_empty());
    key_vault::forget().await.unwrap();
    assert!(STORE.lost_keys(account).await.unwrap().iter().eq([&old.address()]), "there is no vault");
    STORE.put_signer(account, &new).await.unwrap();
    assert!(STORE.lost_keys(account).await.unwrap().iter().eq([&old.address()]), "there is another one");
    assert!(matches!(STORE.signer(account, old.address()).await, Err(AppError::Key { .. })));
    STORE.put_signer(account, &old).await.unwrap();
    assert!(STORE.lost_keys(account).await.unwrap().is_empty());
}

/// As when the site's data are cleared under an open page: nobody tells it.
#[wasm_bindgen_test]
async fn a_key_that_is_put_after_the_vault_was_cleared_unheard_opens_after_a_reload() {
    const DELETED_AT: &str = "use_aa_key_deleted_at";
    let (account, old, new) = (account(), PrivateKeySigner::random(), PrivateKeySigner::random());
    storage().remove_item(DELETED_AT).unwrap();
    STORE.put_signer(account, &old).await.unwrap();
    assert!(STORE.lost_keys(account).await.unwrap().is_empty());
    let script = "return new Promise((done, failed) => {
        const request = indexedDB.deleteDatabase('use_aa');
        request.onsuccess = done;
        request.onerror = request.onblocked = failed;
    });";
    let deleting = js_sys::Function::new_no_args(script).call0(&JsValue::NULL).unwrap();
    JsFuture::from(deleting.unchecked_into::<js_sys::Promise>()).await.unwrap();
    STORE.put_signer(account, &new).await.unwrap();
    assert!(STORE.lost_keys(account).await.unwrap().iter().eq([&old.address()]), "what the other one sealed is lost");
    // A page that is loaded again has no copy; nor has one that hears of a deletion.
    storage().set_item(DELETED_AT, "1").unwrap();
    assert_eq!(STORE.signer(account, new.address()).await.unwrap().to_bytes(), new.to_bytes());
    assert!(matches!(STORE.signer(account, old.address()).await, Err(AppError::Key { .. })));
}

/// IndexedDB that says yes to each write and takes it back, as on a full disk; `error` is what it gives as the reason.
/// The function that it returns mends it.
fn indexed_db_takes_back(error: &str) -> js_sys::Function {
    let script = format!(
        "const kept = ['put', 'delete'].map((name) => [name, IDBObjectStore.prototype[name]]);
        for (const [name, call] of kept) IDBObjectStore.prototype[name] = function (...args) {{
            const request = call.apply(this, args), transaction = this.transaction;
            request.addEventListener('success', () => {{
                if ('{error}') Object.defineProperty(transaction, 'error', {{ get: () => new DOMException('', '{error}') }});
                transaction.abort();
            }});
            return request;
        }};
        return () => kept.forEach(([name, call]) => (IDBObjectStore.prototype[name] = call));"
    );
    js_sys::Function::new_no_args(&script).call0(&JsValue::NULL).unwrap().unchecked_into()
}

#[wasm_bindgen_test]
async fn no_key_is_encrypted_by_what_the_browser_did_not_keep() {
    let (account, signer) = (account(), PrivateKeySigner::random());
    let is_full = |error: &AppError| matches!(error, AppError::StorageFull { .. });
    let is_blocked = |error: &AppError| matches!(error, AppError::Storage { .. });
    for (error, expected) in [("QuotaExceededError", &is_full as &dyn Fn(&AppError) -> bool), ("", &is_blocked)] {
        key_vault::forget().await.unwrap();
        let mend = indexed_db_takes_back(error);
        let refused = STORE.put_signer(account, &signer).await;
        mend.call0(&JsValue::NULL).unwrap();
        assert!(refused.as_ref().is_err_and(expected), "{error}: {refused:?}");
        assert_eq!(storage().get_item(&signers_key(account)).unwrap(), None, "{error}");
    }
    STORE.put_signer(account, &signer).await.unwrap();
    let mend = indexed_db_takes_back("");
    let refused = key_vault::forget().await;
    mend.call0(&JsValue::NULL).unwrap();
    assert!(refused.as_ref().is_err_and(is_blocked), "the key is still there: {refused:?}");
    assert_eq!(STORE.signer(account, signer.address()).await.unwrap().to_bytes(), signer.to_bytes());
}

#[wasm_bindgen_test]
async fn ciphertext_opens_for_its_account_and_key_only() {
    let (mine, other) = (account(), account());
    let signer = PrivateKeySigner::random();
    STORE.put_signer(mine, &signer).await.unwrap();
    let raw = storage().get_item(&signers_key(mine)).unwrap().unwrap();
    storage().set_item(&signers_key(other), &raw).unwrap();
    assert!(matches!(STORE.signer(other, signer.address()).await, Err(AppError::Key { .. })));
    let unknown = STORE.signer(mine, Address::ZERO).await;
    assert!(matches!(unknown, Err(AppError::SessionNotFound { .. })));
    STORE.remove_signer(mine, signer.address()).await.unwrap();
    STORE.remove_signer(mine, signer.address()).await.unwrap();
    assert!(matches!(STORE.signer(mine, signer.address()).await, Err(AppError::SessionNotFound { .. })));
}

#[wasm_bindgen_test]
async fn clear_text_keys_are_taken_over() {
    let vectors = vectors();
    let text = vectors["steps"][0]["raw"]["0x0788816536defa6a14779711c0b08b7f0edfe68b_signers"].as_str().unwrap();
    let clear: Value = serde_json::from_str(text).unwrap();
    let (by_use, at_once) = (account(), account());
    storage().set_item(&signers_key(by_use), text).unwrap();
    storage().set_item(&signers_key(at_once), text).unwrap();

    for name in clear.as_object().unwrap().keys() {
        let address: Address = name.parse().unwrap();
        assert_eq!(STORE.signer(by_use, address).await.unwrap().address(), address);
    }
    STORE.take_over_clear_text(at_once).await.unwrap();
    for account in [by_use, at_once] {
        let raw = storage().get_item(&signers_key(account)).unwrap().unwrap();
        for (name, entry) in clear.as_object().unwrap() {
            let secret = entry["pvKey"].as_str().unwrap();
            assert!(!raw.contains(secret.trim_start_matches("0x")), "{name} is still in clear text");
            let address: Address = name.parse().unwrap();
            assert_eq!(STORE.signer(account, address).await.unwrap().address(), address);
        }
    }
}

#[wasm_bindgen_test]
async fn unreadable_content_is_kept_and_said() {
    let account = account();
    for key in [sessions_key(account), signers_key(account)] {
        storage().set_item(&key, "{\"merkleRoot\":\"\",\"leafNodes\":[{\"not\":").unwrap();
    }
    let error = add(account, "a".into()).await.unwrap_err();
    let key_error = STORE.signer(account, Address::ZERO).await.unwrap_err();
    for (key, error) in [(sessions_key(account), error), (signers_key(account), key_error)] {
        let AppError::Storage { reason } = error else { panic!("{error}") };
        let kept = reason.rsplit(' ').next().unwrap();
        assert!(kept.starts_with(&format!("{key}_unreadable_")), "{reason}");
        assert!(storage().get_item(kept).unwrap().unwrap().contains("not"));
        assert_eq!(storage().get_item(&key).unwrap(), None);
    }
    assert_eq!(ids(&add(account, "a".into()).await.unwrap()), ["a"]);
}

#[wasm_bindgen_test]
async fn a_full_storage_is_an_error_and_nothing_is_lost() {
    let account = account();
    let before = add(account, "a".into()).await.unwrap();
    let huge = |book: &mut SessionBook| {
        book.find_mut("a").unwrap().label = Some("x".repeat(11_000_000));
        Ok(())
    };
    assert!(matches!(STORE.update(account, Box::new(huge)).await, Err(AppError::StorageFull { .. })));
    assert_eq!(STORE.load(account).await.unwrap(), before);

    // Full to the last byte: neither a session nor a key comes in, none goes, and with room all goes on.
    let kept = PrivateKeySigner::random();
    STORE.put_signer(account, &kept).await.unwrap();
    let mut length = 4_000_000;
    for number in 0.. {
        while length > 0 && storage().set_item(&format!("filler-{number}"), &"x".repeat(length)).is_err() {
            length /= 2;
        }
        if length == 0 {
            break;
        }
    }
    let other = PrivateKeySigner::random();
    assert!(matches!(add(account, "b".into()).await, Err(AppError::StorageFull { .. })));
    assert!(matches!(STORE.put_signer(account, &other).await, Err(AppError::StorageFull { .. })));
    assert_eq!(STORE.load(account).await.unwrap(), before);
    assert_eq!(STORE.signer(account, kept.address()).await.unwrap().to_bytes(), kept.to_bytes());
    for number in (0..).take_while(|number| storage().get_item(&format!("filler-{number}")).unwrap().is_some()) {
        storage().remove_item(&format!("filler-{number}")).unwrap();
    }
    assert_eq!(ids(&add(account, "b".into()).await.unwrap()), ["a", "b"]);
    STORE.put_signer(account, &other).await.unwrap();
}

#[wasm_bindgen_test]
async fn changes_are_told_to_those_concerned() {
    let (mine, other) = (account(), account());
    let heard = Rc::new(Cell::new(0));
    let counter = Rc::clone(&heard);
    let subscription = changes::subscribe(mine, move || counter.set(counter.get() + 1));
    add(other, "a".into()).await.unwrap();
    assert_eq!(heard.get(), 0);
    add(mine, "a".into()).await.unwrap();
    assert_eq!(heard.get(), 1);
    // What another tab writes arrives as an event.
    let event = web_sys::StorageEvent::new("storage").unwrap();
    event.init_storage_event_with_can_bubble_and_cancelable_and_key("storage", false, false, Some(&sessions_key(mine)));
    web_sys::window().unwrap().dispatch_event(&event).unwrap();
    assert_eq!(heard.get(), 2);
    drop(subscription);
    add(mine, "b".into()).await.unwrap();
    assert_eq!(heard.get(), 2);
}

#[wasm_bindgen_test]
async fn operations_are_remembered_until_they_end() {
    let account = account();
    let response = UserOpResponse { user_op_hash: B256::repeat_byte(1), session: None };
    operation_log::record(account, OperationKind::UseSession, response.clone()).await.unwrap();
    assert_eq!(operation_log::unsettled(account, OperationKind::UseSession), Some(response));
    assert_eq!(operation_log::unsettled(account, OperationKind::CreateSession), None);
    let refused = UserOpResponse { user_op_hash: B256::repeat_byte(2), session: None };
    operation_log::record(account, OperationKind::UseSession, refused).await.unwrap();
    operation_log::forget(account, B256::repeat_byte(2)).await.unwrap();
    let open = operation_log::unsettled(account, OperationKind::UseSession).map(|known| known.user_op_hash);
    assert_eq!(open, Some(B256::repeat_byte(1)), "the one before is still open");
    operation_log::settle(account, B256::repeat_byte(1)).await.unwrap();
    assert_eq!(operation_log::unsettled(account, OperationKind::UseSession), None);
}

/// 10,000 leaves: reading again costs no parsing, and one more leaf no encoding of the others.
#[wasm_bindgen_test]
async fn ten_thousand_leaves_are_quick() {
    let account = account();
    let leaves = (0..10_000).map(|number| format!("{number:032x}")).map(|id| leaf(&id)).collect();
    let text = serde_json::to_string(&SessionBook { leaf_nodes: leaves, ..Default::default() }).unwrap();
    storage().set_item(&sessions_key(account), &text).unwrap();
    let clock = || web_sys::window().unwrap().performance().unwrap().now();
    let began = clock();
    assert_eq!(STORE.load(account).await.unwrap().leaf_nodes.len(), 10_000);
    let parsed = clock();
    STORE.load(account).await.unwrap();
    let again = clock();
    assert_eq!(add(account, "one more".into()).await.unwrap().leaf_nodes.len(), 10_001);
    let written = clock();
    web_sys::console::log_1(
        &format!(
            "{} kB: first load {:.0} ms, again {:.0} ms, update {:.0} ms (debug build)",
            text.len() / 1_000,
            parsed - began,
            again - parsed,
            written - again
        )
        .into(),
    );
    storage().remove_item(&sessions_key(account)).unwrap();
}

const PASSPHRASE: &str = "correct horse battery";

async fn import_v2(text: &str) -> Imported {
    match transfer::import_sessions(text, PASSPHRASE).await.unwrap() {
        Opened::V2(imported) => imported,
        Opened::Nexus(_) => panic!("of a Nexus account"),
    }
}

async fn refused(text: &str, passphrase: &str) -> AppError {
    transfer::import_sessions(text, passphrase).await.err().expect("refused")
}

#[wasm_bindgen_test]
async fn sessions_move_to_another_device_by_passphrase_only() {
    let account = account();
    let signer = PrivateKeySigner::random();
    STORE.put_signer(account, &signer).await.unwrap();
    let change = |book: &mut SessionBook| {
        let mut leaf = leaf("travels");
        (leaf.session_key_address, leaf.status) = (signer.address(), SessionStatus::Active);
        book.leaf_nodes.push(leaf);
        Ok(())
    };
    let before = STORE.update(account, Box::new(change)).await.unwrap();
    assert!(matches!(export_sessions(account, "short").await, Err(AppError::InvalidInput { .. })));
    let text = export_sessions(account, PASSPHRASE).await.unwrap();
    let secret = format!("{:x}", signer.to_bytes());
    assert!(!text.contains(&secret) && !text.contains("travels"));

    // Another device: nothing of the account is stored there.
    forget_account(account).await.unwrap();
    assert!(STORE.load(account).await.unwrap().leaf_nodes.is_empty());
    assert!(STORE.signer(account, signer.address()).await.is_err());
    let wrong = refused(&text, "incorrect horse").await;
    assert!(matches!(&wrong, AppError::InvalidInput { field, .. } if field == "passphrase"), "{wrong:?}");
    let changed = text.replacen(&format!("{account:#x}"), &format!("{:#x}", Address::repeat_byte(9)), 1);
    refused(&changed, PASSPHRASE).await;
    assert!(STORE.load(account).await.unwrap().leaf_nodes.is_empty(), "nothing was changed");

    let imported = import_v2(&text).await;
    assert_eq!((imported.account, imported.sessions, imported.keys), (account, 1, 1));
    // It counts as granted elsewhere from now on, and is otherwise what it was.
    let mut expected = before.leaf_nodes.clone();
    expected.iter_mut().for_each(SessionLeaf::granted_elsewhere);
    assert_eq!(STORE.load(account).await.unwrap().leaf_nodes, expected);
    assert_eq!(STORE.signer(account, signer.address()).await.unwrap().to_bytes(), signer.to_bytes());
    let stored = storage().get_item(&signers_key(account)).unwrap().unwrap();
    assert!(!stored.contains(&secret), "the key is encrypted here, too");
    let again = import_v2(&text).await;
    assert_eq!((again.sessions, again.keys), (0, 1));
}

#[wasm_bindgen_test]
async fn sessions_of_a_nexus_account_move_in_a_text_of_their_own() {
    let (address, owner, signer) = (account(), Address::repeat_byte(1), PrivateKeySigner::random());
    let account = NexusSetup::new(NexusRelease::V1_2_0).account(owner, address);
    let (id, record) = (B256::repeat_byte(3), serde_json::json!({ "session": "travels" }));
    NexusStore.put_account(&account).unwrap();
    NexusStore.put_record(address, "smart-sessions", id, Some(record.clone())).await.unwrap();
    NexusStore.put_signer(address, &signer).await.unwrap();
    let text = export_nexus(address, PASSPHRASE).await.unwrap();
    let secret = format!("{:x}", signer.to_bytes());
    assert!(!text.contains(&secret) && !text.contains("travels"));

    forget_account(address).await.unwrap();
    assert!(NexusStore.account(address).is_err() && NexusStore.signer(address, signer.address()).await.is_err());
    let another = text.replacen(&format!("{address:#x}"), &format!("{owner:#x}"), 1);
    for (changed, passphrase) in [(&another, PASSPHRASE), (&text.replacen(":2,", ":1,", 1), PASSPHRASE), (&text, "no")]
    {
        let error = refused(changed, passphrase).await;
        assert!(matches!(&error, AppError::InvalidInput { field, .. } if field == "passphrase"), "{error:?}");
    }
    let Opened::Nexus(opened) = transfer::import_sessions(&text, PASSPHRASE).await.unwrap() else { panic!("of V2") };
    let NexusTransfer { account: theirs, sessions, keys } = opened;
    assert_eq!((theirs, sessions), (account, vec![record]));
    assert!(NexusStore.account(address).is_err(), "nothing is stored before the sessions are read");
    transfer::put_keys(address, &keys).await.unwrap();
    assert_eq!(NexusStore.signer(address, signer.address()).await.unwrap().to_bytes(), signer.to_bytes());
}

/// Two tabs, or two works of one, change the same session: what was read first is not what is written over.
#[wasm_bindgen_test]
async fn changes_of_one_record_at_the_same_time_are_all_kept() {
    let (account, id) = (account(), B256::repeat_byte(3));
    NexusStore.put_record(account, "smart-sessions", id, Some(serde_json::json!({ "count": 0 }))).await.unwrap();
    let add = || async {
        let change = |record: Option<Value>| {
            let mut record = record.unwrap();
            record["count"] = (record["count"].as_u64().unwrap() + 1).into();
            Ok(Some(record))
        };
        NexusStore.change_record(account, "smart-sessions", id, Box::new(change)).await.unwrap();
    };
    futures::future::join_all((0..20).map(|_| add())).await;
    assert_eq!(NexusStore.records(account, "smart-sessions").await.unwrap()[0]["count"], 20);
    let refused = NexusStore.change_record(account, "smart-sessions", id, Box::new(|_| Err(AppError::NoSmartAccount)));
    assert_eq!(refused.await, Err(AppError::NoSmartAccount));
    assert_eq!(NexusStore.records(account, "smart-sessions").await.unwrap()[0]["count"], 20, "nothing was written");
}

fn names_of(account: Address) -> Vec<String> {
    let storage = storage();
    let names = (0..storage.length().unwrap()).filter_map(|index| storage.key(index).unwrap());
    names.filter(|name| name.starts_with(&format!("{account:#x}_"))).collect()
}

/// What was begun before goes on: it must not write again what was forgotten.
#[wasm_bindgen_test]
async fn what_was_begun_before_an_account_was_forgotten_brings_nothing_of_it_back() {
    let (account, owner) = (account(), PrivateKeySigner::random());
    add(account, "a".into()).await.unwrap();
    let comparing = UnlessForgotten::from_now(account);
    let (begun, fresh) = (Beginning::now(account), Beginning::now(Address::repeat_byte(0x5e)));
    begun.check().unwrap();
    // Clear text, as the JavaScript SDK leaves it: it is being encrypted when the account is forgotten.
    let key = format!("{:#x}", owner.to_bytes());
    let clear = serde_json::json!({ format!("{:#x}", owner.address()): {
        "pbKey": format!("{:#x}", owner.address()), "pvKey": key, "keyId": "" } });
    storage().set_item(&signers_key(account), &clear.to_string()).unwrap();
    let (taken_over, forgotten) = join(STORE.take_over_clear_text(account), forget_account(account)).await;
    forgotten.unwrap();
    taken_over.unwrap();

    let adopt = |book: &mut SessionBook| {
        book.leaf_nodes.push(leaf("of another device"));
        Ok(())
    };
    let refused = comparing.update(account, Box::new(adopt)).await.unwrap_err();
    assert!(matches!(refused, AppError::Storage { .. }), "{refused}");
    assert!(begun.check().is_err() && Beginning::now(account).check().is_err() && is_forgotten(account));
    fresh.check().unwrap();
    let response = UserOpResponse { user_op_hash: B256::repeat_byte(4), session: None };
    operation_log::record(account, OperationKind::UseSession, response).await.unwrap();
    STORE.remove_signer(account, owner.address()).await.unwrap();
    assert_eq!(names_of(account), Vec::<String>::new());

    // Who comes back is known again.
    add(account, "b".into()).await.unwrap();
    assert!(!is_forgotten(account));
    Beginning::now(account).check().unwrap();
}

/// The key that protects session keys goes with the last of them only, and never while one is being stored.
#[wasm_bindgen_test]
async fn a_key_that_is_stored_while_another_account_is_forgotten_opens_afterwards() {
    for _ in 0..5 {
        let storage = storage();
        let names = (0..storage.length().unwrap()).filter_map(|index| storage.key(index).unwrap());
        for other in names.collect::<Vec<_>>().iter().filter(|name| name.contains("_signers")) {
            storage.remove_item(other).unwrap();
        }
        let (left, kept, signer) = (account(), account(), PrivateKeySigner::random());
        STORE.put_signer(left, &signer).await.unwrap();
        let (put, forgotten) = join(STORE.put_signer(kept, &signer), forget_device(left)).await;
        put.unwrap();
        forgotten.unwrap();
        assert_eq!(STORE.signer(kept, signer.address()).await.unwrap(), signer);
        forget_account(kept).await.unwrap();
    }
}
