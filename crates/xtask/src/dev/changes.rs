//! What has to be built again after a file has changed.

use std::path::{Component, Path};

/// What a changed file is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The style sheet.
    Style,
    /// Files that are served as they are.
    Public,
    /// Page or server; cargo knows which of them a file is in.
    Code,
    /// This program.
    Tool,
}

/// What is watched, beside the files of the workspace's own folder.
pub const WATCHED: [&str; 4] = ["src", "crates", "style", "public"];

/// What `path` (below the workspace) is part of; `None` when nothing is built of it.
pub fn of(path: &Path) -> Option<Change> {
    let parts: Option<Vec<&str>> = path
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    let parts = parts?;
    if parts.iter().any(|name| is_an_editors(name)) {
        return None;
    }
    match parts.as_slice() {
        ["style", .., name] => name.ends_with(".css").then_some(Change::Style),
        ["public", _, ..] => Some(Change::Public),
        ["src", _, ..] | ["Cargo.toml" | "Cargo.lock"] => Some(Change::Code),
        ["crates", "xtask", ..] => Some(Change::Tool),
        // Tests and READMEs of a crate are in no program.
        ["crates", _, "src", _, ..] | ["crates", _, "Cargo.toml" | "build.rs"] => Some(Change::Code),
        _ => None,
    }
}

/// Backups, swap files and files that an editor writes before it renames them.
fn is_an_editors(name: &str) -> bool {
    name.starts_with('.') || name.starts_with('#') || name.ends_with('~') || name == "4913" || name.ends_with(".new")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_is_part_of_what_is_built_of_it() {
        for (path, expected) in [
            ("style/main.css", Some(Change::Style)),
            ("public/favicon.svg", Some(Change::Public)),
            ("src/demos/session.rs", Some(Change::Code)),
            ("src/app/hydrate_islands.js", Some(Change::Code)),
            ("src/pages/hooks/compare/session.js", Some(Change::Code)),
            ("src/http/headers.rs", Some(Change::Code)),
            ("crates/protocol/src/lint.rs", Some(Change::Code)),
            ("crates/server/src/sponsor/policy.example.toml", Some(Change::Code)),
            ("crates/lab/Cargo.toml", Some(Change::Code)),
            ("Cargo.toml", Some(Change::Code)),
            ("Cargo.lock", Some(Change::Code)),
            ("crates/xtask/src/dev.rs", Some(Change::Tool)),
            // Nothing is built of these.
            ("README.md", None),
            ("docs/security.md", None),
            ("crates/protocol/README.md", None),
            ("crates/server/tests/a.rs", None),
            ("target/dev-site/pkg/use-aa-dev.css", None),
            ("style/main.css~", None),
            ("style/.main.css.swp", None),
            ("src/demos/#session.rs#", None),
            ("src/demos/4913", None),
            ("src/.git/index", None),
            ("src", None),
            ("../src/lib.rs", None),
            ("", None),
        ] {
            assert_eq!(of(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn what_is_watched_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert!(WATCHED.iter().all(|path| root.join(path).exists()));
    }
}
