//! `wasm-opt` over every piece, the largest first, on all cores.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{compress::in_parallel, names, npm};

/// Passes, and features of wasm that browsers have had for years. What is downloaded is smallest so: `-Oz` makes the
/// pieces 7 % smaller in memory, but 1 % larger in brotli, and takes twice as long; `-O2` gains 0.2 %.
const ARGUMENTS: &[&str] = &[
    "-O1",
    // names go into files of their own, for `cargo xtask size`
    "-g",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-multimemory",
    // for tools before this one
    "--strip-producers",
    "--strip-target-features",
];

/// Smaller pieces that do the same. `cache` keeps those of the last build, by content.
pub fn optimize(pieces: BTreeMap<String, Vec<u8>>, cache: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    fs::create_dir_all(cache).with_context(|| format!("making {}", cache.display()))?;
    let mut pieces: Vec<(String, Vec<u8>)> = pieces.into_iter().collect();
    pieces.sort_by_key(|(_, wasm)| usize::MAX - wasm.len());
    let done = in_parallel(&pieces, |(name, wasm)| {
        let (path, wasm) = one(wasm, cache).with_context(|| format!("optimizing {name}"))?;
        Ok((name.clone(), path, wasm))
    })?;
    forget_others(cache, &done.iter().map(|(_, path, _)| path.clone()).collect::<Vec<_>>())?;
    Ok(done.into_iter().map(|(name, _, wasm)| (name, wasm)).collect())
}

fn one(wasm: &[u8], cache: &Path) -> Result<(PathBuf, Vec<u8>)> {
    let known = names::hash(&[ARGUMENTS.concat().as_bytes(), wasm]);
    let path = cache.join(format!("{known}.wasm"));
    if !path.exists() {
        let (from, to) = (cache.join(format!("{known}.in")), cache.join(format!("{known}.out")));
        fs::write(&from, wasm).with_context(|| format!("writing {}", from.display()))?;
        let mut command = npm::program("wasm-opt")?;
        command.args(ARGUMENTS).arg(&from).arg("-o").arg(&to);
        npm::good("wasm-opt", command.output().context("starting wasm-opt")?)?;
        fs::rename(&to, &path).with_context(|| format!("naming {}", path.display()))?;
    }
    let wasm = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    Ok((path, wasm))
}

fn forget_others(cache: &Path, kept: &[PathBuf]) -> Result<()> {
    for entry in fs::read_dir(cache).with_context(|| format!("reading {}", cache.display()))? {
        let path = entry?.path();
        if !kept.contains(&path) {
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}
