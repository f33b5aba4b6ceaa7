//! [`LocalSessionStore`]: sessions in `localStorage`, in `@biconomy/account`'s schema (docs/protocol.md 3.16).

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    rc::Rc,
};

use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use async_trait::async_trait;
use gloo_storage::{LocalStorage, Storage};
use js_sys::{Function, JsString, Object, Reflect};
use serde_json::Value;
use wasm_bindgen::{JsCast, JsValue};
use zeroize::Zeroizing;

use super::{
    book_text::{BookParser, BookText},
    changes,
    forgetting::Beginning,
    key_vault,
    signers::{
        Sealed, Signers, StoredKey, associated_data, entry, entry_name, ephemeral_associated_data, ephemeral_entry,
        is_ephemeral, read_entry, signer_of,
    },
};
use crate::{
    actions::ports::{SessionBookChange, SessionStore},
    client::{
        browser_storage,
        time::{now_millis, sleep},
        web_locks::with_lock,
    },
    error::AppError,
    protocol::{
        distributed_key::{EphemeralKey, clear_text_key, remove_clear_text_key},
        session::{SessionBook, SessionLeaf},
    },
};

/// So many leaves are parsed before the clock is looked at.
const LEAVES_PER_STEP: usize = 100;
/// Parsing goes on for this long, milliseconds, before the page gets its turn.
const LONGEST_STEP: u64 = 12;

/// A longer text is read, and written, in a task of its own: 20 ms each for ten thousand leaves. Characters.
const LONGEST_TEXT_AT_ONCE: u32 = 200_000;
/// So often a change begins again because a page that knows no lock has written meanwhile.
const MOST_TRIES: usize = 20;

thread_local! {
    static BOOKS: RefCell<HashMap<Address, Cached>> = RefCell::default();
}

/// A parsed book and the very string it stands for. Comparing the strings costs far less than parsing again.
#[derive(Clone)]
struct Cached {
    stored: JsValue,
    book: Rc<BookText>,
}

/// Sessions in the browser's local storage; all instances are the same store. Writes happen under a Web Lock, keys
/// are encrypted (see [`key_vault`]).
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalSessionStore;

/// The stored sessions of an account at one moment, only to be compared: equal until somebody, in any tab, writes others.
#[derive(Clone, Debug)]
pub struct StoredState(JsValue);

impl StoredState {
    /// As they are now.
    pub fn now(account: Address) -> Result<Self, AppError> {
        read_raw(&sessions_key(account)).map(Self)
    }
}

impl PartialEq for StoredState {
    fn eq(&self, other: &Self) -> bool {
        Object::is(&self.0, &other.0)
    }
}

/// `<account>_sessions`.
pub fn sessions_key(account: Address) -> String {
    format!("{account:#x}_sessions")
}

/// `<account>_signers`.
pub fn signers_key(account: Address) -> String {
    format!("{account:#x}_signers")
}

#[async_trait(?Send)]
impl SessionStore for LocalSessionStore {
    async fn load(&self, account: Address) -> Result<SessionBook, AppError> {
        Ok(read_book(account).await?.book.book.clone())
    }

    async fn update(&self, account: Address, change: SessionBookChange<'_>) -> Result<SessionBook, AppError> {
        let key = sessions_key(account);
        let written = with_lock(&key, async {
            let (before, mut book) = read_to_write(account, &key).await?;
            // From here to the write the page does nothing else: what it replaces is what was read.
            change(&mut book)?;
            if book == before.book {
                return Ok::<_, AppError>((before, false));
            }
            let after = before.with(book).map_err(|error| internal(&error))?;
            let stored = JsString::from(after.text.as_str()).into();
            write_raw(&key, &stored)?;
            let after = Rc::new(after);
            BOOKS.with_borrow_mut(|books| books.insert(account, Cached { stored, book: Rc::clone(&after) }));
            Ok((after, true))
        });
        let (book, changed) = written.await??;
        if book.text.len() > LONGEST_TEXT_AT_ONCE as usize {
            // Writing it held the page for 25 ms: what the caller does next is another task.
            sleep(0).await;
        }
        if changed {
            changes::notify(account);
        }
        Ok(book.book.clone())
    }

    async fn put_signer(&self, account: Address, signer: &PrivateKeySigner) -> Result<(), AppError> {
        let (address, key) = (signer.address(), Zeroizing::new(signer.to_bytes().0));
        put_sealed(account, key.as_slice(), &associated_data(account, address), |signers, sealed| {
            let name = entry_name(address);
            let written = entry(address, sealed, signers.get(&name));
            signers.insert(name, written);
        })
        .await
    }

