//! Addresses where somebody decides: whole, in groups of four that can be compared.
//!
//! The groups are set apart by style alone: what is selected, copied or read out is the plain address.

use leptos::prelude::*;

use super::markup::escaped;

/// Digits of an address, and of 32 bytes, behind `0x`.
const LENGTHS: [usize; 2] = [40, 64];
/// Digits that are looked at together.
const GROUP: usize = 4;

/// An address, or 32 bytes, in groups.
pub fn grouped(value: &str) -> AnyView {
    let html = grouped_html(value);
    view! { <span inner_html=html></span> }.into_any()
}

/// What is not to be translated, with each address in it whole and in groups, as the content of an element.
pub(super) fn verbatim_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => {
                for part in ["<span translate=\"no\">", &escaped(text), "</span>"] {
                    html.push_str(part);
                }
            }
            Piece::Digits(digits) => html.push_str(&grouped_html(digits)),
        }
    }
    html
}

fn grouped_html(value: &str) -> String {
    let shown = escaped(value);
    let mut html = ["<span class=\"whole mono\" translate=\"no\" dir=\"ltr\" data-value=\"", &shown, "\">"].concat();
    let digits = value.strip_prefix("0x").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    match digits.and_then(|_| value.split_at_checked(2 + GROUP)) {
        Some((head, rest)) => {
            let groups = (0..rest.len()).step_by(GROUP).filter_map(|at| rest.get(at..rest.len().min(at + GROUP)));
            for group in std::iter::once(head).chain(groups) {
                for part in ["<span>", group, "</span><wbr>"] {
                    html.push_str(part);
                }
            }
        }
        // No address after all: nothing of it may be lost.
        None => html.push_str(&shown),
    }
    html.push_str("</span>");
    html
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Digits(&'a str),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut from, mut at) = (Vec::new(), 0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("0x")) {
        let start = at + found;
        let digits = text[start + 2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        at = start + 2 + digits;
        if LENGTHS.contains(&digits) {
            if from < start {
                pieces.push(Piece::Text(&text[from..start]));
            }
            pieces.push(Piece::Digits(&text[start..at]));
            from = at;
        }
    }
    if from < text.len() {
        pieces.push(Piece::Text(&text[from..]));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::{
        Piece::{Digits, Text},
        grouped_html, pieces,
    };

    #[test]
    fn what_is_no_address_is_shown_whole_and_is_no_markup() {
        let shown = |value: &str| {
            let html = grouped_html(value);
            let inner = html.split_once("\">").map_or("", |(_, inner)| inner).to_owned();
            ["<span>", "</span>", "<wbr>"].iter().fold(inner, |text, mark| text.replace(mark, ""))
        };
        let address = "0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e";
        for whole in [address, "0x12", "", "0x123é5678", "0x€€€€€€€€", "éééééééé", "not an address at all"]
        {
            assert_eq!(shown(whole), whole);
        }
        assert_eq!(shown("<b>\"&"), "&lt;b>&quot;&amp;");
        assert_eq!(grouped_html(address).matches("<wbr>").count(), 10);
    }

    #[test]
    fn addresses_are_found_in_sentences_and_nothing_is_lost() {
        let address = "0x1758f42Af7026fBbB559Dc60EcE0De3ef81f665e";
        let word = ["0x", &"ab".repeat(32)].concat();
        let text = ["recipient must be ", address, ", not ", &word, "; é 0x12 0x"].concat();
        assert_eq!(
            pieces(&text),
            [Text("recipient must be "), Digits(address), Text(", not "), Digits(&word), Text("; é 0x12 0x")]
        );
        assert_eq!(pieces(address), [Digits(address)]);
        assert_eq!(pieces(""), []);
        for odd in ["0x0x", "0", "é0xé", &["0x", &"1".repeat(41)].concat()] {
            assert_eq!(pieces(odd), [Text(odd)]);
        }
    }
}
