//! The folder that the server serves from: names stay the same, so that a server need not be told that a file is new.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde_json::json;

use crate::{
    bindgen, highlight, names,
    site::{self, Files},
    style, texts,
};

/// Its own: `target/site` is what is released, and what tests look at.
pub const FOLDER: &str = "target/dev-site";
/// Not `use-aa.js`, by which the server knows a page of cargo-leptos.
const NAME: &str = "use-aa-dev";
const PKG: &str = "pkg";

/// Compiles the style sheet. Returns where browsers find it: the query is new for each content, so that they ask.
pub fn style() -> Result<String> {
    let style = style::compile(Path::new("style/main.css"))?;
    let path = format!("{PKG}/{NAME}.css");
    site::write_changed(&Path::new(FOLDER).join(&path), style.as_bytes())?;
    Ok(format!("/{path}?{}", names::hash(&[style.as_bytes()])))
}

/// Files that are served as they are.
pub fn public() -> Result<()> {
    write(site::read(Path::new("public"))?)
}

/// Script and wasm, and the description by which the server finds them.
pub fn page(wasm: Vec<u8>) -> Result<()> {
    let bound = bindgen::bind(NAME, wasm)?;
    let mut files = Files::from([
        (format!("{PKG}/{NAME}.js"), bound.script.into_bytes()),
        (format!("{PKG}/{NAME}.wasm"), bound.wasm),
        ("page.json".into(), description().into_bytes()),
    ]);
    files.extend(bound.snippets.into_iter().map(|(path, script)| (format!("{PKG}/{path}"), script.into_bytes())));
    write(files)
}

/// The colours of the source texts that pages show.
pub fn highlighted() -> Result<()> {
    let highlighted = highlight::all(&texts::all(Path::new("src"))?)?;
    write(Files::from([("highlighted.json".into(), highlighted.into_bytes())]))
}

fn description() -> String {
    let path = |extension: &str| format!("/{PKG}/{NAME}.{extension}");
    // There are no chunks: nobody asks for their loader.
    let (js, wasm, css) = (path("js"), path("wasm"), path("css"));
    json!({ "pkg": format!("/{PKG}"), "js": js, "wasm": wasm, "css": css, "loader": js, "split": {} }).to_string()
}

fn write(files: Files) -> Result<()> {
    for (path, content) in &files {
        site::write_changed(&Path::new(FOLDER).join(path), content)?;
    }
    Ok(())
}

/// The linked wasm; nothing when it is the one that was `known`.
pub fn new_wasm(path: &Path, known: &mut Option<String>) -> Result<Option<Vec<u8>>> {
    let wasm = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let hash = names::hash(&[&wasm]);
    if known.as_ref() == Some(&hash) {
        return Ok(None);
    }
    *known = Some(hash);
    Ok(Some(wasm))
}
