//! The server's database: SQLite in the data folder, or PostgreSQL that several servers share.
//!
//! An enum of two pools rather than `sqlx::Any`: `Any` knows neither `BEGIN IMMEDIATE` nor SQLite's settings (write-ahead
//! log, busy timeout), and sends `NULL` without a type, which PostgreSQL refuses in places. The statements are the same
//! for both (`$1` works in both, so do upserts and partial indexes); `on_pool!` and `in_transaction!` run one body
//! on whichever pool there is. Only the migrations come in two variants.
//!
//! Amounts that are compared inside the database are gwei in a `BIGINT` (SQLite has no larger number); exact amounts
//! are kept beside them as decimal text.

use std::{path::Path, str::FromStr, sync::Arc, time::Duration};

#[cfg(feature = "postgres")]
use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use sqlx::{
    SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

use super::{inner_error, key_cache::KeyCache};
use use_aa_actions::error::{AppError, Upstream};

#[cfg(test)]
mod tests;

// Numbers are taken once (the next one is 11), and what was on main is never edited: look at main before adding one.
// Cargo does not see new files: change this line as well.
static SQLITE: Migrator = sqlx::migrate!("src/database/migrations/sqlite");
#[cfg(feature = "postgres")]
static POSTGRES: Migrator = sqlx::migrate!("src/database/migrations/postgres");

/// File in the data folder.
const FILE: &str = "use-aa.sqlite";
/// How long a query may wait for a connection, and a connection for the lock of another process.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the first connection may take, the migrations included, before the request that needs it fails.
const OPENING: Duration = Duration::from_secs(15);
/// SQLite's code for a file that is something else.
const NOT_A_DATABASE: &str = "26";
/// Connections to one SQLite file: writers take turns anyway.
const SQLITE_CONNECTIONS: u32 = 4;
/// Connections of one server to PostgreSQL.
#[cfg(feature = "postgres")]
const POSTGRES_CONNECTIONS: u32 = 10;

/// Why the database did not do what it should, for the log and for operators: its own words are in it. Never holds its
/// URL, which may carry a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// It does not answer.
    #[error("it does not answer: {reason}")]
    Unavailable {
        /// Refused connection, wrong password, time-out.
        reason: String,
    },
    /// Its tables cannot be brought to what this version needs.
    #[error("its tables cannot be brought up to date: {reason}")]
    Migration {
        /// Why.
        reason: String,
    },
    /// It answered a query with an error, or with something that was never written there.
    #[error("a query failed: {reason}")]
    Query {
        /// The database's own words.
        reason: String,
    },
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        let unavailable = |reason: String| Self::Unavailable { reason };
        match error {
            // May quote the URL.
            sqlx::Error::Configuration(_) => unavailable("USE_AA_DATABASE_URL cannot be used".into()),
            sqlx::Error::Io(error) => unavailable(error.to_string()),
            sqlx::Error::PoolTimedOut => unavailable(format!("no connection within {} s", PATIENCE.as_secs())),
            sqlx::Error::Tls(error) => unavailable(format!("TLS: {error}")),
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => unavailable("the connections are closed".into()),
            sqlx::Error::Database(error) => Self::Query { reason: error.message().to_owned() },
            other => Self::Query { reason: other.to_string() },
        }
    }
}

/// For callers, who learn nothing of its own words.
impl From<DatabaseError> for AppError {
    fn from(error: DatabaseError) -> Self {
        let upstream = Upstream::Database;
        let reason = inner_error::logged("the database", &error);
        match error {
            DatabaseError::Unavailable { .. } => Self::UpstreamUnavailable { upstream, reason },
            _ => Self::UpstreamMalformed { upstream, reason },
        }
    }
}

/// The database of this server: cheap to clone, connected and migrated by the first query.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    target: Target,
    pool: OnceCell<Pool>,
    keys: KeyCache,
    /// SQLite lets one writer in at a time and makes the others poll; within this process they queue here instead.
    writers: Mutex<()>,
}

enum Target {
    Sqlite {
        options: Box<SqliteConnectOptions>,
        in_memory: bool,
    },
    #[cfg(feature = "postgres")]
    Postgres(Box<PgConnectOptions>),
}

