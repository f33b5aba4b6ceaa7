//! `cargo xtask`: builds the page, and what else cargo alone does not build.

mod archive;
mod bindgen;
mod compress;
#[cfg(feature = "dev")]
mod dev;
mod functions;
mod highlight;
mod loader;
mod merge;
mod names;
mod npm;
mod optimize;
mod page;
mod prune;
mod report;
mod site;
mod size;
mod split;
mod steps;
mod style;
mod texts;
mod wasm;

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};

const HELP: &str = "\
cargo xtask page [OPTIONS]        the page into target/site and target/site.tar
    --profile NAME   cargo's profile for the wasm (wasm-release)
    --wasm FILE      a linked wasm that is there already, instead of a build
cargo xtask dev                   lab and page, built anew at each change (feature dev; `make dev`)
cargo xtask functions [--check]   known functions out of the ABIs in npm packages, or whether the table is that
cargo xtask size                  what of the page that was built last is large: crates and functions, file by file
cargo xtask wasm [OPTIONS]        only the wasm, as the first step of the page; needs nothing from npm
cargo xtask bindgen FILE FOLDER   what `wasm-bindgen --target web` makes of a wasm file";

fn main() -> ExitCode {
    match run(env::args_os().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Vec<OsString>) -> Result<()> {
    let words: Vec<&str> = args.iter().map(|arg| arg.to_str().unwrap_or_default()).collect();
    match words.as_slice() {
        ["page", options @ ..] => {
            let options = page_options(options)?;
            to_workspace()?;
            page::build(&options)
        }
        ["wasm", options @ ..] => {
            let options = page_options(options)?;
            to_workspace()?;
            wasm::build(&options.profile).map(drop)
        }
        ["size"] => {
            to_workspace()?;
            size::print(&Path::new(page::WORK).join("named"))
        }
        ["functions"] | ["functions", "--check"] => {
            to_workspace()?;
            functions::run(words.len() > 1)
        }
        #[cfg(feature = "dev")]
        ["dev"] => {
            to_workspace()?;
            dev::run()
        }
        ["bindgen", _, _] => bindgen::bind_file(args[1].as_ref(), args[2].as_ref()),
        ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => bail!("expected one of\n{HELP}"),
    }
}

fn page_options(words: &[&str]) -> Result<page::Options> {
    let mut options = page::Options::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = || words.clone().next().copied().with_context(|| format!("{word} needs a value"));
        match *word {
            "--profile" => options.profile = value()?.to_owned(),
            "--wasm" => options.wasm = Some(PathBuf::from(value()?)),
            _ => bail!("unknown option {word}; expected\n{HELP}"),
        }
        words.next();
    }
    if let Some(wasm) = &mut options.wasm {
        *wasm = std::path::absolute(&*wasm).with_context(|| format!("--wasm {}", wasm.display()))?;
    }
    Ok(options)
}

/// All paths are the workspace's, wherever cargo was called.
fn to_workspace() -> Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    env::set_current_dir(&root).with_context(|| format!("going to {}", root.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn options_of_the_page() {
        let options = page_options(&["--wasm", "a.wasm", "--profile", "dev"]).unwrap();
        assert_eq!(options.profile, "dev");
        assert!(options.wasm.unwrap().is_absolute(), "found from the workspace, too");
        assert_eq!(page_options(&[]).unwrap().profile, "wasm-release");
        assert!(page_options(&["--profile"]).is_err() && page_options(&["--fast"]).is_err());
    }
}
