//! Who may import whom: the rules of the architecture, checked on `use crate::` lines and `crate::` paths.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Room → rooms it may import; a room with `::` allows that module only. Everyone but `protocol` may
/// also use `error`, and every room its own.
const RULES: [(&str, &[&str]); 12] = [
    ("protocol", &[]),
    ("error", &["protocol"]),
    ("actions", &["protocol"]),
    ("dan", &["protocol"]),
    ("lab", &["protocol", "dan", "server::config"]),
    ("server", &["protocol", "dan"]),
    ("client", &["actions::ports", "server", "protocol"]),
    ("hooks", &["actions", "client", "protocol"]),
    ("components", &["hooks", "protocol"]),
    ("demos", &["components", "hooks", "protocol"]),
    ("pages", &["demos", "components", "hooks", "protocol"]),
    ("app", &["pages", "hooks"]),
];

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The room a file belongs to: first folder under `src`, or the file's own name.
fn room(path: &Path, src: &Path) -> String {
    let first = path.strip_prefix(src).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// Paths behind `crate::`, with groups opened: `crate::{a::b, c}` gives `a::b` and `c`. Comments are left out.
fn imports(source: &str) -> Vec<String> {
    let code: String =
        source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let own = |index: usize| !code[..index].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
    let starts =
        code.match_indices("crate::").filter(|(index, _)| own(*index)).map(|(index, _)| index + "crate::".len());
    starts.flat_map(|start| first_segments(&code[start..])).collect()
}

/// First two segments of a path, or of each member of the group it begins with.
fn first_segments(text: &str) -> Vec<String> {
    let Some(group) = text.strip_prefix('{') else {
        let path: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect();
        return vec![path.split("::").take(2).collect::<Vec<_>>().join("::")];
    };
    let (mut members, mut depth, mut current) = (Vec::new(), 0, String::new());
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => members.push(std::mem::take(&mut current)),
            _ => {}
        }
        if character != ',' || depth > 0 {
            current.push(character);
        }
    }
    members.push(current);
    members.iter().map(|member| member.trim()).filter(|member| !member.is_empty()).flat_map(first_segments).collect()
}

#[test]
fn rooms_import_only_what_the_architecture_allows() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rules: BTreeMap<&str, &[&str]> = RULES.into_iter().collect();
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.len() > 20, "the sources are found");
    let mut breaches = Vec::new();
    for file in files {
        let room = room(&file, &src);
        if matches!(room.as_str(), "lib" | "main") {
            continue; // lib names the rooms; main is checked by what it can reach: app, server, dan, lab
        }
        let Some(allowed) = rules.get(room.as_str()) else {
            breaches.push(format!("{}: room {room} has no rule", file.display()));
            continue;
        };
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            let target = import.split("::").next().unwrap_or_default();
            let fine = target == room
                || (target == "error" && room != "protocol")
                || allowed.iter().any(|rule| *rule == target || *rule == import);
            if !fine {
                breaches.push(format!("{}: {room} must not import crate::{import}", file.display()));
            }
        }
    }
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

#[test]
fn groups_and_nested_groups_are_opened() {
    let source = "use crate::{error::AppError, protocol::{rpc, session::SessionBook}, hooks};\n\
        // crate::server\nfn f() { crate::dan::g() } my_crate::x";
    assert_eq!(imports(source), ["error::AppError", "protocol::", "hooks", "dan::g"]);
}