/// Connections to one of the two kinds.
pub(super) enum Pool {
    Sqlite(SqlitePool),
    #[cfg(feature = "postgres")]
    Postgres(PgPool),
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Database({})", self.name())
    }
}

/// Runs one body on whichever pool `$database` has; `?` in it sees `sqlx::Error` and [`DatabaseError`].
macro_rules! on_pool {
    ($database:expr, $pool:ident => $body:expr) => {
        match $database.pool().await? {
            $crate::database::Pool::Sqlite($pool) => $body,
            #[cfg(feature = "postgres")]
            $crate::database::Pool::Postgres($pool) => $body,
        }
    };
}
pub(super) use on_pool;

/// Runs one body in a transaction that may write; the body commits (`$transaction.commit().await?`) or drops it.
macro_rules! in_transaction {
    ($database:expr, $transaction:ident => $body:expr) => {
        match $database.pool().await? {
            $crate::database::Pool::Sqlite(pool) => {
                let _turn = $database.turn().await;
                // A transaction that begins by reading could not be let in as a writer later.
                #[allow(unused_mut)]
                let mut $transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
                $body
            }
            #[cfg(feature = "postgres")]
            $crate::database::Pool::Postgres(pool) => {
                #[allow(unused_mut)]
                let mut $transaction = pool.begin().await?;
                $body
            }
        }
    };
}
pub(super) use in_transaction;

impl Database {
    /// The database behind a URL, or else the SQLite file in a folder; nothing is opened yet.
    pub fn new(url: Option<&str>, folder: &Path) -> Result<Self, AppError> {
        url.map_or_else(|| Ok(Self::in_folder(folder)), Self::at)
    }

    /// The database behind a URL, `sqlite:…` or `postgres://…`.
    pub fn at(url: &str) -> Result<Self, AppError> {
        // The error may quote the URL.
        let unusable = |_| AppError::Internal { reason: "USE_AA_DATABASE_URL cannot be used".into() };
        if url.starts_with("sqlite:") {
            let in_memory = url.contains(":memory:") || url.contains("mode=memory");
            return Ok(Self::sqlite(SqliteConnectOptions::from_str(url).map_err(unusable)?, in_memory));
        }
        #[cfg(feature = "postgres")]
        return Ok(Self::of(Target::Postgres(Box::new(PgConnectOptions::from_str(url).map_err(unusable)?))));
        #[cfg(not(feature = "postgres"))]
        Err(AppError::invalid(
            "USE_AA_DATABASE_URL",
            "sqlite://… (this server was built without `postgres`)",
            "another",
        ))
    }

    /// The SQLite file in a folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self::sqlite(SqliteConnectOptions::new().filename(folder.join(FILE)), false)
    }

    fn sqlite(options: SqliteConnectOptions, in_memory: bool) -> Self {
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A decision that was told is still there after a power failure.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE)
            .foreign_keys(true);
        Self::of(Target::Sqlite { options: Box::new(options), in_memory })
    }

    fn of(target: Target) -> Self {
        Self {
            inner: Arc::new(Inner {
                target,
                pool: OnceCell::new(),
                keys: KeyCache::default(),
                writers: Mutex::default(),
            }),
        }
    }

    /// Which database this is, without user and password.
    pub fn name(&self) -> String {
        match &self.inner.target {
            Target::Sqlite { in_memory: true, .. } => "SQLite in memory".into(),
            Target::Sqlite { options, .. } => format!("SQLite file {}", options.get_filename().display()),
            #[cfg(feature = "postgres")]
            Target::Postgres(options) => {
                let host = options.get_socket().map_or(options.get_host().into(), |socket| socket.to_string_lossy());
                format!("PostgreSQL {} at {host}:{}", options.get_database().unwrap_or_default(), options.get_port())
            }
        }
    }

    /// Connects, brings the tables up to date and asks for an answer: is it there?
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        on_pool!(self, pool => { sqlx::query("SELECT 1").execute(pool).await?; });
        Ok(())
    }

    pub(super) fn key_cache(&self) -> &KeyCache {
        &self.inner.keys
    }

    /// Closes the connections; what is under way is finished first.
    pub async fn close(&self) {
        match self.inner.pool.get() {
            Some(Pool::Sqlite(pool)) => pool.close().await,
            #[cfg(feature = "postgres")]
            Some(Pool::Postgres(pool)) => pool.close().await,
            None => {}
        }
    }

    /// The connections, made by whoever comes first. A failure is not remembered: the next one tries again.
    pub(super) async fn pool(&self) -> Result<&Pool, DatabaseError> {
        self.inner
            .pool
            .get_or_try_init(|| async {
                let opened = tokio::time::timeout(OPENING, self.inner.target.open()).await.unwrap_or_else(|_| {
                    let reason = format!("not open within {} s", OPENING.as_secs());
                    Err(DatabaseError::Unavailable { reason })
                });
                match &opened {
                    Ok(_) => tracing::info!(database = %self.name(), "open"),
                    Err(error) => tracing::warn!(database = %self.name(), %error, "not open"),
                }
                opened
            })
            .await
    }

    /// This process' turn to write to SQLite.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.inner.writers.lock().await
    }
}

