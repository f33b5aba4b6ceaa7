//! The style sheet, for the browsers that are still in use, in few bytes.

use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow};
use lightningcss::{
    stylesheet::{MinifyOptions, ParserOptions, PrinterOptions, StyleSheet},
    targets::{Browsers, Targets},
};

/// What the query "last 3 years" of Cargo.toml's `browserquery` gave in November 2026. Written down, because the query
/// gives something else each day, and the same sources shall give the same files.
const BROWSERS: Browsers = Browsers {
    android: Some(version(143, 0)),
    chrome: Some(version(120, 0)),
    edge: Some(version(120, 0)),
    firefox: Some(version(121, 0)),
    ie: None,
    ios_saf: Some(version(17, 2)),
    opera: Some(version(80, 0)),
    safari: Some(version(17, 2)),
    samsung: Some(version(24, 0)),
};

const fn version(major: u32, minor: u32) -> u32 {
    major << 16 | minor << 8
}

/// Compiles the style sheet.
pub fn compile(path: &Path) -> Result<String> {
    let source = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    minify(&source).with_context(|| format!("compiling {}", path.display()))
}

fn minify(source: &str) -> Result<String> {
    let targets = Targets::from(BROWSERS);
    let mut sheet = StyleSheet::parse(source, ParserOptions::default()).map_err(|error| {
        // It counts lines from 0.
        anyhow!("{} in line {}", error.kind, error.loc.as_ref().map_or(0, |place| place.line) + 1)
    })?;
    sheet.minify(MinifyOptions { targets, ..Default::default() }).map_err(|error| anyhow!("{error}"))?;
    let options = PrinterOptions { minify: true, targets, ..Default::default() };
    Ok(sheet.to_css(options).map_err(|error| anyhow!("{error}"))?.code)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_is_small_and_an_error_names_the_line() {
        assert_eq!(minify("a {\n  color: red;\n}\n").unwrap(), "a{color:red}");
        let error = minify("a { color: red }\n@media {{").unwrap_err().to_string();
        assert!(error.ends_with("in line 2"), "{error}");
    }

    #[test]
    fn what_the_oldest_of_them_does_not_know_is_unfolded() {
        assert_eq!(minify("a { & b { color: red } }").unwrap(), "a b{color:red}");
    }
}
