//! Encrypts session keys with a WebCrypto key that cannot be exported and lives in IndexedDB.
//!
//! Whoever reads `localStorage` (a backup, an extension, a stolen profile dump) gets ciphertext. A script running in
//! the page can still ask the browser to decrypt: that is what time windows and policies are for.

use std::{cell::RefCell, collections::HashSet};

use futures::future::{Either, select};
use idb::{DatabaseEvent, Factory, ObjectStoreParams, Transaction, TransactionMode};
use js_sys::{Array, ArrayBuffer, Object, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AesGcmParams, AesKeyGenParams, CryptoKey, DomException, IdbTransaction, SubtleCrypto};
use zeroize::Zeroizing;

use super::signers::Sealed;
use crate::{
    client::{
        browser_storage,
        time::{now_millis, sleep},
    },
    error::AppError,
};

const DATABASE: &str = "use_aa";
const STORE: &str = "keys";
const RECORD: &str = "session_key_encryption";
/// Held by whoever encrypts a key, until that is stored, and by whoever deletes what it is encrypted with.
pub const LOCK: &str = "use_aa_key_vault";
/// IndexedDB that does not answer within this is blocked. Milliseconds.
const PATIENCE: u64 = 5_000;

/// Name in `localStorage` that changes when the key is deleted: other tabs hold a copy, and must not go on with it.
const DELETED_AT: &str = "use_aa_key_deleted_at";

thread_local! {
    /// The key, and when the one before it was deleted, milliseconds since the epoch.
    static KEY: RefCell<Option<(Option<u64>, CryptoKey)>> = const { RefCell::new(None) };
    /// Nonces and associated data of what that key has opened: it need not be tried again.
    static OPENED: RefCell<HashSet<([u8; 12], Vec<u8>)>> = RefCell::default();
}

/// Encrypts `plain`, bound to `associated_data`, under a fresh nonce.
pub async fn seal(plain: &[u8], associated_data: &[u8]) -> Result<Sealed, AppError> {
    // Not by the copy: it outlives a deletion that nobody told of, as of the site's data under an open page, and after
    // a reload nothing would open this.
    encrypt(&kept_key(true).await?, plain, associated_data).await
}

/// Decrypts what [`seal`] made with the same `associated_data`.
pub async fn open(sealed: &Sealed, associated_data: &[u8]) -> Result<Zeroizing<Vec<u8>>, AppError> {
    decrypt(&known_key().await?, sealed, associated_data).await
}

