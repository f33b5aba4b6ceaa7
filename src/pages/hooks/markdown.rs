//! The little markdown that documentation comments use: code and links to code.

use leptos::prelude::*;

/// One paragraph: `code` as code, links to items of the crate as the code of their text.
pub(super) fn inline(text: &str) -> AnyView {
    let pieces = pieces(text).into_iter().map(|piece| match piece {
        Piece::Text(text) => text.into_any(),
        Piece::Code(code) => view! { <code translate="no">{code}</code> }.into_any(),
    });
    pieces.collect::<Vec<_>>().into_any()
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Code(String),
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut found = Vec::new();
    for (index, part) in without_links(text).split('`').enumerate() {
        match index % 2 {
            _ if part.is_empty() => {}
            0 => found.push(Piece::Text(part.to_owned())),
            _ => found.push(Piece::Code(part.to_owned())),
        }
    }
    found
}

/// Links without what makes them links: [`text`] and [`text`](target) become `text`.
fn without_links(text: &str) -> String {
    let mut parts = text.split("[`");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((code, rest)) = part.split_once("`]") else {
            out += &["[`", part].concat();
            continue;
        };
        let rest = match rest.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, after)) => after,
            None => rest,
        };
        out += &["`", code, "`", rest].concat();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_links_to_code() {
        let text = |text: &str| Piece::Text(text.into());
        let code = |code: &str| Piece::Code(code.into());
        assert_eq!(
            pieces("Faster than [`mutate`](Self::mutate), see [`reset`]; `None`: the default."),
            [
                text("Faster than "),
                code("mutate"),
                text(", see "),
                code("reset"),
                text("; "),
                code("None"),
                text(": the default.")
            ]
        );
        assert_eq!(pieces("plain [0] (x)"), [text("plain [0] (x)")]);
    }
}
