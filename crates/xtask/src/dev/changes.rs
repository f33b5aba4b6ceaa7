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
pub const WATCHED: [&str; 5] = ["src", "crates", "style", "public", "examples/hooks"];

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
        // The page shows them.
        ["examples", "hooks", _, ..] => Some(Change::Code),
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
    #![allow(clippy::unwrap_used)]
    use std::{fs, path::PathBuf};

    use super::*;

    #[test]
    fn each_path_is_part_of_what_is_built_of_it() {
        for (path, expected) in [
            ("style/main.css", Some(Change::Style)),
            ("public/favicon.svg", Some(Change::Public)),
            ("src/demos/session.rs", Some(Change::Code)),
            ("src/app/hydrate_islands.js", Some(Change::Code)),
            ("examples/hooks/use_session.js", Some(Change::Code)),
            ("examples/starter/src/app.rs", None),
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

    /// Without `.` and `..`.
    fn plain(path: &Path) -> PathBuf {
        path.components().fold(PathBuf::new(), |mut plain, part| {
            match part {
                Component::ParentDir => drop(plain.pop()),
                Component::Normal(name) => plain.push(name),
                _ => {}
            }
            plain
        })
    }

    /// What the sources in this folder take in by `include_str!`; of a name that is put together, some file beside it.
    fn taken_in(root: &Path, folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if root.join(&path).is_dir() {
                found.extend(taken_in(root, &path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(root.join(&path)).unwrap();
                for after in text.split("include_str!(").skip(1) {
                    let after = after.trim_start().strip_prefix("concat!(").unwrap_or(after).trim_start();
                    let name = after.strip_prefix('"').and_then(|name| name.split('"').next());
                    let name =
                        name.map(|name| if name.ends_with('/') { [name, "some.rs"].concat() } else { name.into() });
                    found.extend(name.map(|name| plain(&folder.join(name))));
                }
            }
        }
        found
    }

    #[test]
    fn whatever_the_page_takes_in_is_watched() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let taken_in = taken_in(&root, Path::new("src"));
        assert!(taken_in.contains(&"examples/hooks/some.rs".into()), "{taken_in:?}");
        // What only tests and the documentation read is in no program.
        let built = taken_in.iter().filter(|path| !path.starts_with("tests") && !path.ends_with("README.md"));
        for path in built {
            assert_eq!(of(path), Some(Change::Code), "{}", path.display());
            let watched = |folder: &&str| path.starts_with(folder);
            assert!(WATCHED.iter().any(watched), "{}", path.display());
        }
    }
}
