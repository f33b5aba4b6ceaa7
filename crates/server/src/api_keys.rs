//! Keys of the JSON-RPC paths (`/api/v2`, `/api/v1`, `/rpc`, each with `/{chainId}/{key}` behind it): issued, listed, revoked, verified.
//!
//! A key is `<id>.<secret>`: 12 hexadecimal digits that may be shown, and 256 random bits that are shown once. Only
//! the secret's keccak-256 is kept. A slow hash (argon2, bcrypt) would add nothing: it is there for secrets that can be
//! guessed, and 256 random bits cannot. Digits and the dot are all that `@biconomy/account`'s pattern for its URLs takes.

use alloy::primitives::{B256, U256, keccak256};
use subtle::ConstantTimeEq;
use use_aa_actions::clock::unix_seconds;
use use_aa_protocol::foreign_text;

use super::{
    database::{Database, DatabaseError, on_pool},
    secret::Secret,
};

mod command;
#[cfg(test)]
mod tests;

pub use super::api_key::{ApiKey, Scope};
pub use command::{KeyArgs, KeyCommandError, run};

/// Length of an id, hexadecimal digits.
const ID_DIGITS: usize = 12;
/// Length of a secret, hexadecimal digits.
const SECRET_DIGITS: usize = 64;
/// Longest label, characters.
const MAX_LABEL: usize = 100;

/// What a key is to be issued with.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// The only chain it is good for.
    pub chain_id: u64,
    /// For people.
    pub label: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// Most calls in a minute.
    pub requests_per_minute: Option<u32>,
    /// Most that is sponsored for it per UTC day, wei.
    pub budget_per_day: Option<U256>,
    /// First second in which it is refused, unix seconds.
    pub expires_at: Option<u64>,
}

/// Why a key is not accepted. Whoever called is told no more than "not accepted"; the log may know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a key, or not one of ours, or one for another chain.
    #[error("the key is not known")]
    Unknown,
    /// Its time is over.
    #[error("the key has expired")]
    Expired,
    /// It was taken back.
    #[error("the key was revoked")]
    Revoked,
    /// Nobody knows: the database does not say.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for KeyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

fn usable(key: ApiKey, now: u64) -> Result<ApiKey, KeyError> {
    match (key.revoked_at, key.expires_at) {
        (Some(_), _) => Err(KeyError::Revoked),
        (None, Some(end)) if now >= end => Err(KeyError::Expired),
        _ => Ok(key),
    }
}

type Row = (String, i64, String, String, String, Option<i64>, Option<String>, i64, Option<i64>, Option<i64>);

/// The columns of a [`Row`], for `concat!`.
macro_rules! select_keys {
    ($rest:literal) => {
        concat!(
            "SELECT id, chain_id, label, secret_hash, scopes, requests_per_minute, budget_per_day, created_at, ",
            "expires_at, revoked_at FROM api_keys ",
            $rest
        )
    };
}

