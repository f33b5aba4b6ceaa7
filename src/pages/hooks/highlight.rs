//! Source text as HTML with a class for each kind of word. `cargo xtask page` makes it when it builds the page; a text
//! that it does not know is shown plain.

use std::{collections::HashMap, sync::Arc};

use leptos::prelude::use_context;
use serde::Deserialize;

/// What the page's build wrote: texts as HTML.
#[derive(Default, Deserialize)]
struct Highlighted {
    rs: Vec<String>,
    js: Vec<String>,
}

type Texts = HashMap<String, String>;

/// HTML by text, in context while a page is rendered. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Highlights(Arc<ByText>);

#[derive(Debug, Default)]
struct ByText {
    rust: Texts,
    javascript: Texts,
}

impl Highlights {
    /// From `highlighted.json`; none when it is something else.
    pub fn read(json: &[u8]) -> Self {
        let Highlighted { rs, js } = serde_json::from_slice(json).unwrap_or_default();
        let by_text = |all: Vec<String>| all.into_iter().map(|html| (text_of(&html), html)).collect();
        Self(Arc::new(ByText { rust: by_text(rs), javascript: by_text(js) }))
    }
}

/// Rust as HTML.
pub(super) fn rust(text: &str) -> String {
    html(&known().rust, text)
}

/// JavaScript as HTML.
pub(super) fn javascript(text: &str) -> String {
    html(&known().javascript, text)
}

fn known() -> Arc<ByText> {
    use_context::<Highlights>().unwrap_or_default().0
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
        let Highlights(built) = Highlights::read(JSON.as_bytes());
        let html = html(&built.rust, "let a = b < \"&lt;\";\n");
        assert!(html.starts_with("<span class=\"k\">let</span> a"), "{html}");
    }

    #[test]
    fn another_text_is_shown_plain() {
        for Highlights(built) in
            [Highlights::read(JSON.as_bytes()), Highlights::read(b"no JSON"), Highlights::default()]
        {
            assert_eq!(html(&built.rust, "Vec<T> & \"x\""), "Vec&lt;T&gt; &amp; &quot;x&quot;");
            assert_eq!(html(&built.javascript, "let a"), "let a");
        }
    }
}
