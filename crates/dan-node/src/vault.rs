//! Where a node keeps what must survive: encrypted files, replaced as a whole or not at all.
//!
//! XChaCha20-Poly1305 with a random nonce for each write; node id, kind and key id are authenticated with it, so that
//! no file can stand for another. A write goes to a temporary file, is synced, renamed, and the folder synced.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use alloy::primitives::{B256, hex};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce, aead::AeadInPlace};
use zeroize::Zeroizing;

use super::share::SecretBytes;

/// First byte of every file: the format.
const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;
/// Largest file that is read, bytes.
const MAX_FILE: u64 = 8 * 1024 * 1024;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The share of a key in use.
    Share,
    /// The share that an unfinished refresh prepared; the same bytes become the share.
    Staged,
    /// The share before that, until all nodes are known to use the new one.
    Previous,
    /// What is known about a key: its public half, its grant.
    Record,
    /// How often a key signed lately.
    Limit,
    /// What concerns the node as a whole (bans), under key id zero.
    Node,
}

impl Slot {
    fn extension(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Staged => "staged",
            Self::Previous => "previous",
            Self::Record => "key",
            Self::Limit => "limit",
            Self::Node => "node",
        }
    }

    /// What is authenticated: shares of every epoch are shares.
    fn kind(self) -> &'static str {
        match self {
            Self::Staged | Self::Previous => Self::Share.extension(),
            other => other.extension(),
        }
    }
}

/// Why the vault cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The disk.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Another key, another node's, another file's content, or changed.
    #[error("{0} cannot be decrypted: another vault key or node id, or a damaged file")]
    Sealed(PathBuf),
    /// Another process has it.
    #[error("{0} is in use by another process")]
    InUse(PathBuf),
    /// Random numbers or encryption failed.
    #[error("encryption failed")]
    Cipher,
}

/// An open vault; no other process can open it meanwhile.
pub struct Vault {
    folder: PathBuf,
    cipher: XChaCha20Poly1305,
    node: u8,
    _lock: File,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({})", self.folder.display())
    }
}

impl Vault {
    /// Opens the folder (made when missing, for this user only). `key`: 32 bytes. A wrong key is noticed here.
    pub fn open(folder: &Path, key: &[u8; 32], node: u8) -> Result<Self, VaultError> {
        let at = |path: &Path| {
            let path = path.to_path_buf();
            move |source| VaultError::Io { path, source }
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))?;
        let path = folder.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let lock = lock.map_err(at(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(VaultError::InUse(folder.into())),
            Err(fs::TryLockError::Error(source)) => return Err(at(&path)(source)),
        }
        let vault = Self { folder: folder.into(), cipher: XChaCha20Poly1305::new(key.into()), node, _lock: lock };
        vault.sweep()?;
        if vault.read(Slot::Node, B256::ZERO)?.is_none() {
            vault.write(Slot::Node, B256::ZERO, b"{}")?;
        }
        Ok(vault)
    }

    fn path(&self, slot: Slot, key_id: B256) -> PathBuf {
        self.folder.join(format!("{}.{}", hex::encode(key_id), slot.extension()))
    }

    fn associated_data(&self, slot: Slot, key_id: B256) -> Vec<u8> {
        [b"use-aa dan vault 1\n", &[self.node][..], key_id.as_slice(), slot.kind().as_bytes()].concat()
    }

    /// Temporary files of writes that a crash interrupted.
    fn sweep(&self) -> Result<(), VaultError> {
        for path in self.files()?.into_iter().filter(|path| path.extension().is_some_and(|end| end == "tmp")) {
            fs::remove_file(&path).map_err(|source| VaultError::Io { path, source })?;
        }
        Ok(())
    }

    fn files(&self) -> Result<Vec<PathBuf>, VaultError> {
        let failed = |source| VaultError::Io { path: self.folder.clone(), source };
        let entries = fs::read_dir(&self.folder).map_err(failed)?;
        entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
    }

    /// Key ids that have such a file.
    pub fn list(&self, slot: Slot) -> Result<Vec<B256>, VaultError> {
        let ids = self.files()?.into_iter().filter(|path| path.extension().is_some_and(|end| end == slot.extension()));
        Ok(ids.filter_map(|path| path.file_stem()?.to_str()?.parse().ok()).collect())
    }

