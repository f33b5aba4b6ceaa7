//! Text that stays right on a page that the browser translates.
//!
//! Translators put elements of their own in the place of text nodes. Whoever keeps a text node and writes to it later
//! writes to something that nobody sees. So text that may change is an element here, and its content is set as a whole.

use leptos::prelude::*;

use super::{markup::escaped, whole_address::verbatim_html};

/// Words for people: a translator may translate them, but not the numbers, amounts and names in them, nor the addresses,
/// which stand there whole and in groups.
pub fn live(text: impl AsRef<str>) -> AnyView {
    let html = words_html(text.as_ref());
    view! { <span inner_html=html></span> }.into_any()
}

/// What means the same in every language, and must not be translated: an address, a hash, an amount, a symbol, a name.
pub fn verbatim(text: impl AsRef<str>) -> AnyView {
    let html = escaped(text.as_ref());
    view! { <span translate="no" inner_html=html></span> }.into_any()
}

/// The same with the parts marked that are not to be translated.
fn words_html(text: &str) -> String {
    let words = words(text);
    let mut html = String::with_capacity(text.len());
    let mut rest = words.as_slice();
    while let Some((first, behind)) = rest.split_first() {
        if !first.fixed {
            html.push_str(&escaped(&[first.before, first.core, first.after].concat()));
            rest = behind;
            continue;
        }
        // Neighbours with nothing but a space between them are one.
        let joined = |pair: &[Word<'_>]| pair[1].fixed && pair[0].after == " " && pair[1].before.is_empty();
        let count = 1 + rest.windows(2).take_while(|pair| joined(pair)).count();
        let (run, behind) = rest.split_at(count);
        let inner = run.iter().map(|word| word.core).collect::<Vec<_>>().join(" ");
        let after = run.last().map_or("", |last| last.after);
        for part in [escaped(first.before), verbatim_html(&inner), escaped(after)] {
            html.push_str(&part);
        }
        rest = behind;
    }
    html
}

/// A word with the punctuation and space around it.
struct Word<'a> {
    before: &'a str,
    core: &'a str,
    after: &'a str,
    fixed: bool,
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut quoted = false;
    for whole in text.split_inclusive(' ') {
        let start = whole.len() - whole.trim_start_matches(is_bracket).len();
        let is_end = |letter| is_bracket(letter) || ".,;:?! ".contains(letter);
        let end = whole.trim_end_matches(is_end).len().max(start);
        let (before, core, after) = (&whole[..start], &whole[start..end], &whole[end..]);
        quoted |= before.contains('“');
        let last = words.last();
        let fixed = !core.is_empty()
            && (quoted
                || is_fixed(core)
                || (is_symbol(core) && last.is_some_and(|last| last.fixed && last.after == " "))
                // “May call transfer”: its name, not the verb.
                || last.is_some_and(|last| last.core == "call") && words.len() > 1 && is_may(&words[words.len() - 2]));
        quoted &= !after.contains('”');
        if core.starts_with("0x") && before.contains('(') {
            // A name stands before its address: on Demo token (0x17…5e).
            let name = words.iter().rev().take(4).position(|word| is_before_name(word.core));
            let length = words.len();
            words.iter_mut().skip(length - name.unwrap_or(0)).for_each(|word| word.fixed = true);
        }
        words.push(Word { before, core, after, fixed });
    }
    words
}

fn is_may(word: &Word<'_>) -> bool {
    word.core.eq_ignore_ascii_case("may")
}

fn is_before_name(word: &str) -> bool {
    matches!(word, "on" | "to" | "of" | "from" | "be")
}

fn is_bracket(letter: char) -> bool {
    matches!(letter, '(' | ')' | '[' | ']' | '“' | '”')
}

/// A number, an address, or a name out of code: `2.5`, `0x1758…665e`, `safeMint`, `valid_until`.
fn is_fixed(word: &str) -> bool {
    let is_hump = |pair: (char, char)| pair.0.is_lowercase() && pair.1.is_uppercase();
    word.contains(|letter: char| letter.is_numeric() || letter == '_')
        || word.chars().zip(word.chars().skip(1)).any(is_hump)
}

/// A unit behind an amount: `DUSD`, `USD₮0`.
fn is_symbol(word: &str) -> bool {
    word.chars().filter(|letter| letter.is_uppercase()).count() > 1 || word.contains(|letter: char| !letter.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With `{}` for what is marked.
    fn marked(text: &str) -> String {
        words_html(text).replace("<span translate=\"no\">", "{").replace("</span>", "}")
    }

    #[test]
    fn what_is_no_language_is_marked() {
        for (text, with_marks) in [
            ("Preparing: limits are looked up.", "Preparing: limits are looked up."),
            ("Asked for: 2.5 DUSD. You can allow less.", "Asked for: {2.5 DUSD}. You can allow less."),
            ("Ends in 59 min 58 s", "Ends in {59} min {58} s"),
            ("may send 3 USD₮0, never more", "may send {3 USD₮0}, never more"),
            ("Take back “Demo mint”?", "Take back “{Demo mint}”?"),
            ("May call safeMint on it (0x17…5e) now", "May call {safeMint} on {it} ({0x17…5e}) now"),
            ("May call transfer on Demo token (0x17…5e) only", "May call {transfer} on {Demo token} ({0x17…5e}) only"),
            ("It may send at most 1 ETH per call. It goes on", "It may send at most {1 ETH} per call. It goes on"),
            ("one two three four five (0x17…5e)", "one two three four five ({0x17…5e})"),
            ("", ""),
            ("  ", "  "),
        ] {
            assert_eq!(marked(text), with_marks, "{text}");
        }
    }

    #[test]
    fn no_text_is_markup_and_none_is_lost() {
        let holds = |text: &str| {
            for html in [words_html(text), escaped(text)] {
                let shown = html.replace("<span translate=\"no\">", "").replace("</span>", "");
                assert!(!shown.contains('<'), "{html}");
                assert_eq!(shown.replace("&lt;", "<").replace("&quot;", "\"").replace("&amp;", "&"), text);
            }
        };
        holds("<img src=x onerror=alert(1)> & “<b>” 3 <i> &lt; </span>");
        proptest::proptest!(|(text in "[a-zA-Z0-9<>&“”()\"/ ,.]{0,40}")| holds(&text));
    }

    #[cfg(feature = "ssr")]
    #[test]
    fn the_server_writes_the_same() {
        assert_eq!(
            live("3 < 4").to_html(),
            "<span><span translate=\"no\">3</span> &lt; <span translate=\"no\">4</span></span>"
        );
        assert!(verbatim("a&b").to_html().contains("a&amp;b"));
    }
}
