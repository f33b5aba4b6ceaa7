//! What the page's files are made of: `cargo xtask size`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result};
use wasmparser::{KnownCustom, Name, Parser, Payload, TypeRef};

use crate::{compress, prune::push_section};

/// Functions that are listed of each file.
const LISTED: usize = 40;
/// Crates that are listed of each file.
const CRATES: usize = 15;
/// What each part of the page consists of.
const NEEDS: &str = "needs.json";

/// The modules without the names of their functions, which no browser needs. With names they are kept in `folder`.
pub fn without_names(
    modules: BTreeMap<String, Vec<u8>>,
    needs: &BTreeMap<String, Vec<String>>,
    folder: &Path,
) -> Result<BTreeMap<String, Vec<u8>>> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    fs::write(folder.join(NEEDS), serde_json::to_vec(needs)?)?;
    modules
        .into_iter()
        .map(|(name, wasm)| {
            fs::write(folder.join(format!("{name}.wasm")), &wasm).with_context(|| format!("keeping {name}"))?;
            let bare = bare(&wasm).with_context(|| format!("reading {name}"))?;
            Ok((name, bare))
        })
        .collect()
}

fn bare(wasm: &[u8]) -> Result<Vec<u8>> {
    let mut bare = wasm.get(..8).context("a file that is no wasm")?.to_vec();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        let is_name = matches!(&payload, Payload::CustomSection(section) if section.name() == "name");
        if let Some((id, range)) = payload.as_section().filter(|_| !is_name) {
            push_section(&mut bare, id, &wasm[range]);
        }
    }
    Ok(bare)
}

/// A file of the page.
struct Module {
    name: String,
    /// Names and bytes of its functions, the largest first.
    functions: Vec<(String, usize)>,
    data: usize,
    wire: usize,
}

/// Tables of what was kept in `folder`.
pub fn print(folder: &Path) -> Result<()> {
    let needs = fs::read(folder.join(NEEDS)).context("build the page first: cargo xtask page")?;
    let needs: BTreeMap<String, Vec<String>> = serde_json::from_slice(&needs)?;
    let mut modules = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".wasm")) {
            let wasm = fs::read(&path)?;
            modules.push(read(name, &wasm).with_context(|| format!("reading {}", path.display()))?);
        }
    }
    modules.sort_by_key(|module| usize::MAX - module.wire);
    for module in &modules {
        println!("{}", table(module));
    }
    println!("What each part of the page consists of");
    for (part, files) in needs {
        println!("  {part:<16} {}", files.join(" "));
    }
    println!("\nIn several files (copies of one generic function, by name)");
    for (name, files, bytes) in twice(&modules).iter().take(LISTED) {
        println!("  {bytes:>7}  {} files  {name}", files.len());
    }
    Ok(())
}

fn read(name: &str, wasm: &[u8]) -> Result<Module> {
    let (mut imported, mut sizes, mut names, mut data) = (0, Vec::new(), BTreeMap::new(), 0);
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => sizes.push(body.range().len()),
            Payload::DataSection(section) => data = section.range().len(),
            Payload::CustomSection(section) => {
                let KnownCustom::Name(known) = section.as_known() else { continue };
                for part in known {
                    if let Ok(Name::Function(functions)) = part {
                        for function in functions {
                            let function = function?;
                            names.insert(function.index, format!("{:#}", rustc_demangle::demangle(function.name)));
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let mut functions: Vec<(String, usize)> = (imported..)
        .zip(sizes)
        .map(|(index, size)| (names.remove(&index).unwrap_or_else(|| "without a name".into()), size))
        .collect();
    functions.sort_by_key(|(_, size)| usize::MAX - size);
    let wire = compress::brotli(&bare(wasm)?)?.len();
    Ok(Module { name: name.into(), functions, data, wire })
}

fn table(module: &Module) -> String {
    let code: usize = module.functions.iter().map(|(_, size)| size).sum();
    let kb = |bytes: usize| format!("{:.1}", bytes as f64 / 1000.0);
    let mut text = format!(
        "{}: {} kB over the wire, {} functions with {} kB, data {} kB\n",
        module.name,
        kb(module.wire),
        module.functions.len(),
        kb(code),
        kb(module.data)
    );
    let mut crates: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, size) in &module.functions {
        *crates.entry(crate_of(name)).or_default() += size;
    }
    let mut crates: Vec<_> = crates.into_iter().collect();
    crates.sort_by_key(|(_, size)| usize::MAX - size);
    for (name, size) in crates.into_iter().take(CRATES) {
        text += &format!("  {:>9} kB  {name}\n", kb(size));
    }
    for (name, size) in module.functions.iter().take(LISTED) {
        text += &format!("  {size:>7}  {name}\n");
    }
    text
}

/// The crate in a function's path; of `<A as B>::c` that of `A`.
fn crate_of(function: &str) -> &str {
    let path = function.trim_start_matches(['<', '&', '*']).trim_start_matches("mut ").trim_start_matches("dyn ");
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(path.len());
    &path[..end]
}

/// Functions whose name is in more than one file, with those files and all their bytes.
fn twice(modules: &[Module]) -> Vec<(&str, BTreeSet<&str>, usize)> {
    let mut found: BTreeMap<&str, (BTreeSet<&str>, usize)> = BTreeMap::new();
    for module in modules {
        for (name, size) in &module.functions {
            let (files, bytes) = found.entry(name).or_default();
            files.insert(&module.name);
            *bytes += size;
        }
    }
    let mut twice: Vec<_> = found.into_iter().map(|(name, (files, bytes))| (name, files, bytes)).collect();
    twice.retain(|(_, files, _)| files.len() > 1);
    twice.sort_by_key(|(.., bytes)| usize::MAX - bytes);
    twice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_found_in_paths() {
        assert_eq!(crate_of("use_aa::hooks::work"), "use_aa");
        assert_eq!(crate_of("<&mut serde_json::Value as serde::Deserialize>::deserialize"), "serde_json");
        assert_eq!(crate_of("memcpy"), "memcpy");
    }

    #[test]
    fn only_the_names_are_taken_out() {
        let section = |id: u8, content: &[u8]| [&[id, content.len() as u8], content].concat();
        let head = b"\0asm\x01\0\0\0".to_vec();
        let (names, other) = (section(0, b"\x04name\x00\x02\x01m"), section(0, b"\x05other"));
        let whole = [head.clone(), names, other.clone()].concat();
        assert_eq!(bare(&whole).ok(), Some([head, other].concat()));
        assert!(bare(b"no").is_err());
    }
}
