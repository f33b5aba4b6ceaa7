//! Who may import whom: the rules of the architecture, checked on `use crate::` lines and `crate::` paths.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/seams.rs"]
mod seams;
#[path = "architecture/texts.rs"]
mod texts;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Room of this package → rooms and crates of ours it may import; one with `::` allows that module only. Everyone may
/// also use `error`, and every room its own.
const RULES: [(&str, &[&str]); 9] = [
    ("api", &["protocol", "actions", "server"]),
    ("http", &["protocol", "actions", "server", "api"]),
    ("client", &["protocol", "actions", "api"]),
    ("hooks", &["protocol", "actions", "client"]),
    ("components", &["hooks", "protocol"]),
    ("demos", &["components", "hooks", "prelude", "protocol"]),
    // What the server renders it asks for as the browser would: by the server functions.
    ("pages", &["demos", "components", "hooks", "protocol", "api"]),
    ("app", &["pages", "hooks", "server::dev_events"]),
    ("prelude", &["hooks", "protocol"]),
];

/// Crate → crates of ours that its manifest may name. Cargo does the rest.
const CRATES: [(&str, &[&str]); 9] = [
    ("protocol", &[]),
    ("threshold", &[]),
    ("listener", &[]),
    ("xtask", &[]),
    ("actions", &["protocol"]),
    ("dan", &["protocol"]),
    ("dan-node", &["protocol", "dan", "listener", "threshold"]),
    ("server", &["protocol", "actions", "dan"]),
    ("lab", &["protocol", "dan", "server"]),
];

/// The crates of ours as this package's files name them.
const ALIASES: [(&str, &str); 5] = [
    ("use_aa_protocol::", "crate::protocol::"),
    ("use_aa_actions::", "crate::actions::"),
    ("use_aa_server::", "crate::server::"),
    ("use_aa_dan_node::", "crate::dan::"),
    ("use_aa_lab::", "crate::lab::"),
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
    let mut code: String =
        source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    for (name, alias) in ALIASES {
        code = code.replace(name, alias);
    }
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
        if matches!(room.as_str(), "lib" | "main" | "program") {
            continue; // lib names the rooms; main and program may know all
        }
        let Some(allowed) = rules.get(room.as_str()) else {
            breaches.push(format!("{}: room {room} has no rule", file.display()));
            continue;
        };
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            let target = import.split("::").next().unwrap_or_default();
            let fine =
                target == room || target == "error" || allowed.iter().any(|rule| *rule == target || *rule == import);
            if !fine {
                breaches.push(format!("{}: {room} must not import crate::{import}", file.display()));
            }
        }
    }
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

/// Alloy's own decoders copy what many offsets name once for each of them: `abi::decode` bounds them, and nothing else
/// may ask them. Tests may.
#[test]
fn abi_encodings_are_read_in_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    for folder in fs::read_dir(root.join("crates")).unwrap().map(|entry| entry.unwrap().path()) {
        rust_files(&folder.join("src"), &mut files);
    }
    let decoders =
        ["abi_decode", "decode_log", "decode_raw_log", "decode_sequence", "decode_params_with", "abi::decode("];
    let mut breaches = Vec::new();
    for file in files.iter().filter(|file| !file.ends_with("crates/protocol/src/abi/decode.rs")) {
        let source = fs::read_to_string(file).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let test = file.file_stem().is_some_and(|name| name == "tests");
        for line in code.lines().filter(|_| !test).map(|line| line.split("//").next().unwrap_or_default()) {
            if decoders.iter().any(|decoder| line.contains(decoder)) {
                breaches.push(format!("{}: {} (use_aa_protocol::abi::decode)", file.display(), line.trim()));
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

/// Whom a manifest names, outside of `[dev-dependencies]`.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut section = "";
    let mut found = Vec::new();
    for line in manifest.lines() {
        match line.strip_prefix('[') {
            Some(name) => section = name.trim_end_matches(']'),
            None if section.ends_with("dependencies") && !section.contains("dev-") => {
                let name: String = line.chars().take_while(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
                if !name.is_empty() {
                    found.push(name);
                }
            }
            None => {}
        }
    }
    found
}

#[test]
fn crates_name_only_whom_the_architecture_allows() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let rules: BTreeMap<&str, &[&str]> = CRATES.into_iter().collect();
    let mut breaches = Vec::new();
    for folder in fs::read_dir(&crates).unwrap().map(|entry| entry.unwrap().path()) {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let Some(allowed) = rules.get(name.as_str()) else {
            breaches.push(format!("crates/{name} has no rule"));
            continue;
        };
        let named = dependencies(&manifest);
        assert!(!named.is_empty(), "the dependencies of crates/{name} are read");
        for dependency in named {
            let ours = dependency.strip_prefix("use-aa-").is_some_and(|ours| !allowed.contains(&ours));
            if ours || dependency == "use-aa" || dependency.starts_with("leptos") {
                breaches.push(format!("crates/{name} must not know {dependency}"));
            }
        }
        assert!(folder.join("README.md").is_file(), "crates/{name} says what it is");
    }
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

#[test]
fn no_file_imports_itself_through_others() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = CRATES.iter().map(|(name, _)| root.join("crates").join(name).join("src"));
    let mut found = Vec::new();
    for src in crates.chain([root.join("src")]) {
        let graph = circles::graph(&src);
        assert!(graph.len() > 1 || src.ends_with("threshold/src"), "{} is read", src.display());
        found.extend(circles::circles(&graph).into_iter().map(|circle| format!("{}: {circle:?}", src.display())));
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn circles_are_found() {
    let graph = |edges: &[(&str, &[&str])]| -> circles::Graph {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        edges.iter().map(|(from, to)| ((*from).to_owned(), all(to))).collect()
    };
    assert!(circles::circles(&graph(&[("a", &["b"]), ("b", &["c"]), ("c", &[])])).is_empty());
    assert_eq!(circles::circles(&graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])])), [["b", "c"]]);
}

