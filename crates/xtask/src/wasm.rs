//! The page's wasm, compiled and linked by cargo.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

const TARGET: &str = "wasm32-unknown-unknown";
const FEATURES: &str = "hydrate,lazy,app";

/// Builds it.
///
/// The relocations, by which code is split, are asked of the last link only: as RUSTFLAGS they would compile every
/// dependency once more than the rest of the workspace does. So is what wasm-bindgen has to know, namely which features of
/// wasm are used, which `strip = true` would drop.
pub fn build(profile: &str) -> Result<PathBuf> {
    let mut command = command(profile, FEATURES);
    command.args(["--", "-Clink-arg=--emit-relocs", "-Cstrip=debuginfo"]);
    let status = command.status().context("starting cargo")?;
    ensure!(status.success(), "cargo could not build the page's wasm ({status})");
    Ok(path(profile))
}

/// The command that builds it. Without the rlib, dependencies become bitcode for the link-time optimisation and nothing
/// else, and more is found to be unused.
pub fn command(profile: &str, features: &str) -> Command {
    let mut command = cargo();
    command.args(["rustc", "--package", "use-aa", "--lib", "--crate-type", "cdylib", "--target", TARGET]);
    command.args(["--profile", profile, "--no-default-features", "--features", features]);
    command
}

/// Where it is then.
pub fn path(profile: &str) -> PathBuf {
    target_folder().join(TARGET).join(folder(profile)).join("use_aa.wasm")
}

/// cargo, without what it tells this program about itself: that is nothing for those that are compiled.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}

/// Where cargo builds.
pub fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}

/// Where cargo puts what it builds with a profile.
fn folder(profile: &str) -> &Path {
    Path::new(match profile {
        "dev" | "test" => "debug",
        "bench" => "release",
        other => other,
    })
}
