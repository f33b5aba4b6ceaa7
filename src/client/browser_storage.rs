//! `localStorage`, probed first: a browser may block it, and then reading throws.

use alloy::primitives::Address;
use gloo_storage::{LocalStorage, Storage, errors::StorageError};
use js_sys::Reflect;
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::JsValue;

use crate::error::AppError;

fn storage() -> Option<web_sys::Storage> {
    web_sys::window()?.local_storage().ok().flatten()
}

/// The raw storage, or why there is none.
pub fn raw() -> Result<web_sys::Storage, AppError> {
    storage().ok_or_else(|| blocked("localStorage is blocked in this browser"))
}

/// Is there a value, readable or not? Brings no JSON along: for code of the first load.
pub fn has(key: &str) -> bool {
    storage().is_some_and(|storage| storage.get_item(key).is_ok_and(|value| value.is_some()))
}

/// `<account>_nexus`: what is kept of a Nexus account. Where it stands, the account is of that kind.
pub fn nexus_key(account: Address) -> String {
    format!("{account:#x}_nexus")
}

/// A value kept as JSON; `None` when absent or unreadable.
pub fn get<T: DeserializeOwned>(key: &str) -> Option<T> {
    raw().ok()?;
    LocalStorage::get(key).ok()
}

/// Keeps a value as JSON.
pub fn set<T: Serialize>(key: &str, value: &T) -> Result<(), AppError> {
    raw()?;
    LocalStorage::set(key, value).map_err(|error| match error {
        StorageError::JsError(error) => refusal(&error.name),
        other => blocked(&other.to_string()),
    })
}

/// Keeps a text as it is.
pub fn set_text(key: &str, text: &str) -> Result<(), AppError> {
    raw()?.set_item(key, text).map_err(|error| refused(&error))
}

/// The names of all values.
pub fn names() -> Result<Vec<String>, AppError> {
    let storage = raw()?;
    let length = storage.length().map_err(|error| refused(&error))?;
    Ok((0..length).filter_map(|index| storage.key(index).ok().flatten()).collect())
}

/// Forgets a value.
pub fn remove(key: &str) {
    if raw().is_ok() {
        LocalStorage::delete(key);
    }
}

/// Why the browser refused, by what it threw.
pub fn refused(error: &JsValue) -> AppError {
    let name = Reflect::get(error, &"name".into()).ok().and_then(|name| name.as_string());
    refusal(name.as_deref().unwrap_or_default())
}

/// The same by the name of the exception; Firefox had one of its own for a full storage.
fn refusal(name: &str) -> AppError {
    match name {
        "QuotaExceededError" | "NS_ERROR_DOM_QUOTA_REACHED" => full(),
        other => blocked(&format!("the browser keeps nothing for this site ({other}); nothing was changed")),
    }
}

/// The error of a full storage.
pub fn full() -> AppError {
    AppError::StorageFull { place: "the browser's storage for this site".into() }
}

fn blocked(reason: &str) -> AppError {
    AppError::Storage { reason: reason.to_owned() }
}
