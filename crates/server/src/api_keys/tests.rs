#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::time::{Duration, Instant};

use super::*;

fn new(expires_at: Option<u64>) -> NewKey {
    NewKey {
        chain_id: 31_337,
        label: "shop\n".into(),
        scopes: vec![Scope::Bundler],
        requests_per_minute: Some(600),
        budget_per_day: Some(U256::MAX),
        expires_at,
    }
}

fn database() -> Database {
    Database::at("sqlite::memory:").unwrap()
}

#[tokio::test]
async fn an_issued_key_is_accepted_for_its_chain_only() {
    let database = database();
    let (secret, issued) = database.issue_key(new(None)).await.unwrap();
    let key = database.verify_key(31_337, secret.expose()).await.unwrap();
    assert_eq!(key, issued);
    assert_eq!((key.label.as_str(), key.budget_per_day, key.requests_per_minute), ("shop", Some(U256::MAX), Some(600)));
    assert!(key.allows(Scope::Bundler) && !key.allows(Scope::Paymaster));
    assert_eq!(database.verify_key(1, secret.expose()).await, Err(KeyError::Unknown));
    // What `@biconomy/account` takes for a key in its URLs.
    assert!(secret.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'));
}

#[tokio::test]
async fn the_secret_is_not_in_the_database() {
    let database = database();
    let (secret, _) = database.issue_key(new(None)).await.unwrap();
    let (_, half) = secret.expose().split_once('.').unwrap();
    let rows = async {
        let query = "SELECT id, label, secret_hash, scopes FROM api_keys";
        let rows: Vec<(String, String, String, String)> =
            on_pool!(database, pool => sqlx::query_as(query).fetch_all(pool).await?);
        Ok::<_, DatabaseError>(rows)
    };
    let rows = rows.await.unwrap();
    assert_eq!(rows.len(), 1);
    assert!(!format!("{rows:?}").contains(half));
    assert_eq!(rows[0].2, hex::encode(keccak256(half)));
}

#[tokio::test]
async fn other_keys_are_not_accepted() {
    let database = database();
    let (secret, key) = database.issue_key(new(None)).await.unwrap();
    let text = secret.expose();
    let last = if text.ends_with('0') { '1' } else { '0' };
    let other = format!("{}{last}", &text[..text.len() - 1]);
    let upper = text.to_uppercase();
    for wrong in ["", ".", "x", key.id.as_str(), other.as_str(), upper.as_str(), &text[1..], &format!("{text}0")] {
        assert_eq!(database.verify_key(31_337, wrong).await, Err(KeyError::Unknown), "{wrong}");
    }
}

#[tokio::test]
async fn an_expired_key_is_refused_even_out_of_the_cache() {
    let database = database();
    let (secret, _) = database.issue_key(new(Some(unix_seconds() + 1))).await.unwrap();
    assert!(database.verify_key(31_337, secret.expose()).await.is_ok());
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(database.verify_key(31_337, secret.expose()).await, Err(KeyError::Expired));
}

#[tokio::test]
async fn a_revoked_key_is_refused_within_seconds_on_every_server() {
    let folder = tempfile::tempdir().unwrap();
    let (server, command) = (Database::in_folder(folder.path()), Database::in_folder(folder.path()));
    let (secret, key) = command.issue_key(new(None)).await.unwrap();
    assert!(server.verify_key(31_337, secret.expose()).await.is_ok());
    assert!(command.revoke_key(&key.id).await.unwrap());
    let revoked = Instant::now();
    while server.verify_key(31_337, secret.expose()).await.is_ok() {
        assert!(revoked.elapsed() < Duration::from_secs(3), "still accepted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(server.verify_key(31_337, secret.expose()).await, Err(KeyError::Revoked));
}
