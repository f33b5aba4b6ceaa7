//! Where the page's files are.

use std::net::SocketAddr;

use leptos::config::LeptosOptions;
use use_aa_server::config::ConfigError;

/// Leptos's own options: from the variables that cargo-leptos sets, else as in Cargo.toml.
pub fn options(addr: SocketAddr) -> Result<LeptosOptions, ConfigError> {
    let text = |name: &str, default: &str| std::env::var(name).ok().filter(|v| !v.is_empty()).unwrap_or(default.into());
    let site_root = text("LEPTOS_SITE_ROOT", "target/site");
    // `cargo xtask page` names files after their content and leaves the names here; cargo-leptos tells by variables.
    let names = std::path::absolute(std::path::Path::new(&site_root).join("hash.txt")).unwrap_or_default();
    let hash_files = match text("LEPTOS_HASH_FILES", "").as_str() {
        "" => names.is_file(),
        "true" => true,
        "false" => false,
        other => return Err(ConfigError::new("LEPTOS_HASH_FILES", "true or false", other)),
    };
    let env = match text("LEPTOS_ENV", "PROD").to_lowercase().as_str() {
        "dev" | "development" => leptos::config::Env::DEV,
        _ => leptos::config::Env::PROD,
    };
    Ok(LeptosOptions::builder()
        .output_name(text("LEPTOS_OUTPUT_NAME", "use-aa"))
        .site_root(site_root)
        .site_pkg_dir(text("LEPTOS_SITE_PKG_DIR", "pkg"))
        .env(env)
        .site_addr(addr)
        .hash_file(text("LEPTOS_HASH_FILE_NAME", &names.to_string_lossy()).into())
        .hash_files(hash_files)
        .build())
}
