//! Which texts in `view!` a translated page would freeze: text that may change, and is not an element's whole content
//! (`live` and `verbatim` in `components/live_text.rs` are).

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Words that only an expression with a view in it has.
const VIEW_MAKING: [&str; 8] =
    ["live", "verbatim", "into_any", "collect_view", "AnyView", "IntoView", "Children", "ChildrenFn"];

/// Functions of a source that make views: `fn f() -> AnyView`.
pub fn view_functions(source: &TokenStream) -> BTreeSet<String> {
    let mut functions = BTreeSet::new();
    each_name(source, &mut |word, name, rest| {
        let head = rest.iter().take_while(|token| !is_group(token, Delimiter::Brace)).cloned().collect();
        if word == "fn" && makes_view(&head, &BTreeSet::new()) {
            functions.insert(name);
        }
    });
    functions
}

/// All that are views in a source: its own functions, those of `others` that it imports, and what it names:
/// `let v = move || view! { … };`, `v: AnyView`. A name that is given to other things as well is none of them.
pub fn views(source: &TokenStream, others: &BTreeSet<String>) -> BTreeSet<String> {
    let mut known = view_functions(source);
    each_name(source, &mut |word, _, rest| {
        if word == "use" {
            idents(&rest.iter().take_while(|token| !is_punct(Some(token), ';')).cloned().collect(), &mut |name| {
                known.extend(others.get(&name).cloned());
            });
        }
    });
    let mut other = BTreeSet::new();
    each_name(source, &mut |word, name, rest| {
        let is_view = match word {
            "let" => {
                makes_view(&rest.iter().take_while(|token| !is_punct(Some(token), ';')).cloned().collect(), &known)
            }
            ":" => makes_view(
                // Of a closure's argument it is the type, and not what the closure makes of it.
                &rest
                    .iter()
                    .take_while(|token| !is_punct(Some(token), ',') && !is_punct(Some(token), '|'))
                    .cloned()
                    .collect(),
                &BTreeSet::new(),
            ),
            _ => return,
        };
        if is_view {
            known.insert(name);
        } else if word == "let" {
            other.insert(name);
        }
    });
    &known - &other
}

/// Calls with each `fn`, `let` or `use`, the name behind it and all that follows; and so for `name: …`, as `:`.
fn each_name(source: &TokenStream, then: &mut dyn FnMut(&str, String, &[TokenTree])) {
    let tokens: Vec<TokenTree> = source.clone().into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => each_name(&group.stream(), then),
            TokenTree::Ident(word) => {
                let (word, rest) = (word.to_string(), tokens.get(index + 1..).unwrap_or_default());
                match rest {
                    [TokenTree::Ident(name), rest @ ..] if ["fn", "let"].contains(&word.as_str()) => {
                        then(&word, name.to_string(), rest);
                    }
                    rest if word == "use" => then("use", String::new(), rest),
                    [colon, next, ..] if is_punct(Some(colon), ':') && !is_punct(Some(next), ':') => {
                        then(":", word, &rest[1..]);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

fn idents(tokens: &TokenStream, then: &mut dyn FnMut(String)) {
    for token in tokens.clone() {
        match token {
            TokenTree::Ident(name) => then(name.to_string()),
            TokenTree::Group(group) => idents(&group.stream(), then),
            _ => {}
        }
    }
}

/// Every text that would freeze, with its line.
pub fn frozen(source: TokenStream, known: &BTreeSet<String>) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let tokens: Vec<TokenTree> = source.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else {
            // Text as a branch of its own: it has no element that could be taken out.
            let is_plain = match token {
                TokenTree::Ident(name) => {
                    !index.checked_sub(1).is_some_and(|at| is_punct(tokens.get(at), '.'))
                        && !known.contains(&name.to_string())
                }
                token => is_text(token),
            };
            if is_plain
                && is_punct(tokens.get(index + 1), '.')
                && tokens.get(index + 2).is_some_and(|token| is_ident(token, "into_any"))
            {
                found.push((token.span().start().line, token.to_string()));
            }
            continue;
        };
        let is_view = index > 1 && is_ident(&tokens[index - 2], "view") && is_punct(tokens.get(index - 1), '!');
        if is_view {
            nodes(group, known, &mut found);
        }
        found.extend(frozen(group.stream(), known));
    }
    found
}

/// The nodes of one `view!`.
fn nodes(markup: &Group, known: &BTreeSet<String>, found: &mut Vec<(usize, String)>) {
    let tokens: Vec<TokenTree> = markup.stream().into_iter().collect();
    // Whether each open tag is an HTML element.
    let mut open: Vec<bool> = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => {
                let is_end = is_punct(tokens.get(at), '/');
                let is_element = matches!(tokens.get(at), Some(TokenTree::Ident(name))
                    if name.to_string().starts_with(char::is_lowercase));
                at = behind_tag(&tokens, at);
                let is_closed = is_punct(tokens.get(at.saturating_sub(2)), '/');
                if is_end {
                    open.pop();
                } else if !is_closed {
                    open.push(is_element);
                }
            }
            token if is_text(token) && open.last() != Some(&true) => {
                found.push((token.span().start().line, token.to_string()));
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !makes_view(&group.stream(), known) => {
                found.push((group.span_open().start().line, group.to_string()));
            }
            _ => {}
        }
    }
}

/// The place behind the `>` of a tag.
fn behind_tag(tokens: &[TokenTree], mut at: usize) -> usize {
    let mut depth = 0;
    while let Some(token) = tokens.get(at) {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        at += 1;
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '<' => depth += 1,
            // `=>` and `->` end nothing.
            TokenTree::Punct(punct) if punct.as_char() == '>' && !is_punct(before, '=') && !is_punct(before, '-') => {
                if depth == 0 {
                    return at;
                }
                depth -= 1;
            }
            _ => {}
        }
    }
    at
}

fn makes_view(expression: &TokenStream, known: &BTreeSet<String>) -> bool {
    let tokens: Vec<TokenTree> = expression.clone().into_iter().collect();
    tokens.iter().enumerate().any(|(index, token)| match token {
        TokenTree::Ident(name) => {
            let name = name.to_string();
            let is_member = index > 0 && is_punct(tokens.get(index - 1), '.');
            let is_method =
                is_member && tokens.get(index + 1).is_some_and(|token| is_group(token, Delimiter::Parenthesis));
            VIEW_MAKING.contains(&name.as_str())
                || (name == "view" && (is_method || is_punct(tokens.get(index + 1), '!')))
                || ((is_method || !is_member) && known.contains(&name))
        }
        TokenTree::Group(group) => makes_view(&group.stream(), known),
        _ => false,
    })
}

fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}

fn is_ident(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == name)
}

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

fn is_text(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Literal(literal) if literal.to_string().starts_with('"'))
}
