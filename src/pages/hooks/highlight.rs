//! Source text as HTML with a class for each kind of word. On the server, once per text; colours are the style sheet's.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxSet};

/// Which grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Language {
    /// Rust.
    Rust,
    /// JavaScript.
    JavaScript,
}

impl Language {
    fn extension(self) -> &'static str {
        match self {
            Self::Rust => "rs",
            Self::JavaScript => "js",
        }
    }
}

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

type Cache = Mutex<HashMap<(Language, &'static str), Arc<str>>>;

/// The text as HTML, made at the first call.
pub(super) fn highlight(language: Language, text: &'static str) -> Arc<str> {
    static CACHE: LazyLock<Cache> = LazyLock::new(Cache::default);
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(cache.entry((language, text)).or_insert_with(|| html(language, text).into()))
}

/// The same for a text that was made, such as a signature.
pub(super) fn html(language: Language, text: &str) -> String {
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
    use super::*;

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
    fn every_demo_keeps_its_text() {
        for demo in crate::demos::DEMOS {
            let html = highlight(Language::Rust, demo.source);
            assert_eq!(text_of(&html), demo.source, "{}", demo.hook);
            assert!(Arc::ptr_eq(&html, &highlight(Language::Rust, demo.source)), "made once");
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