/// Would [`open`] open it? `false`: what sealed it is gone from this browser, and nothing brings it back. An error: that
/// cannot be said now.
pub async fn opens(sealed: &Sealed, associated_data: &[u8]) -> Result<bool, AppError> {
    subtle()?;
    let seen = (sealed.iv, associated_data.to_vec());
    // Deleted elsewhere: what was opened before says nothing.
    match known_key().await {
        Ok(_) if OPENED.with_borrow(|opened| opened.contains(&seen)) => return Ok(true),
        Ok(_) => {}
        Err(AppError::Key { .. }) => return Ok(false),
        Err(error) => return Err(error),
    }
    match open(sealed, associated_data).await {
        Ok(_) => {
            OPENED.with_borrow_mut(|opened| opened.insert(seen));
            Ok(true)
        }
        Err(AppError::Key { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gets the encryption key ready, so that the first [`seal`] is fast.
pub async fn warm_up() -> Result<(), AppError> {
    kept_key(true).await.map(drop)
}

/// Deletes the encryption key: what it encrypted is lost for ever.
pub async fn forget() -> Result<(), AppError> {
    KEY.set(None);
    let deleting = async {
        let database = open_database().await?;
        let deleted = delete(&database).await;
        database.close();
        deleted
    };
    match select(Box::pin(deleting), Box::pin(sleep(PATIENCE))).await {
        Either::Left((deleted, _)) => deleted.map_err(|error| blocked(&error.to_string()))?,
        Either::Right(_) => return Err(blocked("it does not answer")),
    }
    browser_storage::set(DELETED_AT, &now_millis())
}

/// The copy of the key, while nobody says that it was deleted.
async fn known_key() -> Result<CryptoKey, AppError> {
    let deleted_at = browser_storage::get(DELETED_AT);
    match KEY.with_borrow(Clone::clone) {
        Some((known_at, key)) if known_at == deleted_at => Ok(key),
        _ => kept_key(false).await,
    }
}

/// The key that is kept now; the copy is that one from here on.
async fn kept_key(create: bool) -> Result<CryptoKey, AppError> {
    let deleted_at = browser_storage::get(DELETED_AT);
    let key = match select(Box::pin(stored_key(create)), Box::pin(sleep(PATIENCE))).await {
        Either::Left((key, _)) => key?,
        Either::Right(_) => return Err(blocked("it does not answer")),
    };
    let is_known = match KEY.with_borrow(Clone::clone) {
        Some((_, known)) => opens_what_is_sealed_by(&known, &key).await,
        None => false,
    };
    if !is_known {
        OPENED.take();
    }
    KEY.set(Some((deleted_at, key.clone())));
    Ok(key)
}

/// Whether both are one key: each read makes another object of it.
async fn opens_what_is_sealed_by(one: &CryptoKey, other: &CryptoKey) -> bool {
    match encrypt(other, &[], &[]).await {
        Ok(sealed) => decrypt(one, &sealed, &[]).await.is_ok(),
        Err(_) => false,
    }
}

async fn encrypt(key: &CryptoKey, plain: &[u8], associated_data: &[u8]) -> Result<Sealed, AppError> {
    let mut iv = [0; 12];
    crypto()?.get_random_values_with_u8_array(&mut iv).map_err(|_| failed("the browser gives no randomness"))?;
    let buffer = Uint8Array::from(plain);
    let operation = subtle()?.encrypt_with_object_and_js_u8_array(&parameters(&iv, associated_data), key, &buffer);
    let ciphertext = finish(operation).await;
    buffer.fill(0, 0, buffer.length());
    Ok(Sealed { iv, ciphertext: ciphertext.map_err(|_| failed("it cannot be encrypted"))?.to_vec() })
}

async fn decrypt(key: &CryptoKey, sealed: &Sealed, associated_data: &[u8]) -> Result<Zeroizing<Vec<u8>>, AppError> {
    let buffer = Uint8Array::from(sealed.ciphertext.as_slice());
    let parameters = parameters(&sealed.iv, associated_data);
    let operation = subtle()?.decrypt_with_object_and_js_u8_array(&parameters, key, &buffer);
    let plain = finish(operation).await.map_err(|_| failed("the stored key cannot be decrypted in this browser"))?;
    let copy = Zeroizing::new(plain.to_vec());
    plain.fill(0, 0, plain.length());
    Ok(copy)
}

/// The key in IndexedDB, made there when it is missing. Two tabs may both make one: the first to write wins.
async fn stored_key(create: bool) -> Result<CryptoKey, AppError> {
    let database = open_database().await.map_err(|error| blocked(&error.to_string()))?;
    let found = read_or_add(&database, None).await;
    let key = match found {
        Ok(None) if create => {
            let fresh = generate().await?;
            // What encrypts is what is read back: another key would open nothing after a reload.
            match read_or_add(&database, Some(&fresh)).await {
                Ok(_) => read_or_add(&database, None).await,
                failed => failed,
            }
        }
        found => found,
    };
    database.close();
    key.map_err(|error| blocked(&error.to_string()))?
        .ok_or_else(|| failed("the key that protects the stored session keys is gone from this browser"))
}

async fn open_database() -> Result<idb::Database, idb::Error> {
    let mut request = Factory::new()?.open(DATABASE, Some(1))?;
    request.on_upgrade_needed(|event| {
        // A failure here fails the opening, which is reported there.
        if let Ok(database) = event.database() {
            database.create_object_store(STORE, ObjectStoreParams::new()).ok();
        }
    });
    request.await
}

/// Reads the record; in the same transaction writes `fresh` when there is none.
async fn read_or_add(database: &idb::Database, fresh: Option<&CryptoKey>) -> Result<Option<CryptoKey>, idb::Error> {
    let mode = if fresh.is_some() { TransactionMode::ReadWrite } else { TransactionMode::ReadOnly };
    let transaction = database.transaction(&[STORE], mode)?;
    let store = transaction.object_store(STORE)?;
    let record = JsValue::from_str(RECORD);
    let found = store.get(record.clone())?.await?.and_then(|value| value.dyn_into::<CryptoKey>().ok());
    let key = match (found, fresh) {
        (None, Some(fresh)) => {
            store.put(fresh.as_ref(), Some(&record))?.await?;
            Some(fresh.clone())
        }
        (found, _) => found,
    };
    done(transaction).await?;
    Ok(key)
}

async fn delete(database: &idb::Database) -> Result<(), idb::Error> {
    let transaction = database.transaction(&[STORE], TransactionMode::ReadWrite)?;
    transaction.object_store(STORE)?.delete(idb::Query::Key(JsValue::from_str(RECORD)))?.await?;
    done(transaction).await
}

/// Waits for the end of it. `idb` says of one that the browser took back, as on a full disk, that it ended well.
async fn done(transaction: Transaction) -> Result<(), idb::Error> {
    let transaction = IdbTransaction::from(transaction);
    if Transaction::from(transaction.clone()).await?.is_committed() {
        return Ok(());
    }
    let reason = transaction.error().or_else(|| DomException::new_with_message("the browser took the write back").ok());
    Err(reason.map_or(idb::Error::DomExceptionNotFound, idb::Error::DomException))
}

async fn generate() -> Result<CryptoKey, AppError> {
    let parameters = AesKeyGenParams::new("AES-GCM", 256);
    let usages = Array::of2(&"encrypt".into(), &"decrypt".into());
    let not_extractable = false;
    let promise = subtle()?
        .generate_key_with_object(&parameters, not_extractable, &usages)
        .map_err(|_| failed("the browser makes no encryption key"))?;
    JsFuture::from(promise)
        .await
        .and_then(|key| key.dyn_into())
        .map_err(|_| failed("the browser makes no encryption key"))
}

/// AES-GCM with this nonce, bound to this data.
pub(super) fn parameters(iv: &[u8], associated_data: &[u8]) -> Object {
    let parameters = AesGcmParams::new("AES-GCM", &Uint8Array::from(iv));
    parameters.set_additional_data(&Uint8Array::from(associated_data));
    parameters.into()
}

/// The bytes that a WebCrypto operation answers with.
pub(super) async fn finish(operation: Result<js_sys::Promise, JsValue>) -> Result<Uint8Array, JsValue> {
    let buffer: ArrayBuffer = JsFuture::from(operation?).await?.dyn_into()?;
    Ok(Uint8Array::new(&buffer))
}

pub(super) fn crypto() -> Result<web_sys::Crypto, AppError> {
    web_sys::window().and_then(|window| window.crypto().ok()).ok_or_else(|| failed("this browser has no WebCrypto"))
}

pub(super) fn subtle() -> Result<SubtleCrypto, AppError> {
    let subtle = crypto()?.subtle();
    // Outside a secure context the property is undefined, whatever the binding says.
    if subtle.is_undefined() {
        return Err(failed("WebCrypto needs https or localhost"));
    }
    Ok(subtle)
}

pub(super) fn failed(reason: &str) -> AppError {
    AppError::Key { reason: reason.to_owned() }
}

fn blocked(reason: &str) -> AppError {
    if reason.contains("QuotaExceededError") {
        return browser_storage::full();
    }
    AppError::Storage { reason: format!("IndexedDB, which guards the session keys, is blocked: {reason}") }
}
