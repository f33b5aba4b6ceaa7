//! What the gallery tells about a hook, read from its source: signature, documentation, and the fields of every type
//! it takes and returns. Nothing is written twice, so nothing can drift.

use super::Demo;

/// Types of the crate that appear in signatures of hooks; a type that is none of these is not explained.
const TYPES: &[&str] = &[
    include_str!("../hooks/mutation.rs"),
    include_str!("../hooks/mutation/options.rs"),
    include_str!("../hooks/mutation/state.rs"),
    include_str!("../hooks/query.rs"),
    include_str!("../hooks/query/options.rs"),
    include_str!("../hooks/query_status.rs"),
    include_str!("../hooks/user_op_status.rs"),
    include_str!("../hooks/variables.rs"),
    include_str!("../../crates/actions/src/create_batch_session.rs"),
    include_str!("../../crates/actions/src/create_session.rs"),
    include_str!("../../crates/actions/src/deploy.rs"),
    include_str!("../../crates/actions/src/options.rs"),
    include_str!("../../crates/actions/src/restore_sessions.rs"),
    include_str!("../../crates/actions/src/revoke_sessions.rs"),
    include_str!("../../crates/actions/src/send_gas_token_transaction.rs"),
    include_str!("../../crates/actions/src/send_transaction.rs"),
    include_str!("../../crates/actions/src/send_withdrawals.rs"),
    include_str!("../../crates/protocol/src/call.rs"),
    include_str!("../../crates/protocol/src/policy.rs"),
    include_str!("../../crates/protocol/src/policy/erc20.rs"),
    include_str!("../../crates/protocol/src/user_op_response.rs"),
    include_str!("../../crates/protocol/src/paymaster/fee_quote.rs"),
    include_str!("../../crates/protocol/src/rpc.rs"),
];

/// A field of a struct, or a variant of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type as written; empty for a variant.
    pub ty: String,
    /// Its documentation, markdown.
    pub doc: String,
}

/// A struct or enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    /// Its name.
    pub name: String,
    /// Its public fields or variants.
    pub fields: Vec<Field>,
}

/// What is told about a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documentation {
    /// Its signature, as written.
    pub signature: String,
    /// The signature of its other form, which takes options; empty when it has none.
    pub signature_with_options: String,
    /// Its documentation before the example: paragraphs of markdown.
    pub text: Vec<String>,
    /// Its documentation under "Server-Side Rendering".
    pub on_server: String,
    /// Types of its arguments, outermost first, and of their fields.
    pub takes: Vec<Type>,
    /// Types of what it returns.
    pub returns: Vec<Type>,
}

impl Documentation {
    /// Reads it from the hook's file. `None` when the file does not hold the hook, which a test excludes.
    pub fn of(demo: &Demo) -> Option<Self> {
        let lines: Vec<&str> = demo.hook_source.lines().collect();
        let (at, signature) = signature(&lines, demo.hook)?;
        let signature_with_options =
            self::signature(&lines, &[demo.hook, "_with"].concat()).map(|(_, signature)| signature).unwrap_or_default();
        let doc = doc_above(&lines, at);
        let text = doc.split("```").next().unwrap_or_default();
        let on_server = doc.split_once("# Server-Side Rendering").map(|(_, after)| after).unwrap_or_default();
        let (arguments, returned) = signature.split_once("->").unwrap_or((signature.as_str(), ""));
        // What a mutation takes stands among the types of what it returns, too: `UseMutationReturn<Variables, Data>`.
        let (variables, data): (Vec<_>, Vec<_>) =
            names(returned).into_iter().partition(|name| name.ends_with("Variables"));
        let with_options = signature_with_options.split("->").next().unwrap_or_default();
        let arguments = [arguments, with_options].map(names).concat().into_iter();
        let taken = arguments.filter(|name| !data.contains(name) && !variables.contains(name));
        let taken: Vec<_> = variables.iter().cloned().chain(taken).collect();
        let takes = types(taken, demo.hook_source, &[]);
        let returns = types(data, demo.hook_source, &takes);
        Some(Self {
            text: paragraphs(text),
            on_server: paragraphs(on_server).into_iter().next().unwrap_or_default(),
            takes,
            returns,
            signature,
            signature_with_options,
        })
    }
}

