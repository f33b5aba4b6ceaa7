//! Reads the archive of `cargo xtask page`: an uncompressed tar, so that its files can be served as they lie in it.

use std::{
    collections::HashMap,
    io::{self, Cursor, ErrorKind},
};

/// Contents by path, as in `pkg/use-aa.js`.
pub(super) type Files = HashMap<String, &'static [u8]>;

/// Finds the files in `tar`. Only the heads of the entries are looked at.
pub(super) fn read(tar: &'static [u8]) -> io::Result<Files> {
    let mut files = Files::new();
    for entry in tar::Archive::new(Cursor::new(tar)).entries_with_seek()? {
        let entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = std::str::from_utf8(&entry.path_bytes()).map_err(|_| damaged("a name is no text"))?.to_owned();
        let content = within(tar, entry.raw_file_position(), entry.size()).ok_or_else(|| damaged("it is cut off"))?;
        files.insert(path, content);
    }
    match files.is_empty() {
        true => Err(damaged("it is cut off")),
        false => Ok(files),
    }
}

fn within(tar: &'static [u8], start: u64, length: u64) -> Option<&'static [u8]> {
    let start = usize::try_from(start).ok()?;
    tar.get(start..start.checked_add(usize::try_from(length).ok()?)?)
}

fn damaged(how: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, how)
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// An archive as the build makes it.
    pub fn tar_of(files: &[(&str, &[u8])]) -> &'static [u8] {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, path, *content).unwrap();
        }
        archive.into_inner().unwrap().leak()
    }

    #[test]
    fn files_are_slices_of_the_archive() {
        let long = format!("pkg/{}.wasm", "x".repeat(150));
        let tar = tar_of(&[("favicon.svg", b"<svg/>"), (&long, b"wasm"), ("pkg/empty", b"")]);
        let files = read(tar).unwrap();
        assert_eq!(files.len(), 3);
        assert_eq!((files["favicon.svg"], files[&*long], files["pkg/empty"]), (&b"<svg/>"[..], &b"wasm"[..], &b""[..]));
        assert!(tar.as_ptr_range().contains(&files["favicon.svg"].as_ptr()), "no copy");
    }

    #[test]
    fn what_is_damaged_is_an_error_wherever_it_is() {
        let tar = tar_of(&[("a.css", &[b'a'; 700]), ("b.css", &[b'b'; 700])]);
        assert!(read(b"").is_err() && read(b"no archive").is_err() && read(&[0; 1024]).is_err());
        for end in [1, 511, 512, 600, 1_200, 1_600, 2_048, 2_700] {
            assert!(read(&tar[..end]).is_err(), "cut off after {end} bytes");
        }
        for at in (0..tar.len()).step_by(7) {
            let mut other = tar.to_vec();
            other[at] ^= 0x55;
            // Never a panic, and never more than there is.
            if let Ok(files) = read(other.leak()) {
                assert!(files.values().map(|content| content.len()).sum::<usize>() <= tar.len());
            }
        }
    }
}
