//! Few files out of many chunks. What several parts of the page share, the splitter puts into a chunk of its own for each
//! combination of them: eleven requests where three do. People come to the parts in an order, so each chunk belongs to
//! the first part that needs it, and is one file with it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use crate::{npm, split::Pieces};

/// The parts of the page by their split points' names, in the order in which people come to them.
const ORDER: &[&str] = &[
    "wallets",
    COMMON,
    "smart_account",
    "session_list",
    "rest",
    "explain",
    "sessions",
    "operation",
    "gallery",
    "nexus",
    "nexus_distributed",
];

/// Nobody comes here on their way, and from anywhere: what it shares must not bring the whole of another part along.
const ASIDE: &str = "explain";
/// So that is a file of its own.
const COMMON: &str = "common";

/// What chunks import the main piece's memory and table from.
const MAIN: &str = "__wasm_split";
/// The same for merged chunks. As long as [`MAIN`], so that one can stand in the other's place.
pub const PARTS: &str = "__wasm_parts";

/// What every chunk may need of the main piece, and the kind of each as wasm counts them.
const SHARED: [(&str, u8); 3] = [("memory", 2), ("__indirect_function_table", 1), ("__wasm_split_shared0", 3)];

/// The same with one file for each part. Chunks reach each other through the table of functions only, so they may be put
/// together as one likes.
pub fn merge(pieces: Pieces, work: &Path) -> Result<Pieces> {
    let Pieces { main, chunks, needs } = pieces;
    let groups = groups(&needs);
    let mut merged = BTreeMap::new();
    for (part, members) in &groups {
        let members: Vec<(&String, &Vec<u8>)> = members
            .iter()
            .map(|name| chunks.get_key_value(name).with_context(|| format!("no chunk {name}")))
            .collect::<Result<_>>()?;
        merged.insert(name_of(part), one(part, &members, work)?);
    }
    let needs = needs
        .iter()
        .map(|(part, chunks)| {
            let needed = |members: &Vec<String>| chunks.iter().any(|chunk| members.contains(chunk));
            let files = groups.iter().filter(|(_, members)| needed(members)).map(|(part, _)| name_of(part));
            (part.clone(), files.collect())
        })
        .collect();
    Ok(Pieces { main, chunks: merged, needs })
}

fn name_of(part: &str) -> String {
    format!("split_{part}")
}

/// The chunks of each part, in the order of the parts.
fn groups(needs: &BTreeMap<String, Vec<String>>) -> Vec<(String, Vec<String>)> {
    let place = |part: &str| ORDER.iter().position(|known| *known == part).unwrap_or(ORDER.len());
    let mut chunks: BTreeMap<&String, Vec<&str>> = BTreeMap::new();
    for (part, needed) in needs {
        needed.iter().for_each(|chunk| chunks.entry(chunk).or_default().push(part));
    }
    let mut groups: BTreeMap<(usize, &str), Vec<String>> = BTreeMap::new();
    for (chunk, mut parts) in chunks {
        parts.sort_by_key(|part| (place(part), *part));
        let first = match parts.as_slice() {
            [first, _, ..] if place(first) > 0 && parts.contains(&ASIDE) => COMMON,
            [first, ..] => first,
            [] => continue,
        };
        groups.entry((place(first), first)).or_default().push(chunk.clone());
    }
    groups.into_iter().map(|((_, part), chunks)| (part.to_owned(), chunks)).collect()
}

fn one(part: &str, members: &[(&String, &Vec<u8>)], work: &Path) -> Result<Vec<u8>> {
    let write = |name: &str, wasm: &[u8]| -> Result<PathBuf> {
        let path = work.join(format!("{name}.wasm"));
        fs::write(&path, wasm).with_context(|| format!("writing {}", path.display()))?;
        Ok(path)
    };
    // The largest needs all of it.
    let (_, example) = members.iter().max_by_key(|(_, wasm)| wasm.len()).context("a part without chunks")?;
    let mut command = npm::program("wasm-merge")?;
    command.arg(write("shared", &shared(example)?)?).arg(MAIN);
    for (name, wasm) in members {
        command.arg(write(name, wasm)?).arg(name);
    }
    let merged = work.join(format!("merged_{part}.wasm"));
    command.args(["-g", "--rename-export-conflicts", "--enable-multimemory", "--enable-bulk-memory"]);
    command.args(["--enable-nontrapping-float-to-int", "--enable-reference-types", "--enable-mutable-globals"]);
    npm::good("wasm-merge", command.arg("-o").arg(&merged).output().context("starting wasm-merge")?)?;
    fs::read(&merged).with_context(|| format!("reading {}", merged.display()))
}

/// A module that hands on what it imports. The others are merged with it under the name that they import from: else each
/// would keep a memory of its own, which happened to be the same one.
fn shared(chunk: &[u8]) -> Result<Vec<u8>> {
    let mut imports = None;
    for payload in wasmparser::Parser::new(0).parse_all(chunk) {
        if let wasmparser::Payload::ImportSection(section) = payload.context("reading a chunk")? {
            imports = Some(chunk[section.range()].to_vec());
        }
    }
    let mut imports = imports.context("a chunk that imports nothing")?;
    let named = |name: &str| [&[u8::try_from(name.len()).unwrap_or_default()], name.as_bytes()].concat();
    let (from, to) = (named(MAIN), named(PARTS));
    let mut found = 0;
    for at in 0..imports.len().saturating_sub(from.len()) {
        if imports[at..].starts_with(&from) {
            imports[at..at + to.len()].copy_from_slice(&to);
            found += 1;
        }
    }
    ensure!(found == SHARED.len(), "chunks import something new from the main piece: has the splitter changed?");
    let mut exports = vec![u8::try_from(SHARED.len())?];
    for (name, kind) in SHARED {
        exports.extend(named(name));
        exports.extend([kind, 0]);
    }
    let mut wasm = b"\0asm\x01\0\0\0".to_vec();
    for (id, section) in [(2, imports), (7, exports)] {
        // Short: one byte would do for each length but that of the imports.
        let length = u32::try_from(section.len())?;
        wasm.push(id);
        wasm.extend([(length & 0x7f) as u8 | 0x80, (length >> 7) as u8]);
        ensure!(length < 1 << 14, "a section too long");
        wasm.extend(section);
    }
    Ok(wasm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_belongs_to_the_first_part_that_needs_it() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let needs = BTreeMap::from([
            ("gallery".to_owned(), list(&["chunk_1", "chunk_2", "split_gallery"])),
            ("smart_account".to_owned(), list(&["chunk_1", "chunk_2", "chunk_3", "split_smart_account"])),
            ("wallets".to_owned(), list(&["chunk_3", "split_wallets"])),
            ("explain".to_owned(), list(&["chunk_3", "chunk_4", "split_explain"])),
            ("rest".to_owned(), list(&["chunk_4"])),
        ]);
        assert_eq!(
            groups(&needs),
            [
                ("wallets".to_owned(), list(&["chunk_3", "split_wallets"])),
                ("common".to_owned(), list(&["chunk_4"])),
                ("smart_account".to_owned(), list(&["chunk_1", "chunk_2", "split_smart_account"])),
                ("explain".to_owned(), list(&["split_explain"])),
                ("gallery".to_owned(), list(&["split_gallery"])),
            ]
        );
    }
}