/// Where the function stands, and its head as written.
fn signature(lines: &[&str], name: &str) -> Option<(usize, String)> {
    let head = ["pub fn ", name].concat();
    let at = lines.iter().position(|line| line.strip_prefix(&head).is_some_and(is_no_name))?;
    let end = at + lines[at..].iter().position(|line| line.ends_with('{'))?;
    Some((at, lines[at..=end].join("\n").trim_end_matches('{').trim_end().to_owned()))
}

fn is_no_name(rest: &str) -> bool {
    !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// The `///` lines right above line `at`, attributes between them left out; an example out of a file is a code block.
fn doc_above<'a>(lines: &[&'a str], at: usize) -> String {
    let above = lines[..at].iter().rev().take_while(|line| line.starts_with("///") || line.starts_with("#["));
    let text = |line: &&'a str| line.strip_prefix("///").or_else(|| line.starts_with("#[doc = ").then_some("```"));
    let mut doc: Vec<&str> = above.filter_map(text).collect();
    doc.reverse();
    doc.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

fn paragraphs(markdown: &str) -> Vec<String> {
    let blocks = markdown.split("\n\n").map(|block| block.trim().replace('\n', " "));
    blocks.filter(|block| !block.is_empty()).collect()
}

/// All known types of these names, then those that their fields name, without `known`.
fn types(mut waiting: Vec<String>, own: &str, known: &[Type]) -> Vec<Type> {
    let mut found: Vec<Type> = Vec::new();
    while !waiting.is_empty() {
        for name in std::mem::take(&mut waiting) {
            if known.iter().chain(&found).any(|seen| seen.name == name) {
                continue;
            }
            if let Some(found_type) = std::iter::once(&own).chain(TYPES).find_map(|source| type_in(source, &name)) {
                waiting.extend(found_type.fields.iter().flat_map(|field| names(&field.ty)));
                found.push(found_type);
            }
        }
    }
    found
}

/// Words that may name a type.
fn names(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with(char::is_uppercase)).map(str::to_owned).collect()
}

