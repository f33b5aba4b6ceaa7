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
    let mut html = String::with_capacity(text.len());
    let mut fixed = String::new();
    let close = |html: &mut String, fixed: &mut String| {
        // A space between two marked words belongs to them, one behind the last does not.
        let kept = fixed.trim_end_matches(' ');
        if !kept.is_empty() {
            html.push_str(&verbatim_html(kept));
        }
        html.push_str(&fixed[kept.len()..]);
        fixed.clear();
    };
    let mut quoted = false;
    for word in text.split_inclusive(' ') {
        let bare = word.trim_end_matches(' ');
        let start = bare.len() - bare.trim_start_matches(is_bracket).len();
        let end = bare.trim_end_matches(|letter| is_bracket(letter) || ".,;:?!".contains(letter)).len().max(start);
        let core = &bare[start..end];
        quoted |= bare[..start].contains('“');
        if quoted || is_fixed(core) || (is_symbol(core) && fixed.ends_with(' ')) {
            if start > 0 {
                close(&mut html, &mut fixed);
                html.push_str(&escaped(&bare[..start]));
            }
            fixed.push_str(core);
            if end < bare.len() {
                quoted &= !bare[end..].contains('”');
                close(&mut html, &mut fixed);
                html.push_str(&escaped(&bare[end..]));
                html.push_str(&word[bare.len()..]);
            } else {
                fixed.push_str(&word[bare.len()..]);
            }
        } else {
            close(&mut html, &mut fixed);
            html.push_str(&escaped(word));
        }
    }
    close(&mut html, &mut fixed);
    html
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
            ("Take back “Demo  mint”?", "Take back “{Demo  mint}”?"),
            ("May call safeMint on it (0x17…5e) now", "May call {safeMint} on it ({0x17…5e}) now"),
            ("", ""),
            ("  ", "  "),
        ] {
            assert_eq!(marked(text), with_marks, "{text}");
        }
    }

    #[test]
    fn no_text_is_markup_and_none_is_lost() {
        let evil = "<img src=x onerror=alert(1)> & “<b>” 3 <i> &lt;";
        for html in [words_html(evil), escaped(evil)] {
            let text = html.replace("<span translate=\"no\">", "").replace("</span>", "");
            assert!(!text.contains('<'), "{html}");
            assert_eq!(text.replace("&lt;", "<").replace("&quot;", "\"").replace("&amp;", "&"), evil);
        }
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
