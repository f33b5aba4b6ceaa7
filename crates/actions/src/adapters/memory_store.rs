//! Sessions in memory: gone with the process.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use alloy::{
    primitives::{Address, B256},
    signers::local::PrivateKeySigner,
};
use async_trait::async_trait;
use serde_json::Value;

use super::kept_records::KeptRecords;
use crate::{
    error::AppError,
    ports::{RecordChange, SessionBookChange, SessionStore},
};
use use_aa_protocol::{distributed_key::EphemeralKey, session::SessionBook};

/// A store that lives as long as its last clone; clones share the content, as tabs share a browser's.
#[derive(Clone, Default)]
pub struct MemorySessionStore {
    accounts: Rc<RefCell<HashMap<Address, AccountEntry>>>,
}

#[derive(Default)]
struct AccountEntry {
    book: SessionBook,
    signers: HashMap<Address, PrivateKeySigner>,
    ephemeral_keys: HashMap<Address, EphemeralKey>,
    records: HashMap<String, KeptRecords>,
}

impl MemorySessionStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Addresses of the session keys kept for `account`, in no order.
    pub fn session_key_addresses(&self, account: Address) -> Vec<Address> {
        let accounts = self.accounts.borrow();
        accounts.get(&account).map(|entry| entry.signers.keys().copied().collect()).unwrap_or_default()
    }
}

#[async_trait(?Send)]
impl SessionStore for MemorySessionStore {
    async fn load(&self, account: Address) -> Result<SessionBook, AppError> {
        Ok(self.accounts.borrow().get(&account).map(|entry| entry.book.clone()).unwrap_or_default())
    }

    async fn update(&self, account: Address, change: SessionBookChange<'_>) -> Result<SessionBook, AppError> {
        // Changed on a copy, and without the map borrowed: a change that fails, panics or looks into
        // the store itself harms nothing.
        let mut book = self.load(account).await?;
        change(&mut book)?;
        self.accounts.borrow_mut().entry(account).or_default().book = book.clone();
        Ok(book)
    }

    async fn records(&self, account: Address, scheme: &str) -> Result<Vec<Value>, AppError> {
        let accounts = self.accounts.borrow();
        let kept = accounts.get(&account).and_then(|entry| entry.records.get(scheme));
        Ok(kept.map(KeptRecords::values).unwrap_or_default())
    }

    async fn change_record(
        &self,
        account: Address,
        scheme: &str,
        id: B256,
        change: RecordChange<'_>,
    ) -> Result<(), AppError> {
        // As above: without the map borrowed.
        let kept = self.accounts.borrow().get(&account).and_then(|entry| entry.records.get(scheme)?.get(id).cloned());
        let record = change(kept)?;
        let mut accounts = self.accounts.borrow_mut();
        accounts.entry(account).or_default().records.entry(scheme.to_owned()).or_default().put(id, record);
        Ok(())
    }

    async fn put_signer(&self, account: Address, signer: &PrivateKeySigner) -> Result<(), AppError> {
        let mut accounts = self.accounts.borrow_mut();
        accounts.entry(account).or_default().signers.insert(signer.address(), signer.clone());
        Ok(())
    }

    async fn signer(&self, account: Address, session_key_address: Address) -> Result<PrivateKeySigner, AppError> {
        let accounts = self.accounts.borrow();
        let signer = accounts.get(&account).and_then(|entry| entry.signers.get(&session_key_address));
        signer.cloned().ok_or_else(|| AppError::SessionNotFound { wanted: format!("key {session_key_address}") })
    }

    async fn put_ephemeral_key(
        &self,
        account: Address,
        session_key_address: Address,
        key: &EphemeralKey,
    ) -> Result<(), AppError> {
        let mut accounts = self.accounts.borrow_mut();
        accounts.entry(account).or_default().ephemeral_keys.insert(session_key_address, key.clone());
        Ok(())
    }

    async fn ephemeral_key(&self, account: Address, session_key_address: Address) -> Result<EphemeralKey, AppError> {
        let accounts = self.accounts.borrow();
        let key = accounts.get(&account).and_then(|entry| entry.ephemeral_keys.get(&session_key_address));
        key.cloned()
            .ok_or_else(|| AppError::SessionNotFound { wanted: format!("the page's key for {session_key_address}") })
    }

    async fn remove_signer(&self, account: Address, session_key_address: Address) -> Result<(), AppError> {
        if let Some(entry) = self.accounts.borrow_mut().get_mut(&account) {
            entry.signers.remove(&session_key_address);
            entry.ephemeral_keys.remove(&session_key_address);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use futures::executor::block_on;

    use super::*;

    const ACCOUNT: Address = Address::repeat_byte(1);

    #[test]
    fn a_failing_change_writes_nothing() {
        let store = MemorySessionStore::new();
        let failed = block_on(store.update(
            ACCOUNT,
            Box::new(|book| {
                book.merkle_root = "0x01".into();
                Err(AppError::NoSmartAccount)
            }),
        ));
        assert_eq!(failed.unwrap_err(), AppError::NoSmartAccount);
        assert_eq!(block_on(store.load(ACCOUNT)).unwrap().merkle_root, "");
    }

    #[test]
    fn clones_share_and_accounts_do_not() {
        let store = MemorySessionStore::new();
        let tab = store.clone();
        let change: SessionBookChange<'_> = Box::new(|book| {
            book.merkle_root = "0x02".into();
            Ok(())
        });
        assert_eq!(block_on(store.update(ACCOUNT, change)).unwrap().merkle_root, "0x02");
        assert_eq!(block_on(tab.load(ACCOUNT)).unwrap().merkle_root, "0x02");
        assert_eq!(block_on(tab.load(Address::repeat_byte(2))).unwrap().merkle_root, "");
    }

    #[test]
    fn records_keep_their_place_and_schemes_do_not_meet() {
        let store = MemorySessionStore::new();
        let put = |scheme: &str, id: u8, record: Option<&str>| {
            block_on(store.put_record(ACCOUNT, scheme, B256::repeat_byte(id), record.map(Value::from))).unwrap();
        };
        put("a", 1, Some("one"));
        put("a", 2, Some("two"));
        put("b", 1, Some("other"));
        put("a", 1, Some("uno"));
        assert_eq!(block_on(store.records(ACCOUNT, "a")).unwrap(), ["uno", "two"]);
        put("a", 1, None);
        put("a", 9, None);
        assert_eq!(block_on(store.records(ACCOUNT, "a")).unwrap(), ["two"]);
        assert_eq!(block_on(store.records(ACCOUNT, "b")).unwrap(), ["other"]);
        assert!(block_on(store.records(Address::repeat_byte(2), "a")).unwrap().is_empty());
    }

    #[test]
    fn keys_come_back_until_they_are_removed() {
        let store = MemorySessionStore::new();
        let key = PrivateKeySigner::random();
        block_on(store.put_signer(ACCOUNT, &key)).unwrap();
        assert_eq!(block_on(store.signer(ACCOUNT, key.address())).unwrap(), key);
        assert_eq!(store.session_key_addresses(ACCOUNT), [key.address()]);
        block_on(store.remove_signer(ACCOUNT, key.address())).unwrap();
        block_on(store.remove_signer(ACCOUNT, key.address())).unwrap();
        assert!(matches!(block_on(store.signer(ACCOUNT, key.address())), Err(AppError::SessionNotFound { .. })));
    }
}
