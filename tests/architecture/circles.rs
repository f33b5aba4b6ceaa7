//! No file of a crate imports, through others, itself. Rooms are checked by name elsewhere; this finds the circles that
//! nobody drew.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Module path (`a::b`; empty = the crate's root) → modules that its code outside of tests names.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// Reads the modules below `src`.
pub fn graph(src: &Path) -> Graph {
    let mut files = Vec::new();
    super::rust_files(src, &mut files);
    let sources: BTreeMap<String, String> = files
        .iter()
        .map(|file| (module_of(file.strip_prefix(src).unwrap()), code(&fs::read_to_string(file).unwrap())))
        .collect();
    let mut graph: Graph =
        sources.iter().map(|(module, code)| (module.clone(), imports(module, code, &sources))).collect();
    // A module and what it holds are one idea: they may name each other.
    let known = graph.clone();
    for (module, imported) in &mut graph {
        let holds = |child: &str| module.is_empty() || child.starts_with(&format!("{module}::"));
        imported.retain(|child| !(holds(child) && known[child].contains(module)));
    }
    graph
}

fn module_of(file: &Path) -> String {
    let text = file.with_extension("").to_str().unwrap().replace('/', "::");
    let parts: Vec<&str> = text.split("::").filter(|part| !["mod", "lib", "main"].contains(part)).collect();
    parts.join("::")
}

/// The code without comments and without its own tests.
fn code(source: &str) -> String {
    let opens_tests = |rest: &str| rest.lines().next().is_some_and(|line| line.contains("mod ") && line.ends_with('{'));
    let mark = "\n#[cfg(test)]\n";
    let tests = source.match_indices(mark).find(|(index, _)| opens_tests(&source[index + mark.len()..]));
    let source = tests.map_or(source, |(index, _)| &source[..index]);
    // `pub(in super::super)` says who may use it, and uses nothing.
    let source = source.replace("pub(in ", "pub(").replace("pub(super::super)", "pub(super)");
    source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The modules that `code` names by `crate::`, `super::` or `self::`: the longest part of each path that is a module.
fn imports(module: &str, code: &str, modules: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for start in ["crate::", "super::", "self::"] {
        let starts = code.match_indices(start).map(|(index, _)| index);
        for index in
            starts.filter(|index| !code[..*index].ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c)))
        {
            for path in paths(&code[index..]) {
                found.extend(resolve(module, &path, modules).filter(|target| *target != module));
            }
        }
    }
    found
}

/// The paths that a text begins with; groups are opened: `a::{b, c::d}` gives `a::b` and `a::c::d`.
fn paths(text: &str) -> Vec<String> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    let (head, rest) = text.split_at(end);
    if !head.ends_with("::") || !rest.starts_with('{') {
        return vec![head.to_owned()];
    }
    let (mut members, mut depth, mut from) = (Vec::new(), 0_u32, 1);
    for (index, character) in rest.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if (character == ',' && depth == 1) || depth == 0 {
            members.push(rest[from..index].trim_start());
            from = index + 1;
        }
        if depth == 0 {
            break;
        }
    }
    members.into_iter().flat_map(paths).map(|path| format!("{head}{path}")).collect()
}

fn resolve(module: &str, path: &str, modules: &BTreeMap<String, String>) -> Option<String> {
    let mut base: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
    let mut parts = path.split("::").filter(|part| !part.is_empty()).peekable();
    while let Some(step) = parts.next_if(|part| ["crate", "self", "super"].contains(part)) {
        match step {
            "crate" => base.clear(),
            "super" => drop(base.pop()),
            _ => {}
        }
    }
    let full: Vec<&str> = base.into_iter().chain(parts).collect();
    (0..=full.len()).rev().map(|length| full[..length].join("::")).find(|path| modules.contains_key(path))
}

/// The circles, each as the modules on it in order.
pub fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let reach = |from: &String| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&String> = graph[from].iter().collect();
        while let Some(module) = open.pop() {
            if seen.insert(module.clone()) {
                open.extend(graph[module].iter());
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<String>> = graph.keys().map(|module| (module, reach(module))).collect();
    let on_circle: Vec<&String> = graph.keys().filter(|module| reached[module].contains(*module)).collect();
    let mut circles: Vec<Vec<String>> = Vec::new();
    for module in on_circle {
        let mates = |other: &&String| reached[module].contains(*other) && reached[*other].contains(module);
        let circle: Vec<String> = graph.keys().filter(mates).cloned().collect();
        if !circles.contains(&circle) {
            circles.push(circle);
        }
    }
    circles
}
