//! What a node knows of its keys: a record each (always in memory), a share each (on disk, a few in memory).

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy::primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    limits::MinuteCount,
    share::KeyShare,
    vault::{Slot, Vault, VaultError},
};
use use_aa_protocol::distributed_key::SignedGrant;

/// Shares kept in memory, about 300 kB each.
const CACHED_SHARES: usize = 32;
/// Where shares of a key are.
const SHARES: [Slot; 3] = [Slot::Staged, Slot::Previous, Slot::Share];

/// What is written down about a key, beside its share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Public key, compressed (33 bytes).
    pub public_key: Bytes,
    /// Its address.
    pub address: Address,
    /// How many nodes must sign.
    pub threshold: u8,
    /// When it was made, unix milliseconds.
    pub created: u64,
    /// To whom it belongs, once it does.
    pub grant: Option<SignedGrant>,
    /// It signs no more.
    pub revoked: bool,
}

impl KeyRecord {
    /// Its grant had ended at this moment, unix seconds.
    pub fn is_over(&self, at: u64) -> bool {
        self.grant.as_ref().is_some_and(|signed| signed.grant.valid_until <= at)
    }
}

/// A refresh of a key, as far as others may ask about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Renewal {
    /// One is under way in this process.
    pub running: bool,
    /// The shares that the running one renews; zero = none that are here.
    pub base: B256,
    /// How many there were in this process: what was heard before another one began is not acted upon.
    pub begun: u64,
}

impl Renewal {
    /// One begins.
    pub fn begin(&mut self, base: B256) {
        *self = Self { running: true, base, begun: self.begun + 1 };
    }

    /// It is over.
    pub fn end(&mut self) {
        *self = Self { begun: self.begun, ..Self::default() };
    }
}

/// How many keys there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// With a grant.
    pub bound: usize,
    /// Waiting for one.
    pub waiting: usize,
}

/// One key.
pub struct Key {
    /// Its id.
    pub id: B256,
    record: Mutex<Option<KeyRecord>>,
    /// Signatures of late.
    pub limit: Mutex<MinuteCount>,
    /// Held while the vault is asked about, or changed by, a refresh.
    pub renewal: tokio::sync::Mutex<Renewal>,
    /// Shares of two epochs are here: this node does not know yet whether all have the new ones.
    pub doubt: watch::Sender<bool>,
}

impl Key {
    /// `None` for a key of which this node has nothing (yet).
    pub fn new(id: B256, record: Option<KeyRecord>, limit: MinuteCount) -> Arc<Self> {
        let (record, limit) = (Mutex::new(record), Mutex::new(limit));
        Arc::new(Self { id, record, limit, renewal: tokio::sync::Mutex::default(), doubt: watch::Sender::new(false) })
    }

    /// The record, to be looked at or changed.
    pub fn record(&self) -> MutexGuard<'_, Option<KeyRecord>> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a signature; see [`MinuteCount::take`].
    pub fn take(&self, per_minute: u32, now: u64) -> Result<Option<MinuteCount>, u64> {
        let mut limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        limit.take(per_minute, now).map(|taken| (taken == super::limits::Taken::ToBeWritten).then_some(*limit))
    }
}

/// Shares in memory, the latest used last.
#[derive(Default)]
struct Cache {
    shares: VecDeque<(B256, Arc<KeyShare>)>,
    /// How often a share became another one: what was read from disk before that is not kept.
    changes: u64,
}

impl Cache {
    fn keep(&mut self, id: B256, share: Arc<KeyShare>) {
        self.shares.retain(|(cached, _)| *cached != id);
        self.shares.push_back((id, share));
        if self.shares.len() > CACHED_SHARES {
            self.shares.pop_front();
        }
    }
}

/// All keys.
pub struct Keys {
    vault: Arc<Vault>,
    all: Mutex<HashMap<B256, Arc<Key>>>,
    cache: Mutex<Cache>,
}

/// Why a key cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What is in it.
    #[error("the {0} of key {1} cannot be read")]
    Unreadable(&'static str, B256),
}

