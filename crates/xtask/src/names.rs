//! Names that hold a hash of what is in the file, so that browsers may keep a file for good. All that refers to a file
//! by name is rewritten; nothing else is.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::split::{LOADER, SCRIPT};

/// Pieces of the page under the names of the build.
pub struct Parts {
    /// The page's name: `use-aa`.
    pub name: &'static str,
    /// wasm-bindgen's script.
    pub script: String,
    /// The wasm of the first view.
    pub wasm: Vec<u8>,
    /// The script that loads chunks.
    pub loader: String,
    /// Chunks by name, without `.wasm`.
    pub chunks: BTreeMap<String, Vec<u8>>,
    /// What each split point needs.
    pub needs: BTreeMap<String, Vec<String>>,
    /// The style sheet.
    pub style: String,
}

/// The same under their last names, to be served from one folder.
pub struct Named {
    /// The page's script.
    pub script: String,
    /// The wasm of the first view.
    pub wasm: String,
    /// The style sheet.
    pub style: String,
    /// The script that loads chunks.
    pub loader: String,
    /// What each split point needs: names without `.wasm`.
    pub needs: BTreeMap<String, Vec<String>>,
    /// Contents by name.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Sixteen hex digits of SHA-256 over all parts.
pub fn hash(parts: &[&[u8]]) -> String {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_le_bytes());
        sha.update(part);
    }
    sha.finalize().iter().take(8).fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Names everything: chunks and wasm by their own content; script and loader, which import each other, by both.
pub fn name_all(parts: Parts) -> Result<Named> {
    let mut files = BTreeMap::new();
    let mut loader = parts.loader;
    let mut last_names = BTreeMap::new();
    for (stem, content) in parts.chunks {
        let named = format!("{stem}.{}", hash(&[&content]));
        loader = refer(&loader, &format!("./{stem}.wasm"), &format!("./{named}.wasm"))?;
        files.insert(format!("{named}.wasm"), content);
        last_names.insert(stem, named);
    }
    let both = hash(&[parts.script.as_bytes(), loader.as_bytes()]);
    let script_name = format!("{}.{both}.js", parts.name);
    let loader_name = format!("__wasm_split.{both}.js");
    let script = import(&parts.script, LOADER, &format!("./{loader_name}"))?;
    let loader = import(&loader, SCRIPT, &format!("./{script_name}"))?;
    files.insert(script_name.clone(), script.into_bytes());
    files.insert(loader_name.clone(), loader.into_bytes());

    let wasm_name = format!("{}.{}.wasm", parts.name, hash(&[&parts.wasm]));
    files.insert(wasm_name.clone(), parts.wasm);
    let style_name = format!("{}.{}.css", parts.name, hash(&[parts.style.as_bytes()]));
    files.insert(style_name.clone(), parts.style.into_bytes());

    let mut needs = parts.needs;
    for stem in needs.values_mut().flatten() {
        if let Some(last) = last_names.get(stem) {
            stem.clone_from(last);
        }
    }
    Ok(Named { script: script_name, wasm: wasm_name, style: style_name, loader: loader_name, needs, files })
}

/// Replaces a name in quotes.
fn refer(script: &str, from: &str, to: &str) -> Result<String> {
    replace_quoted(script, "", from, to)
}

/// Replaces a name in `from "…"`. Other strings that look the same are keys, by which wasm knows its imports.
fn import(script: &str, from: &str, to: &str) -> Result<String> {
    let spaced = replace_quoted(script, "from ", from, to);
    match replace_quoted(spaced.as_deref().unwrap_or(script), "from", from, to) {
        Err(_) if spaced.is_ok() => spaced,
        done => done,
    }
}

fn replace_quoted(script: &str, before: &str, from: &str, to: &str) -> Result<String> {
    let mut done = script.to_owned();
    for quote in ['"', '\'', '`'] {
        done = done.replace(&format!("{before}{quote}{from}{quote}"), &format!("{before}{quote}{to}{quote}"));
    }
    ensure!(done != script, "a script does not refer to {from} in the way known here: has a library changed?");
    Ok(done)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parts() -> Parts {
        Parts {
            name: "use-aa",
            script: "import*as a from\"./__wasm_split.js\";const i={\"./__wasm_split.js\":a};".into(),
            wasm: b"main".to_vec(),
            loader: "import { initSync } from \"./use-aa.js\";\nfetch(new URL(\"./chunk_1.wasm\", import.meta.url));\n\
                     fetch(new URL('./chunk_10.wasm', import.meta.url));"
                .into(),
            chunks: BTreeMap::from([("chunk_1".into(), b"one".to_vec()), ("chunk_10".into(), b"ten".to_vec())]),
            needs: BTreeMap::from([("view".into(), vec!["chunk_10".into(), "chunk_1".into()])]),
            style: "a{}".into(),
        }
    }

    fn text<'a>(named: &'a Named, file: &str) -> &'a str {
        std::str::from_utf8(&named.files[file]).unwrap()
    }

    #[test]
    fn every_reference_names_a_file_that_is_there() {
        let named = name_all(parts()).unwrap();
        let (script, loader) = (text(&named, &named.script), text(&named, &named.loader));
        assert!(script.contains(&format!("from\"./{}\"", named.loader)), "{script}");
        assert!(script.contains("{\"./__wasm_split.js\":a}"), "the wasm's key stays: {script}");
        assert!(loader.contains(&format!("from \"./{}\"", named.script)), "{loader}");
        for chunk in &named.needs["view"] {
            assert!(named.files.contains_key(&format!("{chunk}.wasm")), "{chunk}");
            assert!(loader.contains(&format!("./{chunk}.wasm")), "{chunk} in {loader}");
        }
        assert!(named.needs["view"][0].starts_with("chunk_10."), "the order stays, and whole names are compared");
        assert_eq!(named.files.len(), 6);
    }

    #[test]
    fn names_follow_content() {
        let (one, same) = (name_all(parts()).unwrap(), name_all(parts()).unwrap());
        assert_eq!(one.files, same.files);
        let chunk = Parts {
            chunks: BTreeMap::from([("chunk_1".into(), b"uno".to_vec()), ("chunk_10".into(), b"ten".to_vec())]),
            ..parts()
        };
        let chunk = name_all(chunk).unwrap();
        assert_ne!(one.loader, chunk.loader, "it names the chunk");
        assert_ne!(one.script, chunk.script, "it imports the loader");
        assert_eq!((&one.wasm, &one.style), (&chunk.wasm, &chunk.style));
        assert_eq!(one.needs["view"][0], chunk.needs["view"][0]);
        let style = name_all(Parts { style: "b{}".into(), ..parts() }).unwrap();
        assert_ne!(one.style, style.style);
        assert_eq!((&one.script, &one.loader, &one.wasm), (&style.script, &style.loader, &style.wasm));
    }

    #[test]
    fn a_library_that_writes_otherwise_is_noticed() {
        assert!(name_all(Parts { loader: "import { initSync } from \"./use-aa.js\";".into(), ..parts() }).is_err());
        assert!(name_all(Parts { script: "import(\"./__wasm_split.js\")".into(), ..parts() }).is_err());
    }

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_eq!(hash(&[]).len(), 16);
    }
}
