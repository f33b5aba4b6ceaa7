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

/// Beginnings of the checksums, by number.
fn checksums(migrator: &Migrator) -> Vec<(i64, String)> {
    migrator.iter().map(|one| (one.version, hex::encode(&one.checksum[..4]))).collect()
}

/// A database that has an edited one does not open any more.
#[test]
fn migrations_stay_as_they_were() {
    const SQLITE_ONES: [(i64, &str); 9] = [
        (1, "a69e3601"),
        (2, "7df6099c"),
        (3, "57b41d39"),
        (4, "ad6babf6"),
        (5, "7b889458"),
        (7, "dfee5554"),
        (8, "e8467384"),
        (9, "661c30dd"),
        (10, "06df52a2"),
    ];
    let is_same = |of: &Migrator, expected: &[(i64, &str)]| {
        let found = checksums(of);
        let found: Vec<_> = found.iter().map(|(version, sum)| (*version, sum.as_str())).collect();
        assert_eq!(found, expected, "add the newest here; the others are as they are");
    };
    is_same(&SQLITE, &SQLITE_ONES);
    #[cfg(feature = "postgres")]
    {
        let own = [(1, "db67b74e"), (7, "83867262"), (10, "c8838882")];
        let postgres = SQLITE_ONES.map(|one| own.into_iter().find(|(version, _)| *version == one.0).unwrap_or(one));
        is_same(&POSTGRES, &postgres);
    }
}

#[tokio::test]
async fn a_database_of_the_version_before_goes_on_where_it_stood() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(folder.path().join(FILE)).create_if_missing(true);
    let pool = SqlitePoolOptions::new().connect_with(options).await.unwrap();
    let before = Migrator::with_migrations(SQLITE.iter().filter(|one| one.version < 10).cloned().collect());
    before.run(&pool).await.unwrap();
    sqlx::query("INSERT INTO sponsor_cursors (chain_id, block) VALUES (5, 77)").execute(&pool).await.unwrap();
    pool.close().await;
    let database = Database::in_folder(folder.path());
    let Pool::Sqlite(pool) = database.pool().await.unwrap() else { panic!("not SQLite") };
    let query = "SELECT chain_id, block FROM sponsor_cursors_of_both";
    let found: Vec<(i64, i64)> = sqlx::query_as(query).fetch_all(pool).await.unwrap();
    assert_eq!(found, [(5, 77)]);
}