impl Keys {
    /// Reads all records. What a crash left of a key that was being made (the record is written last) goes.
    pub fn load(vault: Arc<Vault>) -> Result<Self, KeyError> {
        let mut all = HashMap::new();
        for id in vault.list(Slot::Record)? {
            let Some(bytes) = vault.read(Slot::Record, id)? else { continue };
            let record = serde_json::from_slice(&bytes).map_err(|_| KeyError::Unreadable("record", id))?;
            let limit = match vault.read(Slot::Limit, id)? {
                Some(bytes) => {
                    let limit: MinuteCount =
                        postcard::from_bytes(&bytes).map_err(|_| KeyError::Unreadable("limit", id))?;
                    limit.resumed()
                }
                None => MinuteCount::default(),
            };
            all.insert(id, Key::new(id, Some(record), limit));
        }
        for slot in [Slot::Share, Slot::Staged, Slot::Previous, Slot::Limit] {
            for id in vault.list(slot)? {
                match all.get(&id) {
                    Some(key) if matches!(slot, Slot::Staged | Slot::Previous) => drop(key.doubt.send_replace(true)),
                    Some(_) => {}
                    None => vault.remove(slot, id)?,
                }
            }
        }
        for (id, key) in &all {
            // Of a crash in between, or of earlier versions.
            if key.record().as_ref().is_some_and(|record: &KeyRecord| record.revoked) {
                for slot in SHARES {
                    vault.remove(slot, *id)?;
                }
                key.doubt.send_replace(false);
            }
        }
        Ok(Self { vault, all: Mutex::new(all), cache: Mutex::default() })
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<B256, Arc<Key>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A key of which something is known.
    pub fn get(&self, id: B256) -> Option<Arc<Key>> {
        self.all().get(&id).cloned().filter(|key| key.record().is_some())
    }

    /// The key, known or not.
    pub fn entry(&self, id: B256) -> Arc<Key> {
        self.all().entry(id).or_insert_with(|| Key::new(id, None, MinuteCount::default())).clone()
    }

    /// How many there are, without a copy of any.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for key in self.all().values() {
            match key.record().as_ref() {
                Some(record) if record.grant.is_some() => counts.bound += 1,
                Some(record) if !record.revoked => counts.waiting += 1,
                _ => {}
            }
        }
        counts
    }

    /// How many are bound to a grant, those that were revoked included: of this account, and in all.
    pub fn bound(&self, account: Address) -> (usize, usize) {
        let (mut of_account, mut all) = (0, 0);
        for key in self.all().values() {
            if let Some(signed) = key.record().as_ref().and_then(|record| record.grant.as_ref()) {
                all += 1;
                of_account += usize::from(signed.grant.account == account);
            }
        }
        (of_account, all)
    }

    /// Keys whose grant ended at this moment (unix seconds) or before.
    pub fn ended(&self, by: u64) -> Vec<Arc<Key>> {
        let over = |key: &&Arc<Key>| key.record().as_ref().is_some_and(|record| record.is_over(by));
        self.all().values().filter(over).cloned().collect()
    }

    /// Removes all that there is of a key. Its record goes last: after a crash, the rest is still found.
    pub fn remove(&self, key: &Key) -> Result<(), KeyError> {
        self.forget_shares(key.id)?;
        for slot in [Slot::Limit, Slot::Record] {
            self.vault.remove(slot, key.id)?;
        }
        *key.record() = None;
        self.all().remove(&key.id);
        Ok(())
    }

    /// Removes the shares of a key, of every epoch.
    pub fn forget_shares(&self, id: B256) -> Result<(), KeyError> {
        for slot in SHARES {
            self.vault.remove(slot, id)?;
        }
        let mut cache = self.cache();
        cache.changes += 1;
        cache.shares.retain(|(cached, _)| *cached != id);
        Ok(())
    }

    /// Forgets keys that were asked for and are not there. Nobody must be at them.
    pub fn forget_unknown(&self) {
        self.all().retain(|_, key| key.record().is_some() || Arc::strong_count(key) > 1);
    }

    /// What `pick` takes of the keys' records, in no order. Records are looked at where they are: grants are long.
    pub fn pick<T>(&self, pick: impl Fn(B256, &KeyRecord) -> Option<T>) -> Vec<T> {
        self.all().values().filter_map(|key| pick(key.id, key.record().as_ref()?)).collect()
    }

    /// Writes a changed record down, then takes it over.
    pub fn save(&self, key: &Key, record: KeyRecord) -> Result<(), KeyError> {
        let bytes = serde_json::to_vec(&record).map_err(|_| KeyError::Unreadable("record", key.id))?;
        self.vault.write(Slot::Record, key.id, &bytes)?;
        *key.record() = Some(record);
        Ok(())
    }

    /// The share in use, from memory or disk. Blocks.
    pub fn share(&self, id: B256) -> Result<Option<Arc<KeyShare>>, KeyError> {
        loop {
            let before = {
                let mut cache = self.cache();
                if let Some((_, share)) = cache.shares.iter().find(|(cached, _)| *cached == id).cloned() {
                    cache.keep(id, share.clone());
                    return Ok(Some(share));
                }
                cache.changes
            };
            let stored = self.stored(Slot::Share, id)?.map(Arc::new);
            let mut cache = self.cache();
            // A refresh may have been faster than the disk: then what was read is of the epoch before.
            if cache.changes == before {
                if let Some(share) = &stored {
                    cache.keep(id, share.clone());
                }
                return Ok(stored);
            }
        }
    }

    /// A share from disk. Blocks.
    pub fn stored(&self, slot: Slot, id: B256) -> Result<Option<KeyShare>, KeyError> {
        let Some(bytes) = self.vault.read(slot, id)? else { return Ok(None) };
        KeyShare::decode(&bytes).map(Some).map_err(|_| KeyError::Unreadable("share", id))
    }

    /// Keeps a share in memory, in place of an older one.
    pub fn remember(&self, id: B256, share: Arc<KeyShare>) {
        let mut cache = self.cache();
        cache.changes += 1;
        cache.keep(id, share);
    }
}
