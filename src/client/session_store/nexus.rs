//! [`NexusStore`]: Nexus accounts and their sessions in `localStorage`, under keys and in a schema of their own. Session keys
//! are kept with those of Smart Account V2: encrypted, by account ([`LocalSessionStore`]).
//!
//! `<account>_nexus` is `{"version":1,"account":…}`; `<account>_smart-sessions` is `{"version":1,"sessions":[[id, …], …]}`,
//! in the order in which they were granted. What a newer version wrote is left alone, and so is what cannot be read: nothing
//! is written over it.

use std::collections::BTreeSet;

use alloy::{
    primitives::{Address, B256},
    signers::local::PrivateKeySigner,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{changes, local::LocalSessionStore};
use crate::{
    actions::ports::{RecordChange, SessionBookChange, SessionStore},
    client::{browser_storage, web_locks::with_lock},
    error::AppError,
    protocol::{distributed_key::EphemeralKey, kind::AccountKind, nexus::NexusAccount, session::SessionBook},
};

/// The only version there is.
const VERSION: u32 = 1;

/// The store of a page; all instances are the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct NexusStore;

#[derive(Serialize, Deserialize)]
struct StoredAccount {
    version: u32,
    account: NexusAccount,
}

#[derive(Serialize, Deserialize)]
struct StoredSessions {
    version: u32,
    sessions: Vec<(B256, Value)>,
}

/// What is read before the rest: another version may mean anything.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl NexusStore {
    /// The account, as it was found.
    ///
    /// # Errors
    /// `Storage` for what cannot be read; `SessionNotFound` for an account that was never here.
    pub fn account(self, account: Address) -> Result<NexusAccount, AppError> {
        let stored = read::<StoredAccount>(&browser_storage::nexus_key(account))?;
        let unknown = || AppError::SessionNotFound { wanted: format!("the Nexus account {account} in this browser") };
        let stored = stored.ok_or_else(unknown)?.account;
        match stored.address == account {
            true => Ok(stored),
            false => Err(damaged(&browser_storage::nexus_key(account), "it is another account's")),
        }
    }

    /// Keeps an account.
    ///
    /// # Errors
    /// `StorageFull`; `Storage`, also for what a newer version wrote or what cannot be read: that is left as it is.
    pub fn put_account(self, account: &NexusAccount) -> Result<(), AppError> {
        let key = browser_storage::nexus_key(account.address);
        if read::<StoredAccount>(&key)?.is_some_and(|stored| stored.account == *account) {
            return Ok(());
        }
        write(&key, &StoredAccount { version: VERSION, account: account.clone() })
    }
}

/// All that is stored of an account's sessions, to know whether it changed.
///
/// # Errors
/// `Storage` where the browser has none.
pub fn stored_state(account: Address, scheme: &str) -> Result<Option<String>, AppError> {
    browser_storage::raw()?.get_item(&sessions_key(account, scheme)).map_err(|error| browser_storage::refused(&error))
}

fn sessions_key(account: Address, scheme: &str) -> String {
    format!("{account:#x}_{scheme}")
}

fn read<T: DeserializeOwned>(key: &str) -> Result<Option<T>, AppError> {
    let text = browser_storage::raw()?.get_item(key).map_err(|error| browser_storage::refused(&error))?;
    let Some(text) = text else { return Ok(None) };
    let Versioned { version } = serde_json::from_str(&text).map_err(|error| damaged(key, error))?;
    if version != VERSION {
        return Err(damaged(key, format!("expected version {VERSION}, got {version}")));
    }
    serde_json::from_str(&text).map(Some).map_err(|error| damaged(key, error))
}

fn write<T: Serialize>(key: &str, value: &T) -> Result<(), AppError> {
    let text = serde_json::to_string(value).map_err(|error| damaged(key, error))?;
    browser_storage::set_text(key, &text)
}

fn damaged(key: &str, reason: impl std::fmt::Display) -> AppError {
    AppError::Storage { reason: format!("what is stored under {key} is left as it is: {reason}") }
}

/// Nobody should ask: these sessions are in no book.
fn no_book() -> AppError {
    AppError::kind_cannot(AccountKind::Nexus, "sessions in a book of leaves")
}

#[async_trait(?Send)]
impl SessionStore for NexusStore {
    async fn load(&self, _: Address) -> Result<SessionBook, AppError> {
        Err(no_book())
    }

    async fn update(&self, _: Address, _: SessionBookChange<'_>) -> Result<SessionBook, AppError> {
        Err(no_book())
    }

    async fn records(&self, account: Address, scheme: &str) -> Result<Vec<Value>, AppError> {
        let stored = read::<StoredSessions>(&sessions_key(account, scheme))?;
        Ok(stored.map(|stored| stored.sessions).unwrap_or_default().into_iter().map(|(_, record)| record).collect())
    }

    async fn change_record(
        &self,
        account: Address,
        scheme: &str,
        id: B256,
        change: RecordChange<'_>,
    ) -> Result<(), AppError> {
        let key = sessions_key(account, scheme);
        let changed = with_lock(&key, async {
            // From here to the write the page does nothing else: what is replaced is what was read.
            let mut stored =
                read::<StoredSessions>(&key)?.unwrap_or(StoredSessions { version: VERSION, sessions: Vec::new() });
            let place = stored.sessions.iter().position(|(other, _)| *other == id);
            let before = place.and_then(|place| stored.sessions.get(place)).map(|(_, record)| record.clone());
            let record = change(before.clone())?;
            if record == before {
                return Ok::<_, AppError>(false);
            }
            match (place.and_then(|place| stored.sessions.get_mut(place)), record) {
                (Some(kept), Some(record)) => kept.1 = record,
                (None, Some(record)) => stored.sessions.push((id, record)),
                (_, None) => stored.sessions.retain(|(other, _)| *other != id),
            }
            write(&key, &stored).map(|()| true)
        });
        if changed.await?? {
            changes::notify(account);
        }
        Ok(())
    }

    async fn put_signer(&self, account: Address, signer: &PrivateKeySigner) -> Result<(), AppError> {
        LocalSessionStore.put_signer(account, signer).await
    }

    async fn signer(&self, account: Address, session_key_address: Address) -> Result<PrivateKeySigner, AppError> {
        LocalSessionStore.signer(account, session_key_address).await
    }

    async fn put_ephemeral_key(
        &self,
        account: Address,
        session_key_address: Address,
        key: &EphemeralKey,
    ) -> Result<(), AppError> {
        LocalSessionStore.put_ephemeral_key(account, session_key_address, key).await
    }

    async fn ephemeral_key(&self, account: Address, session_key_address: Address) -> Result<EphemeralKey, AppError> {
        LocalSessionStore.ephemeral_key(account, session_key_address).await
    }

    async fn lost_keys(&self, account: Address) -> Result<BTreeSet<Address>, AppError> {
        LocalSessionStore.lost_keys(account).await
    }

    async fn remove_signer(&self, account: Address, session_key_address: Address) -> Result<(), AppError> {
        LocalSessionStore.remove_signer(account, session_key_address).await
    }
}