    async fn signer(&self, account: Address, session_key_address: Address) -> Result<PrivateKeySigner, AppError> {
        let signers = read_signers(account)?;
        let Some(stored) = signers.get(&entry_name(session_key_address)) else {
            return Err(AppError::SessionNotFound { wanted: format!("the key of {session_key_address}") });
        };
        match read_entry(session_key_address, stored)? {
            StoredKey::Sealed(sealed) => {
                let key = key_vault::open(&sealed, &associated_data(account, session_key_address)).await?;
                signer_of(session_key_address, &key)
            }
            StoredKey::ClearText(key) => {
                let signer = signer_of(session_key_address, key.as_slice())?;
                encrypt_found(account, &entry_name(session_key_address), &signer, stored).await?;
                Ok(signer)
            }
        }
    }

    async fn put_ephemeral_key(
        &self,
        account: Address,
        session_key_address: Address,
        key: &EphemeralKey,
    ) -> Result<(), AppError> {
        let data = ephemeral_associated_data(account, session_key_address);
        put_sealed(account, key.seed(), &data, |signers, sealed| {
            insert_ephemeral(signers, session_key_address, sealed);
        })
        .await
    }

    async fn ephemeral_key(&self, account: Address, session_key_address: Address) -> Result<EphemeralKey, AppError> {
        let signers = read_signers(account)?;
        let Some(stored) = signers.get(&entry_name(session_key_address)) else {
            // `@biconomy/use-aa` keeps it in clear text in the leaves.
            self.take_over_ephemeral_keys(account).await?;
            let signers = read_signers(account)?;
            let not_found =
                || AppError::SessionNotFound { wanted: format!("the page's key for {session_key_address}") };
            let stored = signers.get(&entry_name(session_key_address)).ok_or_else(not_found)?;
            return open_ephemeral_key(account, session_key_address, stored).await;
        };
        open_ephemeral_key(account, session_key_address, stored).await
    }

    async fn lost_keys(&self, account: Address) -> Result<BTreeSet<Address>, AppError> {
        let mut lost = BTreeSet::new();
        for (name, stored) in &read_signers(account)? {
            let Ok(address) = name.parse::<Address>() else { continue };
            let opens = match read_entry(address, stored) {
                Ok(StoredKey::ClearText(_)) => true,
                Ok(StoredKey::Sealed(sealed)) if is_ephemeral(stored) => {
                    key_vault::opens(&sealed, &ephemeral_associated_data(account, address)).await?
                }
                Ok(StoredKey::Sealed(sealed)) => key_vault::opens(&sealed, &associated_data(account, address)).await?,
                Err(_) => false,
            };
            if !opens {
                lost.insert(address);
            }
        }
        Ok(lost)
    }

    async fn remove_signer(&self, account: Address, session_key_address: Address) -> Result<(), AppError> {
        change_signers(account, |signers| {
            signers.remove(&entry_name(session_key_address));
        })
        .await
    }
}

impl LocalSessionStore {
    /// Session keys of the account that are stored here, and whether what is stored is the page's key for a distributed one.
    pub fn stored_keys(self, account: Address) -> Result<Vec<(Address, bool)>, AppError> {
        let signers = read_signers(account)?;
        let key = |(name, stored): (&String, &Value)| Some((name.parse().ok()?, is_ephemeral(stored)));
        Ok(signers.iter().filter_map(key).collect())
    }

    /// Encrypts the keys that the JavaScript SDK left in clear text; gives their number. Damaged entries stay as they are.
    pub async fn take_over_clear_text(&self, account: Address) -> Result<usize, AppError> {
        let mut taken_over = 0;
        for (name, stored) in read_signers(account)? {
            let Ok(address) = name.parse::<Address>() else { continue };
            let Ok(StoredKey::ClearText(key)) = read_entry(address, &stored) else { continue };
            if let Ok(signer) = signer_of(address, key.as_slice()) {
                taken_over += usize::from(encrypt_found(account, &name, &signer, &stored).await?);
            }
        }
        Ok(taken_over + self.take_over_ephemeral_keys(account).await?)
    }

