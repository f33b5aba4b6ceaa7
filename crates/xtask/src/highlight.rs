//! Source text as HTML with a class for each kind of word; colours are the style sheet's.

use std::sync::LazyLock;

use anyhow::{Context, Result};
use serde_json::json;
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxSet};

use crate::texts::{Language, Text};

/// Scopes of TextMate grammars, inner before outer, and our class for them; an empty class is plain text.
const CLASSES: &[(&str, &str)] = &[
    ("comment", "c"),
    ("constant.character.escape", "n"),
    ("punctuation.definition.string", "s"),
    ("string", "s"),
    ("constant.numeric", "n"),
    ("constant.language", "n"),
    ("entity.name.function", "f"),
    ("support.function", "f"),
    ("support.macro", "m"),
    ("meta.annotation", "m"),
    ("variable.annotation", "m"),
    ("entity.name", "t"),
    ("support.type", "t"),
    ("support.class", "t"),
    ("keyword.operator", ""),
    ("keyword", "k"),
    ("storage", "k"),
];

/// `highlighted.json`: the texts as HTML, by the extension of their language.
///
/// A text in HTML still is that text, so nothing else says which one it is.
pub fn all(texts: &[Text]) -> Result<String> {
    let of = |wanted: Language| -> Vec<String> {
        texts.iter().filter(|(language, _)| *language == wanted).map(|(language, text)| html(*language, text)).collect()
    };
    let all = json!({ "rs": of(Language::Rust), "js": of(Language::JavaScript) });
    serde_json::to_string(&all).context("writing highlighted texts")
}

/// One text as HTML.
fn html(language: Language, text: &str) -> String {
    static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(SyntaxSet::load_defaults_newlines);
    static SCOPES: LazyLock<Vec<(Scope, &'static str)>> =
        LazyLock::new(|| CLASSES.iter().filter_map(|(scope, class)| Some((Scope::new(scope).ok()?, *class))).collect());
    let Some(syntax) = SYNTAXES.find_syntax_by_extension(language.extension()) else { return escaped(text) };
    let (mut state, mut stack, mut out) = (ParseState::new(syntax), ScopeStack::new(), Spans::default());
    for line in text.split_inclusive('\n') {
        // A grammar that fails leaves the rest of the line plain.
        let operations = state.parse_line(line, &SYNTAXES).unwrap_or_default();
        let mut from = 0;
        for (at, operation) in operations {
            out.push(class_of(&stack, &SCOPES), &line[from..at]);
            from = at;
            if stack.apply(&operation).is_err() {
                break;
            }
        }
        out.push(class_of(&stack, &SCOPES), &line[from..]);
    }
    out.finish()
}

/// The class of the innermost scope that has one.
fn class_of(stack: &ScopeStack, scopes: &[(Scope, &'static str)]) -> &'static str {
    let class = |scope: &Scope| scopes.iter().find(|(known, _)| known.is_prefix_of(*scope)).map(|(_, class)| *class);
    stack.as_slice().iter().rev().find_map(class).unwrap_or_default()
}

/// Spans, neighbours of one class joined.
#[derive(Default)]
struct Spans {
    html: String,
    open: &'static str,
}

impl Spans {
    fn push(&mut self, class: &'static str, text: &str) {
        if text.is_empty() {
            return;
        }
        // White space has no colour.
        if class != self.open && !text.trim().is_empty() {
            self.close();
            if !class.is_empty() {
                self.html += &["<span class=\"", class, "\">"].concat();
            }
            self.open = class;
        }
        self.html += &escaped(text);
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.html += "</span>";
        }
        self.open = "";
    }

    fn finish(mut self) -> String {
        self.close();
        self.html
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;
    use crate::texts;

    #[test]
    fn words_get_classes_and_the_text_stays() {
        let source = "//! Doc.\nuse leptos::prelude::*;\n\n#[component]\npub fn A<T>() -> bool {\n    let b = \"<&\\n\"; 1 < 2\n}\n";
        let html = html(Language::Rust, source);
        for piece in [
            "<span class=\"c\">//! Doc.",
            "<span class=\"k\">pub fn </span>",
            "<span class=\"f\">A</span>",
            "<span class=\"k\">let</span> b",
            "<span class=\"n\">1 </span>&lt; <span class=\"n\">2",
        ] {
            assert!(html.contains(piece), "{piece} in {html}");
        }
        assert_eq!(text_of(&html), source);
    }

    #[test]
    fn every_text_stays() {
        for (language, text) in texts::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src")).unwrap() {
            let html = html(language, &text);
            assert_eq!(text_of(&html), text);
            assert!(html.contains("<span class="), "{html}");
        }
    }

    /// What a browser shows, and what is copied.
    fn text_of(html: &str) -> String {
        let parts = html.split('<').enumerate().map(|(index, part)| match index {
            0 => part,
            _ => part.split_once('>').map_or(part, |(_, text)| text),
        });
        let text: String = parts.collect();
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
    }
}
