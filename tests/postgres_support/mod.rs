//! A real PostgreSQL for tests: one cluster per test binary, in a temporary folder, behind a Unix socket.
//!
//! It lives as long as the test binary, however that ends: a shell holds it and waits for its standard input to close.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::{
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{Connection, Executor, PgConnection};

/// Who owns the cluster's databases.
const USER: &str = "use_aa";
/// What to do when there is none.
const NEEDED: &str = "PostgreSQL is needed by this test: run `tools/install.sh postgres`, or name the folder of initdb \
    and postgres in POSTGRES_BIN";
/// Starting takes a second; a machine that compiles beside it takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

struct Cluster {
    folder: PathBuf,
    // Its standard input is what keeps the cluster alive.
    _keeper: Mutex<Child>,
}

/// The URL of a new, empty database.
pub async fn database() -> String {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let cluster = tokio::task::spawn_blocking(|| CLUSTER.get_or_init(Cluster::start)).await.unwrap();
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::SeqCst));
    let mut connection = cluster.connect().await;
    connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    connection.close().await.unwrap();
    cluster.url(&name)
}

impl Cluster {
    fn start() -> Self {
        let programs = programs().expect(NEEDED);
        let folder = tempfile::Builder::new().prefix("use-aa-postgres-").tempdir().unwrap().keep();
        // initdb and postgres refuse to run as root.
        let user = (folder.metadata().unwrap().uid() == 0).then(|| user().expect("a user postgres or nobody"));
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let command = |program: &Path| {
            let mut command = Command::new(program);
            command.current_dir(&folder).env_remove("PGDATA").env("LC_ALL", "C");
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command
        };
        let data = folder.join("data");
        let made = command(&programs.join("initdb"))
            .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-U", USER, "-D"])
            .arg(&data)
            .output()
            .expect(NEEDED);
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let keep = r#"folder=$1; shift; "$@" & server=$!; cat >/dev/null; kill -QUIT "$server"; wait "$server"; rm -rf "$folder""#;
        let settings =
            ["listen_addresses=", "fsync=off", "shared_buffers=16MB", "max_connections=300", "logging_collector=off"];
        let keeper = command(Path::new("/bin/sh"))
            .args(["-c", keep, "keeper"])
            .args([&folder, &programs.join("postgres")])
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&folder)
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            // Ctrl-C is for the tests; the cluster ends after them.
            .process_group(0)
            .spawn()
            .unwrap();
        Self { folder, _keeper: Mutex::new(keeper) }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@localhost/{database}?host={}", self.folder.display())
    }

    async fn connect(&self) -> PgConnection {
        let begun = Instant::now();
        loop {
            match PgConnection::connect(&self.url("postgres")).await {
                Ok(connection) => return connection,
                Err(error) if begun.elapsed() > PATIENCE => {
                    let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                    panic!("PostgreSQL does not start: {error}\n{log}");
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// The folder of `initdb` and `postgres`.
fn programs() -> Option<PathBuf> {
    let has_both = |folder: &Path| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    if let Some(named) = std::env::var_os("POSTGRES_BIN").filter(|named| !named.is_empty()) {
        return Some(PathBuf::from(named)).filter(|folder| has_both(folder));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    // Debian keeps them out of PATH.
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    // They find each other beside their true place.
    folders
        .into_iter()
        .find(|folder| has_both(folder))
        .and_then(|folder| folder.join("postgres").canonicalize().ok())?
        .parent()
        .map(Path::to_owned)
}

/// User and group id of somebody who is not root.
fn user() -> Option<(u32, u32)> {
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let find = |name: &str| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    };
    find("postgres").or_else(|| find("nobody"))
}