    /// The content, or nothing when there is no such file.
    pub fn read(&self, slot: Slot, key_id: B256) -> Result<Option<SecretBytes>, VaultError> {
        let path = self.path(slot, key_id);
        let failed = |source| VaultError::Io { path: path.clone(), source };
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
            Ok(about) if about.len() > MAX_FILE => return Err(VaultError::Sealed(path)),
            Ok(_) => {}
        }
        let mut bytes = fs::read(&path).map_err(failed)?;
        let sealed = || VaultError::Sealed(path.clone());
        if bytes.first() != Some(&VERSION) || bytes.len() < 1 + NONCE + TAG {
            return Err(sealed());
        }
        let (header, body) = bytes.split_at_mut(1 + NONCE);
        let (content, tag) = body.split_at_mut(body.len() - TAG);
        let nonce = XNonce::from(<[u8; NONCE]>::try_from(&header[1..]).map_err(|_| sealed())?);
        let associated = self.associated_data(slot, key_id);
        let opened = self.cipher.decrypt_in_place_detached(&nonce, &associated, content, (&*tag).into());
        let content = Zeroizing::new(content.to_vec());
        let mut whole = Zeroizing::new(bytes);
        whole.clear();
        opened.map(|()| Some(content)).map_err(|_| sealed())
    }

    /// Replaces the content; after it returns, it survives a crash.
    pub fn write(&self, slot: Slot, key_id: B256, content: &[u8]) -> Result<(), VaultError> {
        let mut bytes = Vec::with_capacity(1 + NONCE + content.len() + TAG);
        let nonce = rand::random::<[u8; NONCE]>();
        bytes.push(VERSION);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(content);
        let body = &mut bytes[1 + NONCE..];
        let associated = self.associated_data(slot, key_id);
        let tag =
            self.cipher.encrypt_in_place_detached(&nonce.into(), &associated, body).map_err(|_| VaultError::Cipher)?;
        bytes.extend_from_slice(&tag);

        let path = self.path(slot, key_id);
        // Different threads may write different files, and even the same: each has a temporary file of its own.
        let temporary = path.with_extension(format!("{:016x}.tmp", rand::random::<u64>()));
        let written = (|| {
            let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            self.sync_folder()
        })();
        written.map_err(|source| {
            let _ = fs::remove_file(&temporary);
            VaultError::Io { path, source }
        })
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    /// The staged share becomes the share, which is kept beside it. After a crash in between both are still there.
    pub fn promote(&self, key_id: B256) -> Result<(), VaultError> {
        self.remove(Slot::Previous, key_id)?;
        let (path, kept) = (self.path(Slot::Share, key_id), self.path(Slot::Previous, key_id));
        match fs::hard_link(&path, &kept) {
            // A node that lost its share had none before.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result.map_err(|source| VaultError::Io { path: kept, source })?,
        }
        self.rename(Slot::Staged, key_id)
    }

    /// The share before becomes the share again.
    pub fn go_back(&self, key_id: B256) -> Result<(), VaultError> {
        self.rename(Slot::Previous, key_id)
    }

    fn rename(&self, from: Slot, key_id: B256) -> Result<(), VaultError> {
        let (from, path) = (self.path(from, key_id), self.path(Slot::Share, key_id));
        fs::rename(from, &path).and_then(|()| self.sync_folder()).map_err(|source| VaultError::Io { path, source })
    }

    /// Removes a file, if there is one.
    pub fn remove(&self, slot: Slot, key_id: B256) -> Result<(), VaultError> {
        let path = self.path(slot, key_id);
        match fs::remove_file(&path).and_then(|()| self.sync_folder()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(|source| VaultError::Io { path, source }),
        }
    }
}

