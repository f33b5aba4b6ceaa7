//! What browsers download, as a table for people.

use crate::{names::Named, site::Files};

/// A line per file of the build, the first view's on top, with their sum.
pub fn table(named: &Named, files: &Files, folder: &str) -> String {
    let first = [&named.wasm, &named.script, &named.style, &named.loader];
    let size = |name: &str| {
        let size = |path: String| files.get(&path).map_or(0, Vec::len);
        (size(format!("{folder}/{name}")), size(format!("{folder}/{name}.br")))
    };
    let line = |name: &str, (raw, brotli): (usize, usize)| {
        format!("  {name:<40} {:>9.1} {:>9.1}\n", raw as f64 / 1000.0, brotli as f64 / 1000.0)
    };
    let sum = |(raw, brotli): (usize, usize), name: &String| {
        let (more, more_brotli) = size(name);
        (raw + more, brotli + more_brotli)
    };
    let later: Vec<&String> = named.files.keys().filter(|name| !first.contains(name)).collect();
    let mut table = format!("  {:<40} {:>9} {:>9}\n", "", "kB", "brotli");
    for name in first {
        table += &line(name, size(name));
    }
    table += &line("first load", first.into_iter().fold((0, 0), sum));
    for name in &later {
        table += &line(name, size(name));
    }
    table += &line("later, on demand", later.into_iter().fold((0, 0), sum));
    table.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_first_load_is_what_the_first_view_needs() {
        let names = ["a.js", "a.wasm", "a.css", "l.js", "chunk.wasm"];
        let named = Named {
            script: "a.js".into(),
            wasm: "a.wasm".into(),
            style: "a.css".into(),
            loader: "l.js".into(),
            needs: BTreeMap::new(),
            files: names.iter().map(|name| ((*name).to_owned(), Vec::new())).collect(),
        };
        let mut files = Files::new();
        for name in names {
            files.insert(format!("pkg/{name}"), vec![0; 2000]);
            files.insert(format!("pkg/{name}.br"), vec![0; 1000]);
        }
        let table = table(&named, &files, "pkg");
        let row =
            |start: &str| table.lines().find(|line| line.trim().starts_with(start)).unwrap_or_default().to_owned();
        assert!(row("first load").ends_with("8.0       4.0"), "{table}");
        assert!(row("later").ends_with("2.0       1.0"), "{table}");
    }
}
