//! The linked wasm, cut into what the first view needs and chunks that are loaded later.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, anyhow};

/// What the modules call the loader, and the loader the script, until both have their names.
pub const LOADER: &str = "./__wasm_split.js";
/// See [`LOADER`].
pub const SCRIPT: &str = "./use-aa.js";

/// The pieces.
pub struct Pieces {
    /// What wasm-bindgen works on.
    pub main: Vec<u8>,
    /// Chunks by name, without `.wasm`.
    pub chunks: BTreeMap<String, Vec<u8>>,
    /// What each split point needs, in the order of loading: names of chunks.
    pub needs: BTreeMap<String, Vec<String>>,
}

/// Splits. The library writes files: `work` is emptied for them.
pub fn split(wasm: &[u8], work: &Path) -> Result<Pieces> {
    if work.exists() {
        fs::remove_dir_all(work).with_context(|| format!("emptying {}", work.display()))?;
    }
    let main = work.join("main.wasm");
    let mut options = wasm_split_cli_support::Options::new(wasm);
    options.output_dir = work;
    options.main_out_path = &main;
    options.main_module = SCRIPT;
    options.link_name = LOADER;
    let done = wasm_split_cli_support::transform(options).map_err(|error| anyhow!("splitting the wasm: {error:#}"))?;
    let mut chunks = BTreeMap::new();
    for path in done.split_modules {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
        let stem = stem.with_context(|| format!("a chunk without a name: {}", path.display()))?;
        chunks.insert(stem, read(&path)?);
    }
    Ok(Pieces { main: read(&main)?, chunks, needs: done.prefetch_map.into_iter().collect() })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}
