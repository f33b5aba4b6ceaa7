//! What `cargo xtask page` says of the page that it built (`page.json`), and the tags that refer to it.
//!
//! Leptos' own components look for the names in files on disk, for each request; a program that carries its page has no
//! such files. The links are the same to the byte, which a test below holds them to; the script is our own.

use std::{collections::HashMap, sync::Arc};

use leptos::{WasmSplitManifest, nonce::use_nonce, oco::Oco, prelude::*, tachys::html::element::link};
use serde::Deserialize;

use crate::pages::hooks::Highlights;

/// Loads script and wasm when the browser is idle, then hydrates island after island.
const HYDRATE_ISLANDS: &str = include_str!("hydrate_islands.js");

/// Why a description of a page cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BuiltPageError {
    /// It is not what the build writes.
    #[error("page.json of the built page: {0}")]
    Json(#[from] serde_json::Error),
    /// A name in it is no path in the page's folder.
    #[error("page.json of the built page: {field}: expected a path such as {expected}, got {got}")]
    Path {
        /// Which.
        field: &'static str,
        /// How it would look.
        expected: String,
        /// What it is.
        got: String,
    },
}

/// What the build made, for the documents that refer to it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BuiltPage(Arc<Names>);

#[derive(Debug)]
struct Names {
    /// The folder, as in `pkg`.
    folder: String,
    /// Of the style sheet, with its extension.
    style: String,
    /// Of the script, without its extension.
    script: String,
    /// Of the wasm of the first view, without its extension.
    wasm: String,
    /// What each part that is loaded on demand consists of. Leptos writes preload links for those that a page uses.
    split: WasmSplitManifest,
    highlights: Highlights,
}

/// `page.json`, as far as it is needed here.
#[derive(Deserialize)]
struct Description {
    pkg: String,
    js: String,
    wasm: String,
    css: String,
    loader: String,
    split: HashMap<String, Vec<String>>,
}

impl BuiltPage {
    /// From `page.json`, and from `highlighted.json` where there is one.
    pub fn read(description: &[u8], highlighted: Option<&[u8]>) -> Result<Self, BuiltPageError> {
        let Description { pkg, js, wasm, css, loader, split } = serde_json::from_slice(description)?;
        let name = |field, path: String, extension: &str| {
            let below = path.strip_prefix(&pkg).and_then(|path| path.strip_prefix('/'));
            match below.and_then(|name| name.strip_suffix(extension)) {
                Some(name) => Ok(name.to_owned()),
                None => Err(BuiltPageError::Path { field, expected: format!("{pkg}/name{extension}"), got: path }),
            }
        };
        Ok(Self(Arc::new(Names {
            folder: pkg.trim_start_matches('/').to_owned(),
            style: name("css", css, ".css")? + ".css",
            script: name("js", js, ".js")?,
            wasm: name("wasm", wasm, ".wasm")?,
            split: WasmSplitManifest(ArcStoredValue::new((pkg.clone(), split, name("loader", loader, ".js")? + ".js"))),
            highlights: highlighted.map(Highlights::read).unwrap_or_default(),
        })))
    }

    /// Makes it known to the page that is being rendered.
    pub(super) fn provide(&self) {
        provide_context(self.clone());
        provide_context(self.0.split.clone());
        provide_context(self.0.highlights.clone());
    }
}

/// The style sheet.
#[component]
pub(super) fn PageStyle(id: &'static str, page: BuiltPage) -> impl IntoView {
    let BuiltPage(names) = page;
    link().id(id).rel("stylesheet").href(format!("/{}/{}", names.folder, names.style))
}

