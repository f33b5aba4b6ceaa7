//! Lets tower-http's `ServeDir` serve the files of the page, wherever they are. It knows about types, encodings, ranges
//! and conditions.

use std::{
    hash::{DefaultHasher, Hasher},
    io::{self, Cursor, ErrorKind},
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tower_http::services::fs::{Backend, File, Metadata, TokioBackend, TokioFile};

use super::page_files::{PageFiles, Source, is_public};

type Later<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

impl Backend for PageFiles {
    type File = PageFile;
    type Metadata = About;
    type OpenFuture = Later<'static, PageFile>;
    type MetadataFuture = Later<'static, About>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        let files = self.clone();
        Box::pin(async move {
            let path = public(&path)?;
            match files.source() {
                Source::Folder(root) => TokioBackend.open(root.join(path)).await.map(PageFile::InFolder),
                Source::Inside(files) => {
                    files.get(path).map(|content| PageFile::Inside(Cursor::new(content))).ok_or_else(not_found)
                }
            }
        })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        let files = self.clone();
        Box::pin(async move {
            let path = public(&path)?;
            match files.source() {
                Source::Folder(root) => TokioBackend.metadata(root.join(path)).await.and_then(About::in_folder),
                Source::Inside(files) => files.get(path).map(|content| About::inside(content)).ok_or_else(not_found),
            }
        })
    }
}

/// The path below the page's root, when browsers may have what is there. `ServeDir` lets no `..` through.
fn public(path: &Path) -> io::Result<&str> {
    let path = path.strip_prefix(".").unwrap_or(path);
    path.to_str().filter(|path| is_public(path)).ok_or_else(not_found)
}

fn not_found() -> io::Error {
    ErrorKind::NotFound.into()
}

/// A file that is being sent.
pub enum PageFile {
    /// From disk.
    InFolder(TokioFile),
    /// From the program itself.
    Inside(Cursor<&'static [u8]>),
}

impl AsyncRead for PageFile {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::InFolder(file) => Pin::new(file).poll_read(cx, buffer),
            Self::Inside(content) => Pin::new(content).poll_read(cx, buffer),
        }
    }
}

impl AsyncSeek for PageFile {
    fn start_seek(self: Pin<&mut Self>, position: io::SeekFrom) -> io::Result<()> {
        match self.get_mut() {
            Self::InFolder(file) => Pin::new(file).start_seek(position),
            Self::Inside(content) => Pin::new(content).start_seek(position),
        }
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match self.get_mut() {
            Self::InFolder(file) => Pin::new(file).poll_complete(cx),
            Self::Inside(content) => Pin::new(content).poll_complete(cx),
        }
    }
}

impl File for PageFile {
    type Metadata = About;
    type MetadataFuture<'a> = Later<'a, About>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        Box::pin(async move {
            match self {
                Self::InFolder(file) => file.metadata().await.and_then(About::in_folder),
                Self::Inside(content) => Ok(About::inside(content.get_ref())),
            }
        })
    }
}

/// What `ServeDir` asks of a file.
pub struct About {
    is_dir: bool,
    length: u64,
    modified: SystemTime,
}

impl About {
    fn in_folder(metadata: std::fs::Metadata) -> io::Result<Self> {
        Ok(Self { is_dir: metadata.is_dir(), length: metadata.len(), modified: metadata.modified()? })
    }

    /// `ServeDir` makes ETags of length and time, and a file inside has no time. It gets one that stands for its
    /// content; `files.rs` keeps it from being taken for a date.
    fn inside(content: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(content);
        let hash = hasher.finish();
        // Any 32 bits are a date that can be written, any 29 less than a second.
        let (seconds, nanos) = (hash >> 32, hash as u32 >> 3);
        let modified = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
        Self { is_dir: false, length: content.len() as u64, modified }
    }
}

impl Metadata for About {
    fn is_dir(&self) -> bool {
        self.is_dir
    }

    fn modified(&self) -> io::Result<SystemTime> {
        Ok(self.modified)
    }

    fn len(&self) -> u64 {
        self.length
    }
}
