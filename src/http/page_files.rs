//! Where the files of the page come from: a folder, or an archive inside the program.

use std::{
    borrow::Cow,
    env, fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::archive::{self, Files};

/// Where cargo-leptos and `cargo xtask page` put the page, below the folder of the checkout.
const BUILT: &str = "target/site";
/// What the build says of its page; says also that names hold a hash of what is in the file.
const DESCRIPTION: &str = "page.json";
/// Colours of the source texts that the pages show.
const HIGHLIGHTED: &str = "highlighted.json";
/// Files that the build made for the server: nobody else gets them.
const FOR_SERVER: [&str; 3] = [DESCRIPTION, HIGHLIGHTED, "hash.txt"];

/// Why there are no files to serve.
#[derive(Debug, thiserror::Error)]
pub enum PageFilesError {
    /// What the program was built with is no archive.
    #[error("the page inside this program is damaged ({0}): build the page anew (make front), then the program")]
    Damaged(#[from] io::Error),
    /// It is an archive of something else.
    #[error("the page inside this program has no {DESCRIPTION}: build the page anew (make front), then the program")]
    NoPage,
}

/// The files of the page. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PageFiles(Arc<Source>);

#[derive(Debug)]
pub(super) enum Source {
    /// Read each time anew.
    Folder(PathBuf),
    /// Part of the program: nothing of it is copied.
    Inside(Files),
}

impl PageFiles {
    /// Those in the folder that `LEPTOS_SITE_ROOT` names, when it is set; else those in `inside`, an archive made by
    /// `cargo xtask page`, when it is not empty; else those in `target/site` below the current folder.
    pub fn find(inside: &'static [u8]) -> Result<Self, PageFilesError> {
        Self::choose(env::var_os("LEPTOS_SITE_ROOT").filter(|root| !root.is_empty()).map(PathBuf::from), inside)
    }

    pub(super) fn choose(named: Option<PathBuf>, inside: &'static [u8]) -> Result<Self, PageFilesError> {
        let source = match named {
            Some(folder) => Source::Folder(folder),
            None if inside.is_empty() => Source::Folder(BUILT.into()),
            None => {
                let files = archive::read(inside)?;
                if !files.contains_key(DESCRIPTION) {
                    return Err(PageFilesError::NoPage);
                }
                Source::Inside(files)
            }
        };
        Ok(Self(Arc::new(source)))
    }

    #[cfg(test)]
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Self(Arc::new(Source::Folder(folder)))
    }

    /// What the build says of the page (`page.json`); nothing when cargo-leptos built it, or nobody did.
    pub fn description(&self) -> Option<Cow<'static, [u8]>> {
        self.read(DESCRIPTION)
    }

    /// Colours of the source texts (`highlighted.json`).
    pub fn highlighted(&self) -> Option<Cow<'static, [u8]>> {
        self.read(HIGHLIGHTED)
    }

    /// Whether anything is there at all.
    pub fn have_page(&self) -> bool {
        match &*self.0 {
            Source::Folder(root) => root.is_dir(),
            Source::Inside(_) => true,
        }
    }

    /// Whether they are where somebody said, and not where they are looked for by default.
    pub fn are_named(&self) -> bool {
        self.folder().is_some_and(|root| root != Path::new(BUILT))
    }

    /// The folder, when it is one.
    pub(super) fn folder(&self) -> Option<&Path> {
        match &*self.0 {
            Source::Folder(root) => Some(root),
            Source::Inside(_) => None,
        }
    }

    pub(super) fn source(&self) -> &Source {
        &self.0
    }

    fn read(&self, name: &str) -> Option<Cow<'static, [u8]>> {
        match &*self.0 {
            Source::Folder(root) => fs::read(root.join(name)).ok().map(Cow::Owned),
            Source::Inside(files) => files.get(name).copied().map(Cow::Borrowed),
        }
    }
}

/// Says where they are.
impl fmt::Display for PageFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Source::Folder(root) => write!(f, "in {}", root.display()),
            Source::Inside(files) => write!(f, "inside this program ({} files)", files.len()),
        }
    }
}

/// Whether browsers may have the file at `path`.
pub(super) fn is_public(path: &str) -> bool {
    !FOR_SERVER.contains(&path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::archive::tests::tar_of, *};

    #[test]
    fn what_is_named_wins_then_what_is_inside() {
        let inside = tar_of(&[("page.json", b"{}")]);
        let named = PageFiles::choose(Some("/srv/page".into()), inside).unwrap();
        assert_eq!((named.folder(), named.to_string().as_str()), (Some(Path::new("/srv/page")), "in /srv/page"));
        assert_eq!(named.description(), None);
        let carried = PageFiles::choose(None, inside).unwrap();
        assert_eq!((carried.folder(), carried.to_string().as_str()), (None, "inside this program (1 files)"));
        assert!(matches!(carried.description(), Some(Cow::Borrowed(b"{}"))), "no copy");
        assert_eq!(carried.highlighted(), None);
        let neither = PageFiles::choose(None, b"").unwrap();
        assert_eq!(neither.folder(), Some(Path::new("target/site")));
    }

    #[test]
    fn an_archive_that_is_no_page_is_refused() {
        let other = PageFiles::choose(None, tar_of(&[("index.html", b"")])).unwrap_err();
        assert!(matches!(other, PageFilesError::NoPage), "{other}");
        let damaged = PageFiles::choose(None, b"no archive").unwrap_err();
        assert!(matches!(damaged, PageFilesError::Damaged(_)), "{damaged}");
        assert!(damaged.to_string().contains("make front"), "{damaged}");
    }
}