/// The text of a file with a secret; one that others may read is refused.
pub fn read_secret_file(path: &Path) -> Result<Zeroizing<String>, String> {
    let shown = path.display();
    let about = fs::metadata(path).map_err(|error| format!("{shown}: {error}"))?;
    let mode = about.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(format!("{shown} has mode {mode:04o}: others may read it (chmod 600)"));
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(|error| format!("{shown}: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const ID: B256 = B256::repeat_byte(5);

    fn vault(folder: &Path) -> Vault {
        Vault::open(folder, &[7; 32], 3).unwrap()
    }

    #[test]
    fn content_survives_and_is_not_in_clear() {
        let folder = tempfile::tempdir().unwrap();
        let secret = b"the share of a key that nobody may see";
        vault(folder.path()).write(Slot::Share, ID, secret).unwrap();
        let again = vault(folder.path());
        assert_eq!(again.read(Slot::Share, ID).unwrap().unwrap()[..], secret[..]);
        assert_eq!(again.list(Slot::Share).unwrap(), [ID]);
        assert!(again.read(Slot::Record, ID).unwrap().is_none());
        let file = fs::read(again.path(Slot::Share, ID)).unwrap();
        assert!(!file.windows(8).any(|part| secret.windows(8).any(|known| known == part)));
        let mode = fs::metadata(again.path(Slot::Share, ID)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        again.remove(Slot::Share, ID).unwrap();
        again.remove(Slot::Share, ID).unwrap();
        assert!(again.read(Slot::Share, ID).unwrap().is_none());
    }

    #[test]
    fn another_key_node_id_or_kind_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let vault_1 = vault(folder.path());
        vault_1.write(Slot::Share, ID, b"share").unwrap();
        fs::copy(vault_1.path(Slot::Share, ID), vault_1.path(Slot::Record, ID)).unwrap();
        fs::copy(vault_1.path(Slot::Share, ID), vault_1.path(Slot::Share, B256::ZERO)).unwrap();
        assert!(matches!(vault_1.read(Slot::Record, ID), Err(VaultError::Sealed(_))));
        assert!(matches!(vault_1.read(Slot::Share, B256::ZERO), Err(VaultError::Sealed(_))));
        assert!(matches!(Vault::open(folder.path(), &[7; 32], 3), Err(VaultError::InUse(_))));
        drop(vault_1);
        assert!(matches!(Vault::open(folder.path(), &[8; 32], 3), Err(VaultError::Sealed(_))));
        assert!(matches!(Vault::open(folder.path(), &[7; 32], 4), Err(VaultError::Sealed(_))));
        vault(folder.path());
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(folder.path());
        vault.write(Slot::Record, ID, b"ten bytes.").unwrap();
        let path = vault.path(Slot::Record, ID);
        let good = fs::read(&path).unwrap();
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] ^= 1;
            fs::write(&path, bad).unwrap();
            assert!(matches!(vault.read(Slot::Record, ID), Err(VaultError::Sealed(_))), "byte {position}");
        }
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).unwrap();
            assert!(matches!(vault.read(Slot::Record, ID), Err(VaultError::Sealed(_))), "{length} bytes");
        }
    }

    #[test]
    fn a_staged_share_becomes_the_share_keeps_the_one_before_and_leftovers_go() {
        let folder = tempfile::tempdir().unwrap();
        let first = vault(folder.path());
        first.write(Slot::Share, ID, b"old").unwrap();
        first.write(Slot::Staged, ID, b"new").unwrap();
        first.promote(ID).unwrap();
        assert_eq!(first.read(Slot::Share, ID).unwrap().unwrap()[..], b"new"[..]);
        assert!(first.read(Slot::Staged, ID).unwrap().is_none());
        assert_eq!(first.read(Slot::Previous, ID).unwrap().unwrap()[..], b"old"[..]);
        first.go_back(ID).unwrap();
        assert_eq!(first.read(Slot::Share, ID).unwrap().unwrap()[..], b"old"[..]);
        assert!(first.read(Slot::Previous, ID).unwrap().is_none());
        // A node that lost its share has nothing to keep.
        first.remove(Slot::Share, ID).unwrap();
        first.write(Slot::Staged, ID, b"new").unwrap();
        first.promote(ID).unwrap();
        assert!(first.read(Slot::Previous, ID).unwrap().is_none());
        fs::write(folder.path().join("x.share.0.tmp"), "half").unwrap();
        drop(first);
        vault(folder.path());
        assert!(!folder.path().join("x.share.0.tmp").exists());
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "secret").unwrap();
        for (mode, accepted) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_secret_file(&path).is_ok(), accepted, "{mode:o}");
        }
    }
}
