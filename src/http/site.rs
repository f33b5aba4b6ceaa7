//! Leptos' own options: what cargo-leptos tells by variables, and what the page's files tell.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use leptos::config::{Env, LeptosOptions};
use use_aa_server::config::ConfigError;

use super::page_files::PageFiles;

/// From the variables that cargo-leptos sets, else as in Cargo.toml.
pub(super) fn options(addr: SocketAddr, files: &PageFiles) -> Result<LeptosOptions, ConfigError> {
    let text = |name: &str, default: &str| std::env::var(name).ok().filter(|v| !v.is_empty()).unwrap_or(default.into());
    // `cargo xtask page` names files after their content and leaves the names here; cargo-leptos tells by variables.
    let root = files.folder().map(Path::to_path_buf).unwrap_or_default();
    let names = std::path::absolute(root.join("hash.txt")).unwrap_or_default();
    let names = text("LEPTOS_HASH_FILE_NAME", &names.to_string_lossy());
    let hash_files = match text("LEPTOS_HASH_FILES", "").as_str() {
        "true" | "" => files.description().is_some() || beside_program(&names).is_file(),
        "false" => false,
        other => return Err(ConfigError::new("LEPTOS_HASH_FILES", "true or false", other)),
    };
    let env = match text("LEPTOS_ENV", "PROD").to_lowercase().as_str() {
        "dev" | "development" => Env::DEV,
        _ => Env::PROD,
    };
    Ok(LeptosOptions::builder()
        .output_name(text("LEPTOS_OUTPUT_NAME", "use-aa"))
        .site_root(root.to_string_lossy())
        .site_pkg_dir(text("LEPTOS_SITE_PKG_DIR", "pkg"))
        .env(env)
        .site_addr(addr)
        .hash_file(names.into())
        .hash_files(hash_files)
        .build())
}

/// Where Leptos looks for the file of names; without it, its components would panic.
fn beside_program(names: &str) -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    program.parent().map(|folder| folder.join(names)).unwrap_or_default()
}