    /// Encrypts the ephemeral keys that the JavaScript SDK left in clear text in the leaves of distributed sessions, and
    /// takes them out of the leaves; gives their number.
    async fn take_over_ephemeral_keys(&self, account: Address) -> Result<usize, AppError> {
        let mut found = Vec::new();
        for leaf in &read_book(account).await?.book.book.leaf_nodes {
            found.extend(clear_text_key(leaf).map(|key| (leaf.session_key_address, key)));
        }
        if found.is_empty() {
            return Ok(0);
        }
        let begun = Beginning::now(account);
        for (session_key_address, key) in &found {
            let data = ephemeral_associated_data(account, *session_key_address);
            put_sealed(account, key.seed(), &data, |signers, sealed| {
                // Not where the account was forgotten meanwhile.
                if begun.check().is_ok() {
                    insert_ephemeral(signers, *session_key_address, sealed);
                }
            })
            .await?;
        }
        let forget = |book: &mut SessionBook| {
            let taken = |leaf: &&mut SessionLeaf| found.iter().any(|(address, _)| *address == leaf.session_key_address);
            book.leaf_nodes.iter_mut().filter(taken).for_each(remove_clear_text_key);
            Ok(())
        };
        self.update(account, Box::new(forget)).await?;
        Ok(found.len())
    }
}

fn insert_ephemeral(signers: &mut Signers, session_key_address: Address, sealed: &Sealed) {
    let name = entry_name(session_key_address);
    let written = ephemeral_entry(session_key_address, sealed, signers.get(&name));
    signers.insert(name, written);
}

async fn open_ephemeral_key(
    account: Address,
    session_key_address: Address,
    stored: &Value,
) -> Result<EphemeralKey, AppError> {
    let unusable = || AppError::Key { reason: format!("the stored key for {session_key_address} is of another kind") };
    let StoredKey::Sealed(sealed) = read_entry(session_key_address, stored)? else { return Err(unusable()) };
    if !is_ephemeral(stored) {
        return Err(unusable());
    }
    let seed = key_vault::open(&sealed, &ephemeral_associated_data(account, session_key_address)).await?;
    let seed: &[u8; 32] = seed.as_slice().try_into().map_err(|_| unusable())?;
    Ok(EphemeralKey::from_seed(seed))
}

/// The stored book to be changed, and a copy that changes. It is what is stored at this moment: reading a long one lets
/// others write, and `@biconomy/use-aa` in another tab asks for no lock.
async fn read_to_write(account: Address, key: &str) -> Result<(Rc<BookText>, SessionBook), AppError> {
    for _ in 0..MOST_TRIES {
        let Cached { stored, book } = read_book(account).await?;
        let copy = book.book.clone();
        if book.text.len() > LONGEST_TEXT_AT_ONCE as usize {
            sleep(0).await;
        }
        if Object::is(&read_raw(key)?, &stored) {
            return Ok((book, copy));
        }
    }
    Err(AppError::Storage { reason: "another page writes sessions all the time; nothing was changed".into() })
}

/// The stored book; parsed only when the stored text is another than last time.
async fn read_book(account: Address) -> Result<Cached, AppError> {
    let key = sessions_key(account);
    let stored = read_raw(&key)?;
    if stored.is_null() {
        return Ok(Cached { stored, book: Rc::default() });
    }
    let cached = BOOKS.with_borrow(|books| books.get(&account).cloned());
    if let Some(cached) = cached.filter(|cached| Object::is(&cached.stored, &stored)) {
        hash_ahead(&cached.book.book, now_millis()).await;
        return Ok(cached);
    }
    let is_long = stored.dyn_ref::<JsString>().is_some_and(|text| text.length() > LONGEST_TEXT_AT_ONCE);
    if is_long {
        sleep(0).await;
    }
    let text = stored.as_string().unwrap_or_default();
    if is_long {
        sleep(0).await;
    }
    let mut parser = BookParser::new(text);
    let mut began = now_millis();
    let book = loop {
        match parser.step(LEAVES_PER_STEP) {
            Ok(Some(book)) => break Rc::new(book),
            Ok(None) if now_millis().saturating_sub(began) < LONGEST_STEP => {}
            Ok(None) => {
                sleep(0).await;
                began = now_millis();
            }
            Err(_) => return Err(set_aside(&key, &stored)),
        }
    };
    hash_ahead(&book.book, began).await;
    let read = Cached { stored, book };
    BOOKS.with_borrow_mut(|books| books.insert(account, read.clone()));
    Ok(read)
}