impl Database {
    /// Issues a key. The returned text is the only copy of it.
    pub async fn issue_key(&self, new: NewKey) -> Result<(Secret, ApiKey), DatabaseError> {
        let id: String = hex::encode(rand::random::<[u8; ID_DIGITS / 2]>());
        let secret = Secret::new(hex::encode(rand::random::<[u8; SECRET_DIGITS / 2]>()));
        let label = foreign_text::cleaned(&new.label, MAX_LABEL);
        let key = ApiKey {
            id: id.clone(),
            chain_id: new.chain_id,
            label,
            scopes: new.scopes,
            requests_per_minute: new.requests_per_minute,
            budget_per_day: new.budget_per_day,
            created_at: unix_seconds(),
            expires_at: new.expires_at,
            revoked_at: None,
        };
        let scopes: Vec<_> = key.scopes.iter().map(|scope| scope.name()).collect();
        on_pool!(self, pool => {
            sqlx::query("INSERT INTO api_keys (id, chain_id, label, secret_hash, scopes, requests_per_minute, budget_per_day, \
                created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
                .bind(&key.id)
                .bind(signed(key.chain_id))
                .bind(&key.label)
                .bind(hex::encode(keccak256(secret.expose())))
                .bind(scopes.join(","))
                .bind(key.requests_per_minute.map(i64::from))
                .bind(key.budget_per_day.map(|budget| budget.to_string()))
                .bind(signed(key.created_at))
                .bind(key.expires_at.map(signed))
                .execute(pool)
                .await?;
        });
        Ok((Secret::new(format!("{id}.{}", secret.expose())), key))
    }

    /// All keys, the newest first.
    pub async fn keys(&self) -> Result<Vec<ApiKey>, DatabaseError> {
        let query = select_keys!("ORDER BY created_at DESC, id");
        let rows: Vec<Row> = on_pool!(self, pool => sqlx::query_as(query).fetch_all(pool).await?);
        rows.into_iter().map(|row| read(row).map(|(key, _)| key)).collect()
    }

    /// Takes a key back; `false` when there is none with this id, or it was taken back before.
    pub async fn revoke_key(&self, id: &str) -> Result<bool, DatabaseError> {
        let changed = on_pool!(self, pool => {
            sqlx::query("UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
                .bind(signed(unix_seconds()))
                .bind(id)
                .execute(pool)
                .await?
                .rows_affected()
        });
        Ok(changed > 0)
    }

    /// The key behind the text of a request, when it is good for this chain now. Answers are kept for two seconds:
    /// a key that is revoked is refused after that, on every server.
    pub async fn verify_key(&self, chain_id: u64, key: &str) -> Result<ApiKey, KeyError> {
        self.verify(chain_id, key, true).await
    }

    /// As [`Self::verify_key`], asked of the database now: a key that was revoked is refused at once.
    pub async fn verify_key_now(&self, chain_id: u64, key: &str) -> Result<ApiKey, KeyError> {
        self.verify(chain_id, key, false).await
    }

    async fn verify(&self, chain_id: u64, key: &str, from_cache: bool) -> Result<ApiKey, KeyError> {
        let (id, secret) = parts(key).ok_or(KeyError::Unknown)?;
        let secret_hash = keccak256(secret);
        let hash = keccak256([id.as_bytes(), secret_hash.as_slice()].concat());
        let found = match self.key_cache().get(&hash).filter(|_| from_cache) {
            Some(found) => found,
            None => {
                let found = self.find_key(id, &secret_hash).await?;
                self.key_cache().put(hash, found.clone());
                found
            }
        };
        found
            .filter(|key| key.chain_id == chain_id)
            .ok_or(KeyError::Unknown)
            .and_then(|key| usable(key, unix_seconds()))
    }

    async fn find_key(&self, id: &str, secret_hash: &B256) -> Result<Option<ApiKey>, DatabaseError> {
        let query = select_keys!("WHERE id = $1");
        let row: Option<Row> = on_pool!(self, pool => sqlx::query_as(query).bind(id).fetch_optional(pool).await?);
        let Some((key, kept)) = row.map(read).transpose()? else { return Ok(None) };
        Ok(bool::from(kept.as_slice().ct_eq(secret_hash.as_slice())).then_some(key))
    }
}

/// The two halves of what looks like a key.
fn parts(key: &str) -> Option<(&str, &str)> {
    let (id, secret) = key.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (id.len() == ID_DIGITS && secret.len() == SECRET_DIGITS && digits(id) && digits(secret)).then_some((id, secret))
}

fn read(row: Row) -> Result<(ApiKey, B256), DatabaseError> {
    let (
        id,
        chain_id,
        label,
        secret_hash,
        scopes,
        requests_per_minute,
        budget_per_day,
        created_at,
        expires_at,
        revoked_at,
    ) = row;
    let unreadable = |what: &str| DatabaseError::Query { reason: format!("api_keys: {what} of {id}") };
    let secret_hash: B256 = secret_hash.parse().map_err(|_| unreadable("secret_hash"))?;
    let budget_per_day =
        budget_per_day.map(|text| text.parse().map_err(|_| unreadable("budget_per_day"))).transpose()?;
    let scopes = scopes.split(',').filter_map(Scope::from_name).collect();
    let key = ApiKey {
        chain_id: chain_id.unsigned_abs(),
        label,
        scopes,
        requests_per_minute: requests_per_minute.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
        budget_per_day,
        created_at: created_at.unsigned_abs(),
        expires_at: expires_at.map(i64::unsigned_abs),
        revoked_at: revoked_at.map(i64::unsigned_abs),
        id,
    };
    Ok((key, secret_hash))
}

/// Chain ids and times fit into 63 bits; what does not is as good as the largest.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
