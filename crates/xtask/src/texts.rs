//! The texts that pages show in colours: sources of demos, shortest components and the same in React, signatures of hooks.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

/// Which grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// Rust.
    Rust,
    /// JavaScript.
    JavaScript,
}

impl Language {
    /// By the name of a file.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?;
        [Self::Rust, Self::JavaScript].into_iter().find(|language| language.extension() == extension)
    }

    /// Of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Rust => "rs",
            Self::JavaScript => "js",
        }
    }
}

/// A text and its language.
pub type Text = (Language, String);

/// All of them, from the sources of the page.
pub fn all(src: &Path) -> Result<Vec<Text>> {
    let mut texts = Vec::new();
    for path in files(&src.join("demos"))? {
        texts.push(read(&path)?);
    }
    for path in files(&src.join("../examples/hooks"))? {
        texts.push(read(&path)?);
    }
    for path in files(&src.join("hooks"))? {
        let (language, source) = read(&path)?;
        let hook = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let signatures = [signature(&source, hook), signature(&source, &format!("{hook}_with"))];
        if let [Some(plain), with_options] = signatures {
            // Both forms stand in one listing.
            let both = format!("{plain}\n\n{}", with_options.unwrap_or_default());
            texts.push((language, both.trim_end().to_owned()));
        }
    }
    ensure!(!texts.is_empty(), "{} holds no demo", src.display());
    texts.sort();
    texts.dedup();
    Ok(texts)
}

/// The head of the function of that name, as `demos::documentation` shows it.
fn signature(source: &str, hook: &str) -> Option<String> {
    let head = format!("pub fn {hook}");
    let mut lines =
        source.lines().skip_while(|line| !line.strip_prefix(&head).is_some_and(|rest| rest.starts_with(['(', '<'])));
    let mut signature = Vec::new();
    loop {
        let line = lines.next()?;
        signature.push(line);
        if line.ends_with('{') {
            return Some(signature.join("\n").trim_end_matches('{').trim_end().to_owned());
        }
    }
}

/// The files of a folder that have a language.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let place = || format!("reading {}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(place)? {
        let path = entry.with_context(place)?.path();
        if path.is_file() && Language::of(&path).is_some() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<Text> {
    let language = Language::of(path).with_context(|| format!("{}: no language known here", path.display()))?;
    Ok((language, fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_demo_and_every_hook_of_a_demo_is_there() {
        let texts = all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src")).unwrap();
        let has = |language, start: &str| texts.iter().any(|(of, text)| *of == language && text.contains(start));
        assert!(has(Language::Rust, "pub fn SmartAccount() -> impl IntoView"), "a demo");
        assert!(texts.iter().any(|(_, text)| text.starts_with("pub fn use_session(") && !text.contains('{')), "a hook");
        assert!(has(Language::JavaScript, "useSmartAccount()"), "the same in React");
        assert!(has(Language::Rust, "pub fn Grant() -> impl IntoView"), "a shortest component");
        assert!(has(Language::Rust, "\n\npub fn use_session_with("), "both forms of a hook");
    }

    #[test]
    fn a_signature_is_the_one_of_the_name() {
        let source = "pub fn use_its() {\n}\n/// Doc.\npub fn use_it<T>(\n    a: T,\n) -> bool {\n    a\n}\n";
        assert_eq!(signature(source, "use_it").unwrap(), "pub fn use_it<T>(\n    a: T,\n) -> bool");
        assert_eq!(signature(source, "use_none"), None);
    }
}
