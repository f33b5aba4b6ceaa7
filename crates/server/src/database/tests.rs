#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

async fn tables(database: &Database) -> Vec<String> {
    let Pool::Sqlite(pool) = database.pool().await.unwrap() else { panic!("not SQLite") };
    let query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name";
    sqlx::query_scalar(query).fetch_all(pool).await.unwrap()
}

#[tokio::test]
async fn a_new_file_gets_its_tables_and_keeps_them() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("not/there/yet");
    let database = Database::in_folder(&deep);
    assert!(!deep.exists(), "nothing is opened before the first query");
    let found = tables(&database).await;
    for table in ["api_keys", "sponsor_budgets", "sponsorships"] {
        assert!(found.iter().any(|name| name == table), "{table} in {found:?}");
    }
    database.close().await;
    let again = Database::in_folder(&deep);
    again.ping().await.unwrap();
    let Pool::Sqlite(pool) = again.pool().await.unwrap() else { panic!("not SQLite") };
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await.unwrap();
    let timeout: i64 = sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(pool).await.unwrap();
    assert_eq!((mode.as_str(), timeout), ("wal", 10_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_open_a_new_file_together_all_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let opened = futures::future::join_all((0..8).map(|_| {
        let database = Database::in_folder(folder.path());
        tokio::spawn(async move { database.ping().await })
    }));
    for outcome in opened.await {
        outcome.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_database_in_memory_stays_one() {
    let database = Database::at("sqlite::memory:").unwrap();
    assert!(tables(&database).await.iter().any(|name| name == "api_keys"));
    assert_eq!(database.name(), "SQLite in memory");
}

#[tokio::test]
async fn errors_and_names_hold_no_password() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let database = Database::at(&format!("postgres://me:pass-word@127.0.0.1:{port}/ledger")).unwrap();
    let error = database.ping().await.unwrap_err();
    assert!(matches!(error, DatabaseError::Unavailable { .. }), "{error}");
    let told = format!("{error} {database:?} {}", AppError::from(error.clone()));
    assert!(!told.contains("pass-word") && told.contains("ledger"), "{told}");
    assert!(matches!(AppError::from(error), AppError::UpstreamUnavailable { upstream: Upstream::Database, .. }));
    let error = Database::at("postgres://me:pass-word@[broken").unwrap_err();
    assert!(!error.to_string().contains("pass-word"), "{error}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let error = Database::in_folder(&folder.path().join("file/deeper")).ping().await.unwrap_err();
    assert!(error.to_string().contains("file/deeper"), "{error}");
}
