//! From sources to `target/site` and `target/site.tar`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::{
    archive, bindgen, highlight, loader, merge,
    names::{self, Named, Parts},
    npm, optimize, prune, report,
    site::{self, Files},
    size, split,
    steps::Steps,
    style, texts, wasm,
};

const NAME: &str = "use-aa";
/// Where browsers find what is built, under the site's root.
const FOLDER: &str = "pkg";
const SITE: &str = "target/site";
const ARCHIVE: &str = "target/site.tar";
/// What is only needed to build the next page sooner.
pub const WORK: &str = "target/page";

/// How.
pub struct Options {
    /// cargo's profile.
    pub profile: String,
    /// A linked wasm that is there already.
    pub wasm: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { profile: "wasm-release".into(), wasm: None }
    }
}

/// Builds the page.
pub fn build(options: &Options) -> Result<()> {
    println!("building the page");
    let mut steps = Steps::default();
    let work = Path::new(WORK);
    let linked = match &options.wasm {
        Some(path) => path.clone(),
        None => steps.run("cargo", || wasm::build(&options.profile))?,
    };
    let linked = fs::read(&linked).with_context(|| format!("reading {}", linked.display()))?;
    let mut pieces = steps.run("split", || split::split(&linked, &work.join("split")))?;
    steps.run("prune", || prune::all(&mut pieces.main, &mut pieces.chunks))?;
    let pieces = steps.run("merge", || merge::merge(pieces, &work.join("split")))?;
    let bound = steps.run("bindgen", || bindgen::bind(NAME, pieces.main))?;
    no_snippets(&bound.snippets)?;
    let mut modules: BTreeMap<String, Vec<u8>> = pieces.chunks;
    modules.insert(NAME.into(), bound.wasm);
    let modules = steps.run("wasm-opt", || optimize::optimize(modules, &work.join("wasm-opt")))?;
    let mut modules = steps.run("strip", || size::without_names(modules, &pieces.needs, &work.join("named")))?;
    let wasm = modules.remove(NAME).context("wasm-opt lost the first view")?;
    let (script, loader) =
        steps.run("minify", || Ok((npm::minify(&bound.script)?, npm::minify(&loader::script(&pieces.needs)?)?)))?;
    let style = steps.run("style", || style::compile(Path::new("style/main.css")))?;
    let parts = Parts { name: NAME, script, wasm, loader, chunks: modules, needs: pieces.needs, style };
    let named = steps.run("names", || names::name_all(parts))?;
    let highlighted = steps.run("highlight", || highlight::all(&texts::all(Path::new("src"))?))?;

    let mut files = site::read(Path::new("public"))?;
    files.extend(named.files.iter().map(|(name, content)| (format!("{FOLDER}/{name}"), content.clone())));
    let compressed = steps.run("compress", || site::compressed(&files, Path::new(SITE)))?;
    let description = description(&named, &files);
    files.extend(compressed);
    files.extend(for_leptos(&named));
    files.insert("highlighted.json".into(), highlighted.into_bytes());
    files.insert("page.json".into(), description.into_bytes());
    steps.run("write", || {
        site::write(&files, Path::new(SITE))?;
        site::write_changed(Path::new(ARCHIVE), &archive::tar(&files)?)
    })?;
    println!("{}", report::table(&named, &files, FOLDER));
    println!("{SITE} and {ARCHIVE} in {:.1} s", steps.total().as_secs_f32());
    Ok(())
}

/// Crates may bring scripts along, which the page's script imports by path. Browsers keep what is below `pkg` for good, so
/// each name there must follow the content, and nothing here would rename these.
fn no_snippets(snippets: &BTreeMap<String, String>) -> Result<()> {
    let names: Vec<_> = snippets.keys().collect();
    ensure!(names.is_empty(), "scripts of crates have no names that hold a hash of what is in them: {names:?}");
    Ok(())
}

/// `page.json`: what a server needs to write its script tags, style sheet and preload links.
fn description(named: &Named, files: &Files) -> String {
    let path = |name: &str| format!("/{FOLDER}/{name}");
    let description = json!({
        "pkg": format!("/{FOLDER}"),
        "js": path(&named.script),
        "wasm": path(&named.wasm),
        "css": path(&named.style),
        "loader": path(&named.loader),
        "split": named.needs,
        "files": files.keys().map(|path| format!("/{path}")).collect::<Vec<_>>(),
    });
    format!("{description:#}\n")
}

/// The two files from which Leptos' own components learn the names.
fn for_leptos(named: &Named) -> Files {
    let hash_in = |name: &str| name.rsplit('.').nth(1).unwrap_or_default().to_owned();
    let manifest = json!(named.needs).to_string();
    let manifest_hash = names::hash(&[manifest.as_bytes()]);
    let hashes = format!(
        "js: {}\nwasm: {}\ncss: {}\nmanifest: {manifest_hash}\nsplit: {}\n",
        hash_in(&named.script),
        hash_in(&named.wasm),
        hash_in(&named.style),
        hash_in(&named.loader),
    );
    Files::from([
        (format!("{FOLDER}/__wasm_split_manifest.{manifest_hash}.json"), manifest.into_bytes()),
        ("hash.txt".into(), hashes.into_bytes()),
    ])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn named() -> Named {
        Named {
            script: "use-aa.11.js".into(),
            wasm: "use-aa.22.wasm".into(),
            style: "use-aa.33.css".into(),
            loader: "__wasm_split.11.js".into(),
            needs: BTreeMap::from([("view".into(), vec!["chunk_1.44".into()])]),
            files: Files::new(),
        }
    }

    #[test]
    fn the_description_has_paths_as_browsers_ask_for_them() {
        let files = Files::from([("favicon.svg".into(), vec![]), ("pkg/use-aa.11.js".into(), vec![])]);
        let read: serde_json::Value = serde_json::from_str(&description(&named(), &files)).unwrap();
        assert_eq!(read["js"], "/pkg/use-aa.11.js");
        assert_eq!(read["loader"], "/pkg/__wasm_split.11.js");
        assert_eq!(read["split"], json!({ "view": ["chunk_1.44"] }));
        assert_eq!(read["files"], json!(["/favicon.svg", "/pkg/use-aa.11.js"]));
    }

    #[test]
    fn a_script_whose_name_would_not_follow_its_content_is_noticed() {
        assert!(no_snippets(&BTreeMap::new()).is_ok());
        let name = "snippets/wallet-0123456789abcdef/inline0.js";
        let error = no_snippets(&BTreeMap::from([(name.into(), "export {}".into())])).unwrap_err().to_string();
        assert!(error.contains(name), "{error}");
    }

    #[test]
    fn leptos_finds_the_same_names() {
        let files = for_leptos(&named());
        let hashes = String::from_utf8(files["hash.txt"].clone()).unwrap();
        assert!(hashes.starts_with("js: 11\nwasm: 22\ncss: 33\nmanifest: "), "{hashes}");
        assert!(hashes.ends_with("split: 11\n"), "{hashes}");
        let manifest = hashes.lines().find_map(|line| line.strip_prefix("manifest: ")).unwrap();
        assert_eq!(files[&format!("pkg/__wasm_split_manifest.{manifest}.json")], br#"{"view":["chunk_1.44"]}"#);
    }
}
