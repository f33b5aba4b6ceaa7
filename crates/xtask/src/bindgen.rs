//! wasm-bindgen: the script around the wasm.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

/// What it makes.
pub struct Bound {
    /// The script, an ES module.
    pub script: String,
    /// The wasm.
    pub wasm: Vec<u8>,
    /// Scripts out of crates that the script imports, by path beside it.
    pub snippets: BTreeMap<String, String>,
}

/// The main piece of a page in chunks. Symbols keep the names by which chunks find them.
pub fn bind(name: &str, main: Vec<u8>) -> Result<Bound> {
    let mut output = Bindgen::new()
        .web(true)?
        .keep_lld_exports(true)
        .demangle(false)
        .typescript(false)
        .input_bytes(name, main)
        .generate_output()
        .context("wasm-bindgen")?;
    let mut snippets = BTreeMap::new();
    for (crate_name, inline) in output.snippets() {
        for (index, script) in inline.iter().enumerate() {
            snippets.insert(format!("snippets/{crate_name}/inline{index}.js"), script.clone());
        }
    }
    for (path, script) in output.local_modules() {
        snippets.insert(format!("snippets/{path}"), script.clone());
    }
    Ok(Bound { script: output.js().to_owned(), wasm: output.wasm_mut().emit_wasm(), snippets })
}

/// `wasm-bindgen --target web`, for a file that stands alone.
pub fn bind_file(wasm: &Path, folder: &Path) -> Result<()> {
    let mut output = Bindgen::new().web(true)?.input_path(wasm).generate_output();
    let output = output.as_mut().map_err(|error| anyhow::anyhow!("wasm-bindgen on {}: {error:#}", wasm.display()))?;
    output.emit(folder).with_context(|| format!("writing to {}", folder.display()))
}
