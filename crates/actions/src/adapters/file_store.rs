//! Sessions in files, for servers, scripts and tests: what an app grants today it can use after a restart.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use alloy::{
    primitives::{Address, B256},
    signers::local::PrivateKeySigner,
};
use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use self::seal::Seal;
use super::{kept_records::KeptRecords, stored_keys::entry_name};
use crate::{
    adapters::timer::sleep,
    error::AppError,
    ports::{RecordChange, SessionBookChange, SessionStore},
};
use use_aa_protocol::session::SessionBook;

mod seal;

/// How long another process may hold an account's lock.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two looks at it, milliseconds.
const PAUSE: u64 = 5;
/// Read and write for the owner of the process only.
const PRIVATE_FILE: u32 = 0o600;
/// The same for folders.
const PRIVATE_FOLDER: u32 = 0o700;

/// A folder with two files for each account, `<account>_sessions.json` and `<account>_signers.json`, in the schema of
/// `@biconomy/use-aa`'s browser storage (docs/protocol.md 3.16).
///
/// Several processes may share it: each change is made under a lock of the account and becomes visible as a whole (a
/// new file takes the place of the old one). Folder and files are readable by this user only, and the session keys in
/// them are encrypted (XChaCha20-Poly1305, bound to account and key) with the secret that the store was opened with.
///
/// ```no_run
/// use use_aa_actions::adapters::file_store::FileSessionStore;
///
/// # fn secret_from_your_vault() -> [u8; 32] { [0; 32] }
/// let store = FileSessionStore::open("sessions", &secret_from_your_vault())?;
/// # Ok::<(), use_aa_actions::error::AppError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FileSessionStore {
    folder: PathBuf,
    seal: Seal,
}

impl FileSessionStore {
    /// Uses `folder`, which is made when it is not there. `secret`: 32 bytes from a secret store; whoever has them and
    /// the files can use the sessions.
    ///
    /// # Errors
    /// `Storage` when the folder cannot be made.
    pub fn open(folder: impl Into<PathBuf>, secret: &[u8; 32]) -> Result<Self, AppError> {
        let folder = folder.into();
        fs::DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(&folder).map_err(storage(&folder))?;
        Ok(Self { folder, seal: Seal::new(secret) })
    }

    fn path(&self, account: Address, what: &str) -> PathBuf {
        self.folder.join(format!("{account:#x}_{what}"))
    }

    /// Waits for the account's lock; it is held until the file is dropped.
    async fn lock(&self, account: Address) -> Result<File, AppError> {
        let path = self.path(account, "lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(PRIVATE_FILE).open(&path);
        let file = file.map_err(storage(&path))?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => sleep(PAUSE).await,
                Err(TryLockError::WouldBlock) => {
                    let reason = format!("{}: locked for more than {} s", path.display(), PATIENCE.as_secs());
                    return Err(AppError::Storage { reason });
                }
                Err(TryLockError::Error(error)) => return Err(storage(&path)(error)),
            }
        }
    }

    fn signers(&self, account: Address) -> Result<Map<String, Value>, AppError> {
        read(&self.path(account, "signers.json"))
    }

    /// Changes the entries of session keys under the lock.
    async fn change_signers(
        &self,
        account: Address,
        change: impl FnOnce(&mut Map<String, Value>) -> Result<bool, AppError>,
    ) -> Result<(), AppError> {
        let _lock = self.lock(account).await?;
        let mut signers = self.signers(account)?;
        if change(&mut signers)? {
            write(&self.path(account, "signers.json"), &signers)?;
        }
        Ok(())
    }
}

#[async_trait(?Send)]
impl SessionStore for FileSessionStore {
    async fn load(&self, account: Address) -> Result<SessionBook, AppError> {
        read(&self.path(account, "sessions.json"))
    }

    async fn records(&self, account: Address, scheme: &str) -> Result<Vec<Value>, AppError> {
        let kept: KeptRecords = read(&self.path(account, &format!("{scheme}.json")))?;
        Ok(kept.values())
    }