/// What the store holds of a session's state: names between quotes in the file that reads and writes them.
#[test]
fn stored_fields_of_a_sessions_state_are_named_in_one_file() {
    const FILE: &str = "crates/protocol/src/session/state/stored.rs";
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = fs::read_to_string(root.join(FILE)).unwrap();
    let constants = source.lines().filter(|line| line.starts_with("const "));
    // `returning` is an ordinary word, too.
    let names = constants.filter_map(|line| line.split('"').nth(1)).filter(|name| name.contains(char::is_uppercase));
    let names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    assert!(names.len() >= 8, "they are read: {names:?}");
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    rust_files(&root.join("crates"), &mut files);
    let sources =
        files.iter().filter(|file| !file.ends_with(FILE) && !file.components().any(|part| part.as_os_str() == "tests"));
    for file in sources.filter(|file| !file.ends_with("state/tests.rs")) {
        let text = fs::read_to_string(file).unwrap();
        let found = names.iter().find(|name| text.contains(name.as_str()));
        assert_eq!(found, None, "{}: only {FILE} knows it", file.display());
    }
}

/// A translator replaces text nodes, so a text that changes must be an element's whole content.
#[test]
fn texts_that_change_survive_a_translator() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let parsed = |file: &PathBuf| {
        let source = fs::read_to_string(file).unwrap();
        // Tests and what only the server renders change nothing in a page.
        let code = source.split("\n#[cfg(test)]").next().unwrap_or_default();
        let code = code.split("\n#[cfg(all(test").next().unwrap_or_default();
        let is_live = ["components", "demos", "hooks"].iter().any(|room| file.starts_with(src.join(room)))
            || code.contains("#[island]")
            || code.contains("split_function!");
        is_live.then(|| (file.clone(), code.parse::<proc_macro2::TokenStream>().unwrap()))
    };
    let sources: Vec<_> = files.iter().filter_map(parsed).collect();
    assert!(sources.len() > 60, "the views are found");
    let functions = sources.iter().flat_map(|(_, source)| texts::view_functions(source)).collect();
    let mut faults = Vec::new();
    for (file, source) in sources {
        let known = texts::views(&source, &functions);
        for (line, text) in texts::frozen(source, &known) {
            faults.push(format!("{}:{line}: {text}", file.strip_prefix(&src).unwrap().display()));
        }
    }
    assert!(faults.is_empty(), "live(…) or verbatim(…) is needed:\n{}", faults.join("\n"));
}

#[test]
fn frozen_texts_are_found() {
    let frozen = |code: &str| {
        let source: proc_macro2::TokenStream = code.parse().unwrap();
        let known = texts::views(&source, &Default::default());
        texts::frozen(source, &known).into_iter().map(|(_, text)| text).collect::<Vec<_>>()
    };
    for fine in [
        r#"fn f() { let label = move || live(name.get()); view! { <p>"Static " {label} {move || live(x())}</p> } }"#,
        r#"fn row() -> AnyView { view! { <b>"x"</b> }.into_any() } fn g() { view! { <p>{row()}</p> } }"#,
        r#"impl A { fn row(self) -> AnyView { view! { <b>"x"</b> }.into_any() } fn f(self) { view! { <p>{self.row()}</p> } } }"#,
        r#"view! { <p>{kept.view()}</p> }"#,
        r#"view! { <Show when=move || { n() > 0 }><p>"Static"</p></Show><br /> }"#,
        r#"view! { <button on:click=move |_| match a { 1 => {} _ => {} }>{move || a().then(|| view! { <b>"x"</b> })}</button> }"#,
    ] {
        assert_eq!(frozen(fine), Vec::<String>::new(), "{fine}");
    }
    for (bad, count) in [
        (r#"view! { <p>{move || name.get()}</p> }"#, 1),
        (r#"fn f() { let label = move || "x"; view! { <p>{label}</p> } }"#, 1),
        (r#"view! { <Show when=a>"bare"</Show> }"#, 1),
        (r#"view! { "root" <b>"x"</b> }"#, 1),
        (r#"view! { <p>{move || if a { view! { <b /> }.into_any() } else { "x".into_any() }}</p> }"#, 1),
        (r#"view! { <p>{move || a.then(|| view! { <b>{name.clone()}</b> })}</p> }"#, 1),
        (r#"fn f() { let line = |text: String| view! { <b>{text}</b> }.into_any(); }"#, 1),
        (
            r#"fn f() { let a = view! { <b /> }; let c = x.a; view! { <p>{c}</p> } } fn g() { let a = 1; view! { {a} } }"#,
            2,
        ),
        (r#"view! { <p>{if a { "x" } else { "y" }} <i>{count}</i></p> }"#, 2),
    ] {
        assert_eq!(frozen(bad).len(), count, "{bad}");
    }
}
