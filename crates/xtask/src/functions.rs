//! The table of known functions, out of the ABIs of published packages.

mod abi;
mod meaning;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tiny_keccak::{Hasher, Keccak};

const LIST: &str = "crates/protocol/src/known_functions/published.txt";
const TABLE: &str = "crates/protocol/src/known_functions/published.rs";
const PACKAGES: &str = "end2end/node_modules";

const HEAD: &str = "\
//! Functions of published contracts: `cargo xtask functions` makes this of their ABIs and of published.txt.
//! Signatures and names are the packages'; what they mean is ours.

use super::{
    Amount::*,
    EACH,
    Effect::{self, *},
    PublishedFunction,
};

const fn f(selector: [u8; 4], declaration: &'static str, effects: &'static [Effect]) -> PublishedFunction {
    PublishedFunction { selector, declaration, effects }
}

/// By selector. Beside each the package, its version and the contract.
pub(super) const PUBLISHED: &[PublishedFunction] = &[
";

/// Writes the table, or with `check` compares it with what is there.
pub fn run(check: bool) -> Result<()> {
    let list = fs::read_to_string(LIST).with_context(|| format!("reading {LIST}"))?;
    let table = table(&list, Path::new(PACKAGES))?;
    if !check {
        return fs::write(TABLE, table).with_context(|| format!("writing {TABLE}"));
    }
    let found = fs::read_to_string(TABLE).with_context(|| format!("reading {TABLE}"))?;
    ensure!(found == table, "{TABLE} is not what the packages and {LIST} say: run `cargo xtask functions`");
    Ok(())
}

/// The whole file.
fn table(list: &str, packages: &Path) -> Result<String> {
    let mut entries = BTreeMap::<[u8; 4], String>::new();
    let mut source = None::<(String, Value)>;
    for (index, line) in list.lines().enumerate() {
        let place = || format!("{LIST}:{}", index + 1);
        match line.trim() {
            text if text.is_empty() || text.starts_with('#') => {}
            text if line.starts_with(' ') => {
                let (name, abi) = source.as_ref().with_context(|| format!("{}: of which contract?", place()))?;
                let (selector, entry) = entry(text, name, abi).with_context(place)?;
                ensure!(entries.insert(selector, entry).is_none(), "{}: {text} stands there already", place());
            }
            file => source = Some(contract(packages, file).with_context(place)?),
        }
    }
    Ok(format!("{HEAD}{}];\n", entries.into_values().collect::<String>()))
}

/// `PACKAGE VERSION, CONTRACT` and its ABI.
fn contract(packages: &Path, file: &str) -> Result<(String, Value)> {
    let path = packages.join(file);
    let is_scoped = file.starts_with('@');
    let folder: PathBuf = file.split('/').take(if is_scoped { 2 } else { 1 }).collect();
    let manifest = packages.join(&folder).join("package.json");
    let manifest = fs::read_to_string(&manifest)
        .with_context(|| format!("reading {}: run tools/install.sh npm", manifest.display()))?;
    let manifest: Value = serde_json::from_str(&manifest)?;
    let word = |key: &str| manifest[key].as_str().with_context(|| format!("{}: no {key}", folder.display()));
    let contract = path.file_stem().and_then(|name| name.to_str()).context("a file without a name")?;
    let name = format!("{} {}, {}", word("name")?, word("version")?, contract.trim_end_matches("__factory"));
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok((name, abi::read(file, &text)?))
}

/// One line of the table.
fn entry(text: &str, source: &str, abi: &Value) -> Result<([u8; 4], String)> {
    let (signature, meaning) = text.split_once(' ').context("a signature, then its meaning")?;
    let function = abi::function(abi, signature)?;
    let effects = meaning::effects(meaning.trim(), &function)?;
    let selector = selector(signature);
    let bytes = selector.map(|byte| format!("{byte:#04x}")).join(", ");
    let declaration = abi::declaration(&function)?;
    Ok((selector, format!("    // {source}\n    f([{bytes}], \"{declaration}\", &[{effects}]),\n")))
}

fn selector(signature: &str) -> [u8; 4] {
    let (mut hasher, mut hash) = (Keccak::v256(), [0; 32]);
    hasher.update(signature.as_bytes());
    hasher.finalize(&mut hash);
    [hash[0], hash[1], hash[2], hash[3]]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn packages() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("use-aa-functions-{}", std::process::id()));
        fs::create_dir_all(folder.join("@a/token")).unwrap();
        fs::write(folder.join("@a/token/package.json"), r#"{"name": "@a/token", "version": "1.2.3"}"#).unwrap();
        let inputs = r#"[{"type": "address", "name": "to"}, {"type": "tuple[]", "name": "sums", "components":
            [{"type": "uint256", "name": "sum"}, {"type": "bool", "name": ""}]}]"#;
        let pay = format!(r#"{{"abi": [{{"type": "function", "name": "pay", "inputs": {inputs}}}]}}"#);
        fs::write(folder.join("@a/token/Token.json"), pay).unwrap();
        folder
    }

    #[test]
    fn a_line_becomes_an_entry_with_its_source() {
        let folder = packages();
        let signature = "pay(address,(uint256,bool)[])";
        let of = |meaning: &str| table(&format!("@a/token/Token.json\n    {signature} {meaning}\n"), &folder);
        let table = of("leave to sum:sums[].sum + lend #1 all-if:sums[].#2").unwrap();
        assert!(table.contains("// @a/token 1.2.3, Token\n"), "{table}");
        let effects = "&[Leaves(Some(&[0]), Sum(&[1, EACH, 0])), Lends(&[0], AllIf(&[1, EACH, 1]))]";
        assert!(table.contains(effects) && table.contains("pay(address to,(uint256 sum,bool)[] sums)"), "{table}");
        let wrong = ["leave", "leave nobody all", "leave to units:sums", "sell to all", "leave to units:sums.sum"];
        for meaning in wrong.into_iter().chain(["leave to units:to.a", "give to all", "lend - all"]) {
            assert!(of(meaning).is_err(), "{meaning}");
        }
        assert!(super::table("@a/token/Token.json\n    pay(address) none\n", &folder).is_err(), "not in the ABI");
        assert_eq!(selector("transfer(address,uint256)"), [0xa9, 0x05, 0x9c, 0xbb]);
    }
}