    async fn change_record(
        &self,
        account: Address,
        scheme: &str,
        id: B256,
        change: RecordChange<'_>,
    ) -> Result<(), AppError> {
        let _lock = self.lock(account).await?;
        let path = self.path(account, &format!("{scheme}.json"));
        let mut kept: KeptRecords = read(&path)?;
        let before = kept.get(id).cloned();
        let record = change(before.clone())?;
        if record == before {
            return Ok(());
        }
        kept.put(id, record);
        write(&path, &kept)
    }

    async fn update(&self, account: Address, change: SessionBookChange<'_>) -> Result<SessionBook, AppError> {
        let _lock = self.lock(account).await?;
        let before: SessionBook = self.load(account).await?;
        let mut book = before.clone();
        change(&mut book)?;
        if book != before {
            write(&self.path(account, "sessions.json"), &book)?;
        }
        Ok(book)
    }

    async fn put_signer(&self, account: Address, signer: &PrivateKeySigner) -> Result<(), AppError> {
        let entry = self.seal.close(account, signer)?;
        let insert = |signers: &mut Map<String, Value>| {
            signers.insert(entry_name(signer.address()), entry);
            Ok(true)
        };
        self.change_signers(account, insert).await
    }

    async fn signer(&self, account: Address, session_key_address: Address) -> Result<PrivateKeySigner, AppError> {
        let signers = self.signers(account)?;
        let entry = signers.get(&entry_name(session_key_address));
        let entry = entry.ok_or_else(|| AppError::SessionNotFound { wanted: format!("key {session_key_address}") })?;
        self.seal.open(account, session_key_address, entry)
    }

    async fn remove_signer(&self, account: Address, session_key_address: Address) -> Result<(), AppError> {
        let remove = |signers: &mut Map<String, Value>| Ok(signers.remove(&entry_name(session_key_address)).is_some());
        self.change_signers(account, remove).await
    }
}

/// Nothing where there is no file yet. A file that cannot be read is kept, and an error.
fn read<T: DeserializeOwned + Default>(path: &Path) -> Result<T, AppError> {
    let bytes = match fs::read(path).map(Zeroizing::new) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(T::default()),
        Err(error) => return Err(storage(path)(error)),
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        // Line and column only: the text may hold what must not be told.
        let at = format!("line {}, column {}", error.line(), error.column());
        AppError::Storage { reason: format!("{}: not what was written there ({at})", path.display()) }
    })
}

/// Writes a new file beside the old one, then puts it in its place: a reader sees either, a crash leaves either.
fn write(path: &Path, content: &impl Serialize) -> Result<(), AppError> {
    let text = serde_json::to_vec(content).map(Zeroizing::new);
    let text = text.map_err(|error| AppError::Storage { reason: format!("{}: {error}", path.display()) })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".writing").tempfile_in(folder).map_err(storage(folder))?;
    let written = file.write_all(&text).and_then(|()| file.as_file().sync_all());
    written.map_err(storage(path))?;
    file.persist(path).map_err(|error| storage(path)(error.error))?;
    // The new name must survive a crash, too.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(storage(folder))
}

