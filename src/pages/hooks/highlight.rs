//! Source text as HTML with a class for each kind of word. `cargo xtask page` makes it when it builds the page; a text
//! that it does not know is shown plain.

use std::{collections::HashMap, env, fs, path::Path, sync::LazyLock};

use serde::Deserialize;

/// What the page's build wrote: texts as HTML.
#[derive(Default, Deserialize)]
struct Highlighted {
    rs: Vec<String>,
    js: Vec<String>,
}

type Texts = HashMap<String, String>;

/// HTML by text.
#[derive(Default)]
struct ByText {
    rust: Texts,
    javascript: Texts,
}

static BUILT: LazyLock<ByText> =
    LazyLock::new(|| site_file("highlighted.json").as_deref().map(read).unwrap_or_default());

/// Rust as HTML.
pub(super) fn rust(text: &str) -> String {
    html(&BUILT.rust, text)
}

/// JavaScript as HTML.
pub(super) fn javascript(text: &str) -> String {
    html(&BUILT.javascript, text)
}

/// A file that the page's build made for the server.
fn site_file(name: &str) -> Option<Vec<u8>> {
    let root = env::var("LEPTOS_SITE_ROOT").ok().filter(|root| !root.is_empty()).unwrap_or("target/site".into());
    fs::read(Path::new(&root).join(name)).ok()
}

fn read(json: &[u8]) -> ByText {
    let Highlighted { rs, js } = serde_json::from_slice(json).unwrap_or_default();
    let by_text = |all: Vec<String>| all.into_iter().map(|html| (text_of(&html), html)).collect();
    ByText { rust: by_text(rs), javascript: by_text(js) }
}

fn html(known: &Texts, text: &str) -> String {
    known.get(text).cloned().unwrap_or_else(|| escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What a browser shows of this HTML, and what is copied.
fn text_of(html: &str) -> String {
    let mut parts = html.split('<');
    let mut text = parts.next().unwrap_or_default().to_owned();
    text.extend(parts.filter_map(|part| part.split_once('>')).map(|(_, after)| after));
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"rs":["<span class=\"k\">let</span> a = b &lt; &quot;&amp;lt;&quot;;\n"],"js":[]}"#;

    #[test]
    fn a_text_is_found_by_what_its_html_shows() {
        let built = read(JSON.as_bytes());
        let html = html(&built.rust, "let a = b < \"&lt;\";\n");
        assert!(html.starts_with("<span class=\"k\">let</span> a"), "{html}");
    }

    #[test]
    fn another_text_is_shown_plain() {
        for built in [read(JSON.as_bytes()), read(b"no JSON"), ByText::default()] {
            assert_eq!(html(&built.rust, "Vec<T> & \"x\""), "Vec&lt;T&gt; &amp; &quot;x&quot;");
            assert_eq!(html(&built.javascript, "let a"), "let a");
        }
    }
}
