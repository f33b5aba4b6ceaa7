//! The folder of files that a server hands out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::compress;

/// Files by path below a folder, with `/`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Everything in a folder; nothing when there is none.
pub fn read(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    for path in paths(folder)? {
        let content = fs::read(folder.join(&path)).with_context(|| format!("reading {path}"))?;
        files.insert(path, content);
    }
    Ok(files)
}

/// `.br` and `.gz` of all files that shrink. What `folder` has of the same content is not made again.
pub fn compressed(files: &Files, folder: &Path) -> Result<Files> {
    let mut shrinking: Vec<(&String, &Vec<u8>)> = files.iter().filter(|(path, _)| compress::shrinks(path)).collect();
    shrinking.sort_by_key(|(_, content)| usize::MAX - content.len());
    let pairs = compress::in_parallel(&shrinking, |(path, content)| {
        let (br, gz) = (format!("{path}.br"), format!("{path}.gz"));
        let known = fs::read(folder.join(path)).is_ok_and(|known| known == **content);
        let both = known.then(|| Some((fs::read(folder.join(&br)).ok()?, fs::read(folder.join(&gz)).ok()?))).flatten();
        let (brotli, gzip) = match both {
            Some(both) => both,
            None => (compress::brotli(content)?, compress::gzip(content)?),
        };
        Ok([(br, brotli), (gz, gzip)])
    })?;
    Ok(pairs.into_iter().flatten().collect())
}

/// Makes the folder hold these files and no others. A file of the same content keeps its time.
pub fn write(files: &Files, folder: &Path) -> Result<()> {
    for (path, content) in files {
        write_changed(&folder.join(path), content)?;
    }
    for stale in paths(folder)?.difference(&files.keys().cloned().collect()) {
        fs::remove_file(folder.join(stale)).with_context(|| format!("removing {stale}"))?;
    }
    Ok(())
}

/// Writes a file when its content is another; whole or not at all, so that nobody reads half of it.
pub fn write_changed(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|known| known == content) {
        return Ok(());
    }
    let place = || format!("writing {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(place)?;
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    fs::write(&unfinished, content).with_context(place)?;
    fs::rename(&unfinished, path).with_context(place)
}

/// Paths of all files below a folder.
fn paths(folder: &Path) -> Result<BTreeSet<String>> {
    let (mut found, mut open) = (BTreeSet::new(), vec![String::new()]);
    while let Some(below) = open.pop() {
        let path = folder.join(&below);
        if !path.exists() {
            continue;
        }
        for entry in fs::read_dir(&path).with_context(|| format!("reading {}", path.display()))? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().with_context(|| format!("{}: no Unicode", entry.path().display()))?;
            let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else {
                found.insert(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_folder_holds_these_files_and_no_others() {
        let folder = std::env::temp_dir().join(format!("use-aa-xtask-site-{}", std::process::id()));
        let file = |path: &str, content: &str| (path.to_owned(), content.as_bytes().to_vec());
        let first = Files::from([file("a.css", "a"), file("pkg/old.js", "old"), file("pkg/deep/b", "b")]);
        write(&first, &folder).unwrap();
        assert_eq!(read(&folder).unwrap(), first);
        let time = fs::metadata(folder.join("a.css")).unwrap().modified().unwrap();
        let mut second = Files::from([file("a.css", "a"), file("pkg/new.js", "new")]);
        second.extend(compressed(&second, &folder).unwrap());
        write(&second, &folder).unwrap();
        assert_eq!(read(&folder).unwrap(), second);
        assert_eq!(fs::metadata(folder.join("a.css")).unwrap().modified().unwrap(), time, "not written again");
        assert_eq!(second.len(), 6);
        // What is there for the same content is taken as it is.
        fs::write(folder.join("a.css.br"), "marked").unwrap();
        assert_eq!(compressed(&second, &folder).unwrap()["a.css.br"], b"marked");
        fs::remove_dir_all(&folder).unwrap();
        assert!(read(&folder).unwrap().is_empty());
    }
}