/// What hydrates the islands, and the links by which the browser loads it early.
#[component]
pub(super) fn PageScripts(page: BuiltPage) -> impl IntoView {
    let BuiltPage(names) = page;
    let Names { folder, script, wasm, .. } = &*names;
    // Only islands are hydrated: what is around them needs no markers.
    if let Some(context) = Owner::current_shared_context() {
        context.set_is_hydrating(false);
    }
    let nonce = use_nonce();
    let wasm_nonce = nonce.as_ref().map(|nonce| Oco::Counted(nonce.as_inner().clone())).unwrap_or(Oco::Borrowed(""));
    view! {
        <link rel="modulepreload" href=format!("/{folder}/{script}.js") crossorigin=nonce.clone() />
        <link
            rel="preload"
            href=format!("/{folder}/{wasm}.wasm")
            r#as="fetch"
            r#type="application/wasm"
            crossorigin=wasm_nonce
        />
        <script type="module" nonce=nonce>
            {format!(r#"{HYDRATE_ISLANDS}("", {folder:?}, {script:?}, {wasm:?});"#)}
        </script>
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use leptos::nonce::provide_nonce;
    use leptos_meta::HashedStylesheet;

    use super::*;

    const DESCRIPTION: &str = r#"{
        "pkg": "/pkg", "js": "/pkg/use-aa.11.js", "wasm": "/pkg/use-aa.22.wasm", "css": "/pkg/use-aa.33.css",
        "loader": "/pkg/__wasm_split.11.js", "split": {"gallery": ["chunk_5.55", "split_gallery.66"]}, "files": []
    }"#;

    /// Leptos finds the same names on disk.
    #[test]
    fn tags_and_chunks_are_those_that_leptos_would_write() {
        let folder = tempfile::tempdir().unwrap();
        let names = folder.path().join("hash.txt");
        std::fs::write(&names, "js: 11\nwasm: 22\ncss: 33\nmanifest: 44\nsplit: 11\n").unwrap();
        std::fs::create_dir(folder.path().join("pkg")).unwrap();
        let manifest = r#"{"gallery": ["chunk_5.55", "split_gallery.66"]}"#;
        std::fs::write(folder.path().join("pkg/__wasm_split_manifest.44.json"), manifest).unwrap();
        let options = LeptosOptions::builder()
            .output_name("use-aa")
            .site_root(folder.path().to_str().unwrap())
            .hash_file(names.to_str().unwrap().into())
            .hash_files(true)
            .build();
        let page = BuiltPage::read(DESCRIPTION.as_bytes(), None).unwrap();
        let split = || use_context::<WasmSplitManifest>().unwrap().0.get_value();
        for nonce in [false, true] {
            Owner::new().with(|| {
                if nonce {
                    provide_nonce();
                }
                let style = view! { <HashedStylesheet id="styles" options=options.clone() /> }.to_html();
                assert_eq!(view! { <PageStyle id="styles" page=page.clone() /> }.to_html(), style);
                assert!(style.contains("/pkg/use-aa.33.css"), "{style}");
                // Links, the script's tag, and what the script is called with.
                let parts = |html: &str| {
                    let (tags, rest) = html.split_once("((").unwrap();
                    let (_, arguments) = rest.rsplit_once("(\"").unwrap();
                    (tags.to_owned(), arguments.replace(", false);", ");"))
                };
                let theirs = view! { <HydrationScripts options=options.clone() islands=true /> }.to_html();
                let ours = view! { <PageScripts page=page.clone() /> }.to_html();
                assert_eq!(parts(&ours), parts(&theirs));
                assert!(ours.contains("\"use-aa.11\", \"use-aa.22\"") && ours.contains("nonce") == nonce, "{ours}");
                let theirs = split();
                page.provide();
                assert_eq!(split(), theirs);
                assert_eq!(theirs.2, "__wasm_split.11.js");
            });
        }
    }

    #[test]
    fn another_description_is_refused() {
        assert!(matches!(BuiltPage::read(b"", None), Err(BuiltPageError::Json(_))));
        let elsewhere = DESCRIPTION.replace("/pkg/use-aa.22.wasm", "https://cdn.example/use-aa.22.wasm");
        let error = BuiltPage::read(elsewhere.as_bytes(), None).unwrap_err().to_string();
        assert!(error.ends_with("expected a path such as /pkg/name.wasm, got https://cdn.example/use-aa.22.wasm"));
    }
}