fn storage(path: &Path) -> impl FnOnce(io::Error) -> AppError {
    move |error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            AppError::StorageFull { place: path.display().to_string() }
        }
        _ => AppError::Storage { reason: format!("{}: {error}", path.display()) },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use use_aa_protocol::session::{SessionLeaf, SessionStatus};

    const ACCOUNT: Address = Address::repeat_byte(1);
    const SECRET: [u8; 32] = [7; 32];

    fn push(id: String) -> SessionBookChange<'static> {
        Box::new(move |book| {
            let session_key_data = vec![1; 70].into();
            let leaf =
                SessionLeaf { session_id: id, status: SessionStatus::Active, session_key_data, ..Default::default() };
            book.leaf_nodes.push(leaf);
            Ok(())
        })
    }

    #[tokio::test]
    async fn sessions_and_keys_outlive_the_store_and_keys_open_with_their_secret_only() {
        let folder = tempfile::tempdir().unwrap();
        let key = PrivateKeySigner::random();
        {
            let store = FileSessionStore::open(folder.path().join("a/b"), &SECRET).unwrap();
            store.update(ACCOUNT, push("one".into())).await.unwrap();
            store.put_signer(ACCOUNT, &key).await.unwrap();
        }
        let store = FileSessionStore::open(folder.path().join("a/b"), &SECRET).unwrap();
        assert_eq!(store.load(ACCOUNT).await.unwrap().leaf_nodes[0].session_id, "one");
        assert_eq!(store.signer(ACCOUNT, key.address()).await.unwrap(), key);
        assert!(store.load(Address::ZERO).await.unwrap().leaf_nodes.is_empty());

        let other = FileSessionStore::open(folder.path().join("a/b"), &[8; 32]).unwrap();
        assert!(matches!(other.signer(ACCOUNT, key.address()).await, Err(AppError::Key { .. })));
        // An entry copied to another account opens as little.
        fs::copy(store.path(ACCOUNT, "signers.json"), store.path(Address::ZERO, "signers.json")).unwrap();
        assert!(matches!(store.signer(Address::ZERO, key.address()).await, Err(AppError::Key { .. })));

        store.remove_signer(ACCOUNT, key.address()).await.unwrap();
        store.remove_signer(ACCOUNT, key.address()).await.unwrap();
        assert!(matches!(store.signer(ACCOUNT, key.address()).await, Err(AppError::SessionNotFound { .. })));
    }

    #[tokio::test]
    async fn nobody_else_may_read_the_files_and_no_secret_is_in_them_or_in_debug() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileSessionStore::open(folder.path().join("sessions"), &SECRET).unwrap();
        let key = PrivateKeySigner::random();
        store.put_signer(ACCOUNT, &key).await.unwrap();
        store.update(ACCOUNT, push("one".into())).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&store.folder), PRIVATE_FOLDER);
        let files: Vec<_> = fs::read_dir(&store.folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 3, "two files and the lock, nothing left behind: {files:?}");
        for file in files {
            assert_eq!(mode(&file), PRIVATE_FILE, "{}", file.display());
            let text = fs::read_to_string(&file).unwrap();
            assert!(!text.contains(&hex::encode(key.to_bytes())), "{}", file.display());
        }
        let shown = format!("{store:?}");
        assert!(!shown.contains("7, 7") && !shown.contains("0707"), "{shown}");
    }

    #[tokio::test]
    async fn a_failed_change_writes_nothing_and_a_damaged_file_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileSessionStore::open(folder.path(), &SECRET).unwrap();
        store.update(ACCOUNT, push("one".into())).await.unwrap();
        let failing: SessionBookChange<'_> = Box::new(|book| {
            book.leaf_nodes.clear();
            Err(AppError::NoSmartAccount)
        });
        assert_eq!(store.update(ACCOUNT, failing).await.unwrap_err(), AppError::NoSmartAccount);
        assert_eq!(store.load(ACCOUNT).await.unwrap().leaf_nodes.len(), 1);

        let path = store.path(ACCOUNT, "sessions.json");
        fs::write(&path, "{\"merkleRoot\": secret").unwrap();
        let error = store.update(ACCOUNT, push("two".into())).await.unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"merkleRoot\": secret");
    }

    /// What the system says of a full disk; what was there is still there, as a new file takes its place or none.
    #[test]
    fn a_full_disk_is_told_as_such() {
        let error = fs::write("/dev/full", "x").map_err(storage(Path::new("sessions"))).unwrap_err();
        assert_eq!(error, AppError::StorageFull { place: "sessions".into() });
        let other = fs::write("/dev/null/x", "x").map_err(storage(Path::new("sessions"))).unwrap_err();
        assert!(matches!(other, AppError::Storage { .. }), "{other}");
    }

    /// Each store locks for itself, as processes do.
    #[test]
    fn writers_do_not_lose_each_others_sessions() {
        let folder = tempfile::tempdir().unwrap();
        let writers = (0..4).map(|writer| {
            let folder = folder.path().to_owned();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                let store = FileSessionStore::open(folder, &SECRET).unwrap();
                runtime.block_on(async {
                    for number in 0..10 {
                        store.update(ACCOUNT, push(format!("{writer}-{number}"))).await.unwrap();
                    }
                });
            })
        });
        writers.collect::<Vec<_>>().into_iter().for_each(|writer| writer.join().unwrap());
        let book: SessionBook = read(&folder.path().join(format!("{ACCOUNT:#x}_sessions.json"))).unwrap();
        assert_eq!(book.leaf_nodes.len(), 40);
    }
}