impl Target {
    async fn open(&self) -> Result<Pool, DatabaseError> {
        match self {
            Self::Sqlite { options, in_memory } => {
                if let Some(folder) = options.get_filename().parent().filter(|_| !in_memory) {
                    std::fs::create_dir_all(folder).map_err(|error| DatabaseError::Unavailable {
                        reason: format!("the folder {}: {error}", folder.display()),
                    })?;
                }
                // A database in memory is its connection's own.
                let connections = if *in_memory { 1 } else { SQLITE_CONNECTIONS };
                let pool = SqlitePoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
                let pool = match in_memory {
                    true => pool.idle_timeout(None).max_lifetime(None),
                    false => pool,
                };
                open_sqlite(&pool.connect_lazy_with(options.as_ref().clone())).await
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(options) => {
                // The pool would try again and again and then say only that it had no connection.
                let first = PgConnection::connect_with(options).await.map_err(unavailable)?;
                first.close().await.map_err(unavailable)?;
                let pool = PgPoolOptions::new().max_connections(POSTGRES_CONNECTIONS).acquire_timeout(PATIENCE);
                let pool = pool.connect_lazy_with(options.as_ref().clone());
                // Servers that start together wait for each other here (an advisory lock).
                POSTGRES.run(&pool).await.map_err(migration)?;
                Ok(Pool::Postgres(pool))
            }
        }
    }
}

/// Two servers may open a new file at the same time: switching to the write-ahead log does not wait for a lock, and
/// SQLite's migrations take none, so whoever comes second tries again.
async fn open_sqlite(pool: &SqlitePool) -> Result<Pool, DatabaseError> {
    const TRIES: u32 = 20;
    let mut tried = 0;
    loop {
        let opened = match pool.acquire().await {
            Ok(connection) => {
                drop(connection);
                SQLITE.run(pool).await.map_err(migration)
            }
            // Another file than a database does not become one.
            Err(error)
                if error.as_database_error().and_then(|error| error.code()).as_deref() == Some(NOT_A_DATABASE) =>
            {
                return Err(unavailable(error));
            }
            Err(error) => Err(unavailable(error)),
        };
        tried += 1;
        match opened {
            Ok(()) => return Ok(Pool::Sqlite(pool.clone())),
            Err(error) if tried == TRIES => return Err(error),
            Err(error) => {
                tracing::debug!(%error, "opening SQLite once more");
                tokio::time::sleep(Duration::from_millis(20 * u64::from(tried))).await;
            }
        }
    }
}

fn unavailable(error: sqlx::Error) -> DatabaseError {
    match DatabaseError::from(error) {
        DatabaseError::Query { reason } => DatabaseError::Unavailable { reason },
        other => other,
    }
}

fn migration(error: sqlx::migrate::MigrateError) -> DatabaseError {
    match error {
        sqlx::migrate::MigrateError::Execute(error) | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => {
            DatabaseError::Migration { reason: DatabaseError::from(error).to_string() }
        }
        other => DatabaseError::Migration { reason: other.to_string() },
    }
}
