//! The site in one file, for a program that carries it. The same files give the same bytes.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

/// Files by path, sorted, without times, owners or folders.
pub fn tar(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        archive.append_data(&mut header, path, content.as_slice()).with_context(|| format!("archiving {path}"))?;
    }
    archive.into_inner().context("ending the archive")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_goes_in_comes_out_in_order() {
        let files = BTreeMap::from([
            ("pkg/b.js".to_owned(), b"b".to_vec()),
            ("a.svg".to_owned(), b"<svg/>".to_vec()),
            ("pkg/empty".to_owned(), Vec::new()),
        ]);
        let bytes = tar(&files).unwrap();
        assert_eq!(bytes, tar(&files).unwrap());
        let mut archive = tar::Archive::new(&*bytes);
        let read = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().to_str().unwrap().to_owned(), content)
        });
        assert_eq!(read.collect::<Vec<_>>(), files.into_iter().collect::<Vec<_>>());
    }
}