/// Whoever reads a book compares it with the chain, at once and in one task: what that hashes is hashed here.
async fn hash_ahead(book: &SessionBook, mut began: u64) {
    // So many steps hash it all. Where more books are read at a time than are kept, the rest is hashed by who compares.
    for _ in 0..=book.leaf_nodes.len() / LEAVES_PER_STEP {
        if book.hash_some(LEAVES_PER_STEP) {
            return;
        }
        if now_millis().saturating_sub(began) >= LONGEST_STEP {
            sleep(0).await;
            began = now_millis();
        }
    }
}

fn read_signers(account: Address) -> Result<Signers, AppError> {
    let key = signers_key(account);
    let stored = read_raw(&key)?;
    if stored.is_null() {
        return Ok(Signers::new());
    }
    let text = Zeroizing::new(stored.as_string().unwrap_or_default());
    serde_json::from_str(&text).map_err(|_| set_aside(&key, &stored))
}

/// Encrypts a secret and keeps it. Nobody deletes what it is encrypted with before it is stored.
async fn put_sealed(
    account: Address,
    secret: &[u8],
    associated_data: &[u8],
    put: impl FnOnce(&mut Signers, &Sealed),
) -> Result<(), AppError> {
    with_lock(key_vault::LOCK, async {
        let sealed = key_vault::seal(secret, associated_data).await?;
        change_signers(account, |signers| put(signers, &sealed)).await
    })
    .await?
}

/// Encrypts a key that was found in clear text, where it is still stored so: `false` when another tab was faster, or it
/// was forgotten.
async fn encrypt_found(
    account: Address,
    name: &str,
    signer: &PrivateKeySigner,
    found: &Value,
) -> Result<bool, AppError> {
    let (address, key) = (signer.address(), Zeroizing::new(signer.to_bytes().0));
    let mut is_done = false;
    put_sealed(account, key.as_slice(), &associated_data(account, address), |signers, sealed| {
        if signers.get(name) == Some(found) {
            signers.remove(name);
            signers.insert(entry_name(address), entry(address, sealed, Some(found)));
            is_done = true;
        }
    })
    .await?;
    Ok(is_done)
}

async fn change_signers(account: Address, change: impl FnOnce(&mut Signers)) -> Result<(), AppError> {
    let key = signers_key(account);
    with_lock(&key, async {
        let mut signers = read_signers(account)?;
        let before = signers.clone();
        change(&mut signers);
        if signers == before {
            return Ok(());
        }
        let text = serde_json::to_string(&signers).map_err(|error| internal(&error))?;
        browser_storage::set_text(&key, &text)
    })
    .await?
}

/// Moves unreadable content to a name of its own, where it stays, and says so. The next read finds an empty store.
/// When there is no room for the copy, nothing is moved.
fn set_aside(key: &str, stored: &JsValue) -> AppError {
    let kept = format!("{key}_unreadable_{}", now_millis());
    // Another tab may have written something readable since.
    let unchanged = read_raw(key).is_ok_and(|now| Object::is(&now, stored));
    let moved = unchanged && write_raw(&kept, stored).is_ok();
    if moved {
        browser_storage::remove(key);
    }
    let place = if moved { kept.as_str() } else { key };
    AppError::Storage { reason: format!("what is stored under {key} is unreadable; it is kept under {place}") }
}

/// The stored string as a JavaScript value: it stays outside wasm until it is needed.
fn read_raw(key: &str) -> Result<JsValue, AppError> {
    call_storage("getItem", |function, storage| function.call1(storage, &key.into()))
}

fn write_raw(key: &str, value: &JsValue) -> Result<(), AppError> {
    call_storage("setItem", |function, storage| function.call2(storage, &key.into(), value)).map(drop)
}

fn call_storage(
    method: &str,
    call: impl FnOnce(&Function, &JsValue) -> Result<JsValue, JsValue>,
) -> Result<JsValue, AppError> {
    browser_storage::raw()?;
    let storage: JsValue = LocalStorage::raw().into();
    let function: Function = Reflect::get(&storage, &method.into())
        .and_then(|found| found.dyn_into())
        .map_err(|error| browser_storage::refused(&error))?;
    call(&function, &storage).map_err(|error| browser_storage::refused(&error))
}

fn internal(error: &serde_json::Error) -> AppError {
    AppError::Internal { reason: format!("sessions cannot be encoded: {error}") }
}
