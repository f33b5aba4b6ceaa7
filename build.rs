//! `src/main.rs` takes the built page in, `target/site.tar`. Where none was built yet this puts an empty file there, so
//! that the program still compiles; it then has no page inside.

use std::{
    env, fs,
    io::{Error, ErrorKind},
    path::Path,
    time::SystemTime,
};

/// In the checkout, wherever cargo builds: `cargo xtask page` writes there.
const FOLDER: &str = "target";

fn main() -> Result<(), Error> {
    println!("cargo::rerun-if-changed=build.rs");
    let has = |feature: &str| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    let wasm = env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family.contains("wasm"));
    if !has("SSR") || !has("APP") || wasm {
        return Ok(());
    }
    fs::create_dir_all(FOLDER)?;
    create(&Path::new(FOLDER).join("site.tar"))?;
    // The page itself must not be watched: whenever this runs the whole library is compiled again. What is watched is
    // a file that never changes and goes when the folder goes.
    let watched = Path::new(FOLDER).join("site.tar.place");
    create(&watched)?;
    fs::File::options().write(true).open(&watched)?.set_modified(SystemTime::UNIX_EPOCH)?;
    println!("cargo::rerun-if-changed={}", watched.display());
    Ok(())
}

/// Makes an empty file where there is none.
fn create(path: &Path) -> Result<(), Error> {
    match fs::File::create_new(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