/// The public struct or enum of that name, when `source` declares it.
fn type_in(source: &str, name: &str) -> Option<Type> {
    let lines: Vec<&str> = source.lines().collect();
    let at = lines.iter().position(|line| {
        ["pub struct ", "pub enum "]
            .iter()
            .filter_map(|kind| line.strip_prefix(kind))
            .any(|rest| rest.strip_prefix(name).is_some_and(is_no_name) && !rest.trim_end().ends_with(';'))
    })?;
    let is_enum = lines[at].starts_with("pub enum");
    let body = lines[at + 1..].iter().take_while(|line| **line != "}");
    let (mut fields, mut doc, mut open) = (Vec::new(), Vec::new(), String::new());
    for line in body.filter_map(|line| line.strip_prefix("    ")) {
        if let Some(text) = line.strip_prefix("///") {
            doc.push(text.trim().to_owned());
        } else if line.starts_with("#[") || line.starts_with("//") {
        } else if is_enum {
            let variant: String = line.chars().take_while(|c| c.is_alphanumeric()).collect();
            if !variant.is_empty() {
                fields.push(Field { name: variant, ty: String::new(), doc: std::mem::take(&mut doc).join(" ") });
            }
        } else {
            // A long type goes on in the next line.
            open = [open.as_str(), line.trim()].join(if open.is_empty() { "" } else { " " });
            if let Some(field) = open.strip_suffix(',') {
                if let Some((name, ty)) = field.strip_prefix("pub ").and_then(|field| field.split_once(": ")) {
                    let doc = doc.join(" ");
                    fields.push(Field { name: name.to_owned(), ty: ty.to_owned(), doc });
                }
                doc.clear();
                open.clear();
            }
        }
    }
    (!fields.is_empty()).then(|| Type { name: name.to_owned(), fields })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::demos::DEMOS;

    #[test]
    fn every_hook_is_documented_and_every_field_of_what_it_takes_and_returns() {
        for demo in DEMOS {
            let documentation = Documentation::of(demo).expect(demo.hook);
            assert!(!documentation.text.is_empty(), "{}: what it does", demo.hook);
            assert!(!documentation.on_server.is_empty(), "{}: what it does on the server", demo.hook);
            assert!(!documentation.returns.is_empty(), "{}: what it returns", demo.hook);
            for (of, field) in documentation
                .takes
                .iter()
                .chain(&documentation.returns)
                .flat_map(|ty| ty.fields.iter().map(move |field| (ty, field)))
            {
                assert!(!field.doc.is_empty(), "{}: {}.{} is documented", demo.hook, of.name, field.name);
            }
        }
    }

    #[test]
    fn every_listed_file_declares_a_type_and_a_call_is_told_by_its_fields() {
        for source in TYPES {
            let declares = |line: &str| ["pub struct ", "pub enum "].iter().any(|kind| line.starts_with(kind));
            assert!(source.lines().any(declares), "{:?} declares a type", source.lines().next());
        }
        let documentation = Documentation::of(crate::demos::find("use_session").unwrap()).unwrap();
        let call = documentation.takes.iter().find(|ty| ty.name == "Call").expect("what a session is used for");
        assert_eq!(call.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["to", "value", "data"]);
    }

    #[test]
    fn a_struct_is_read_with_nested_types_and_a_long_line() {
        let source = "/// A.\n#[derive(Clone)]\npub struct Options<V> {\n    /// First\n    /// line.\n    #[serde(default)]\n    \
                      pub one: Option<V>,\n    /// Two.\n    pub two:\n        Vec<Other>,\n    hidden: u8,\n}\n\
                      /// O.\npub enum Other {\n    /// X.\n    X,\n    /// Y.\n    Y(u8),\n}\npub struct OptionsElse;\n";
        let field = |name: &str, ty: &str, doc: &str| Field { name: name.into(), ty: ty.into(), doc: doc.into() };
        let found = types(names("Options<u8>"), source, &[]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].fields, [field("one", "Option<V>", "First line."), field("two", "Vec<Other>", "Two.")]);
        assert_eq!(found[1].fields, [field("X", "", "X."), field("Y", "", "Y.")]);
        assert!(type_in(source, "OptionsElse").is_none());
    }

    #[test]
    fn the_signature_and_the_text_before_the_example() {
        let source = "/// Does it\n/// well.\n///\n/// Twice.\n///\n/// ```\n/// x\n/// ```\n///\n/// # Server-Side \
                      Rendering\n/// Idle.\n///\n/// In React: `useIt`.\npub fn use_it(\n    options: u8,\n) -> u8 {\n";
        let demo = Demo { hook: "use_it", hook_source: source, ..crate::demos::BLANK };
        let documentation = Documentation::of(&demo).unwrap();
        assert_eq!(documentation.signature, "pub fn use_it(\n    options: u8,\n) -> u8");
        assert_eq!(documentation.text, ["Does it well.", "Twice."]);
        assert_eq!(documentation.on_server, "Idle.");
    }

    #[test]
    fn an_example_out_of_a_file_ends_the_text_and_options_come_from_the_other_form() {
        let source = "/// Does it.\n///\n#[doc = concat!(\"```\\n\", include_str!(\"a.rs\"), \"```\")]\n///\n/// # Server-Side \
                      Rendering\n/// Idle.\npub fn use_it() -> u8 {\n}\npub fn use_it_with(options: QueryOptions) -> u8 {\n}\n";
        let demo = Demo { hook: "use_it", hook_source: source, ..crate::demos::BLANK };
        let documentation = Documentation::of(&demo).unwrap();
        assert_eq!(documentation.text, ["Does it."]);
        assert_eq!(documentation.on_server, "Idle.");
        assert_eq!(documentation.signature_with_options, "pub fn use_it_with(options: QueryOptions) -> u8");
        assert_eq!(documentation.takes.first().unwrap().name, "QueryOptions");
    }
}
