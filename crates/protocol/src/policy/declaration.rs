//! Functions as people write them down: `transfer(address to, uint256 amount) external returns (bool)`.

use crate::ProtocolError;

/// What is expected of a function that is named.
pub(super) const EXPECTED: &str = "a function signature such as transfer(address,uint256), or four bytes of hex";
/// Nesting beyond this is no function that anyone means.
pub(super) const MAX_DEPTH: usize = 16;

/// Words that may stand behind a type and name nothing.
const NO_NAMES: [&str; 5] = ["calldata", "memory", "storage", "payable", "indexed"];

/// A function's name and parameters. The word `function`, modifiers and results are left out, aliases are expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Declaration<'a> {
    name: &'a str,
    parameters: Vec<Parameter<'a>>,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parameter<'a> {
    /// Its name; empty where it has none.
    name: &'a str,
    base: Base<'a>,
    /// `""`, `[]`, `[3]`, `[][2]` …
    suffix: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Base<'a> {
    /// Canonical name of its type.
    Elementary(String),
    Tuple(Vec<Parameter<'a>>),
}

/// An argument that stands in one 32-byte word, always at the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedWord {
    /// Names on the way to it, divided by dots where it is a member of a tuple.
    pub path: String,
    /// Bytes after the selector.
    pub offset: u32,
    /// Canonical name of its type.
    pub kind: String,
}

impl<'a> Declaration<'a> {
    /// # Errors
    /// `Invalid` for what is no declaration of a function.
    pub(super) fn parse(text: &'a str) -> Result<Self, ProtocolError> {
        Self::read(text).ok_or_else(|| ProtocolError::invalid("functionSelector", EXPECTED, text))
    }

    fn read(text: &'a str) -> Option<Self> {
        let trimmed = text.trim();
        let declaration = match trimmed.strip_prefix("function") {
            Some(rest) if rest.starts_with(char::is_whitespace) => rest.trim_start(),
            _ => trimmed,
        };
        let (name, rest) = declaration.split_once('(')?;
        let name = name.trim();
        let (parameters, tail) = split_at_closing(rest)?;
        (is_identifier(name) && is_tail(tail)).then_some(())?;
        Some(Self { name, parameters: parameters_of(parameters, 0)? })
    }

    /// Name and canonical types: what the selector is the hash of.
    pub(super) fn canonical_of(text: &'a str) -> Result<String, ProtocolError> {
        let declaration = Self::parse(text)?;
        Ok(format!("{}({})", declaration.name, types(&declaration.parameters)))
    }

    /// The arguments that can be told by one word each. What has no name, and what stands behind a pointer, is not among
    /// them: nothing can be said of it by its place alone.
    pub(super) fn named_words(&self) -> Vec<NamedWord> {
        let mut words = Vec::new();
        add_named_words(&self.parameters, "", 0, &mut words);
        words
    }
}

/// Adds those of this list, which begins at `offset`; answers where it ends, or `None` when that is beyond any call data.
fn add_named_words(list: &[Parameter<'_>], prefix: &str, mut offset: u32, words: &mut Vec<NamedWord>) -> Option<u32> {
    for parameter in list {
        let path = match (prefix, parameter.name) {
            ("", name) => name.to_owned(),
            (prefix, name) => [prefix, ".", name].concat(),
        };
        let end = offset.checked_add(parameter.head()?)?;
        if !parameter.name.is_empty() && parameter.suffix.is_empty() && !parameter.is_dynamic() {
            match &parameter.base {
                Base::Elementary(kind) => words.push(NamedWord { path, offset, kind: kind.clone() }),
                Base::Tuple(members) => drop(add_named_words(members, &path, offset, words)),
            }
        }
        offset = end;
    }
    Some(offset)
}

impl Parameter<'_> {
    fn canonical(&self) -> String {
        match &self.base {
            Base::Elementary(kind) => [kind, self.suffix].concat(),
            Base::Tuple(members) => format!("({}){}", types(members), self.suffix),
        }
    }

    /// Its content stands behind a pointer.
    fn is_dynamic(&self) -> bool {
        let of_any_length = self.suffix.split_terminator(']').any(|count| count == "[");
        of_any_length
            || match &self.base {
                Base::Elementary(kind) => matches!(kind.as_str(), "bytes" | "string"),
                Base::Tuple(members) => members.iter().any(Self::is_dynamic),
            }
    }

    /// Bytes that it takes in place; `None` when no call data is as long.
    fn head(&self) -> Option<u32> {
        if self.is_dynamic() {
            return Some(32);
        }
        let one = match &self.base {
            Base::Elementary(_) => 32,
            Base::Tuple(members) => members.iter().try_fold(0_u32, |sum, member| sum.checked_add(member.head()?))?,
        };
        let mut counts = self.suffix.split_terminator(']').map(|count| count.trim_start_matches('[').parse().ok());
        counts.try_fold(one, |size, count: Option<u32>| size.checked_mul(count?))
    }
}

fn types(parameters: &[Parameter<'_>]) -> String {
    parameters.iter().map(Parameter::canonical).collect::<Vec<_>>().join(",")
}

fn is_identifier(name: &str) -> bool {
    let ok = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(ok)
}

/// What may follow the parameters: modifiers, `returns (…)`, a semicolon.
fn is_tail(tail: &str) -> bool {
    tail.chars().all(|c| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || "_$(),[];".contains(c))
        && (tail.is_empty() || tail.starts_with(|c: char| c.is_ascii_whitespace() || c == ';'))
}

/// Splits behind the parenthesis that closes the one already open.
fn split_at_closing(text: &str) -> Option<(&str, &str)> {
    let mut depth = 1usize;
    for (index, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((text.get(..index)?, text.get(index + 1..)?));
        }
    }
    None
}

fn parameters_of(list: &str, depth: usize) -> Option<Vec<Parameter<'_>>> {
    if depth > MAX_DEPTH {
        return None;
    }
    if list.trim().is_empty() {
        return Some(Vec::new());
    }
    let mut parameters = Vec::new();
    let mut start = 0;
    let mut open = 0usize;
    for (index, character) in list.char_indices() {
        match character {
            '(' => open += 1,
            ')' => open = open.checked_sub(1)?,
            ',' if open == 0 => {
                parameters.push(parameter(list.get(start..index)?, depth)?);
                start = index + 1;
            }
            _ => {}
        }
    }
    parameters.push(parameter(list.get(start..)?, depth)?);
    Some(parameters)
}

fn parameter(text: &str, depth: usize) -> Option<Parameter<'_>> {
    let text = text.trim();
    let inner = text.strip_prefix("tuple").map_or(text, str::trim_start);
    let (base, suffix, words) = match inner.strip_prefix('(') {
        Some(rest) => {
            let (components, rest) = split_at_closing(rest)?;
            let suffix_end = rest.find(|c: char| !c.is_ascii_digit() && c != '[' && c != ']').unwrap_or(rest.len());
            let (suffix, words) = rest.split_at_checked(suffix_end)?;
            (words.is_empty() || words.starts_with(char::is_whitespace)).then_some(())?;
            (Base::Tuple(parameters_of(components, depth + 1)?), suffix, words)
        }
        None => {
            let (kind, words) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
            let (base, suffix) = kind.split_at_checked(kind.find('[').unwrap_or(kind.len()))?;
            (Base::Elementary(elementary_type(base)?), suffix, words)
        }
    };
    (is_array_suffix(suffix) && words.split_whitespace().all(is_identifier)).then_some(())?;
    // Words before the name say where it is: `string calldata text`. Such a word alone is no name.
    let name = words.split_whitespace().next_back().filter(|word| !NO_NAMES.contains(word)).unwrap_or_default();
    Some(Parameter { name, base, suffix })
}

/// `""`, `[]`, `[3]`, `[][2]` …
fn is_array_suffix(suffix: &str) -> bool {
    let mut rest = suffix;
    while let Some(inner) = rest.strip_prefix('[') {
        let Some((size, tail)) = inner.split_once(']') else { return false };
        if !size.chars().all(|c| c.is_ascii_digit()) || size.starts_with('0') {
            return false;
        }
        rest = tail;
    }
    rest.is_empty()
}

/// The canonical name of an elementary type; `None` when there is no such type.
fn elementary_type(name: &str) -> Option<String> {
    let sized = |prefix: &str, ok: &dyn Fn(u16) -> bool| {
        let digits = name.strip_prefix(prefix)?;
        let plain = !digits.starts_with('0') && digits.chars().all(|c| c.is_ascii_digit());
        digits.parse().ok().filter(|size| plain && ok(*size)).map(|_| name.to_owned())
    };
    match name {
        "uint" => Some("uint256".into()),
        "int" => Some("int256".into()),
        "byte" => Some("bytes1".into()),
        "address" | "bool" | "string" | "bytes" | "function" => Some(name.into()),
        _ => sized("uint", &|size| size <= 256 && size % 8 == 0)
            .or_else(|| sized("int", &|size| size <= 256 && size % 8 == 0))
            .or_else(|| sized("bytes", &|size| size <= 32)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn words(text: &str) -> Vec<(String, u32, String)> {
        let words = Declaration::parse(text).unwrap().named_words();
        words.into_iter().map(|word| (word.path, word.offset, word.kind)).collect()
    }

    #[test]
    fn arguments_have_the_places_that_the_abi_gives_them() {
        let word = |path: &str, offset, kind: &str| (path.to_owned(), offset, kind.to_owned());
        assert_eq!(
            words("function transfer(address to, uint amount) external returns (bool)"),
            [word("to", 0, "address"), word("amount", 32, "uint256")]
        );
        // What is dynamic takes one word in place; static tuples and arrays take all of theirs.
        let long = "f(string calldata text, uint8[3] sizes, (address to, (uint sum, bool) pair) order, bytes4 last)";
        assert_eq!(
            words(long),
            [word("order.to", 128, "address"), word("order.pair.sum", 160, "uint256"), word("last", 224, "bytes4")]
        );
        // A dynamic tuple stands elsewhere, and so do its members.
        assert_eq!(words("f((address to, bytes data) call, bool flag)"), [word("flag", 32, "bool")]);
        assert_eq!(words("f(address,uint256)"), []);
    }

    #[test]
    fn a_word_of_the_language_is_no_name() {
        for nameless in
            ["f(address payable)", "f((uint256 a) calldata)", "f(tuple(uint256 a) memory)", "f(uint256 indexed)"]
        {
            assert_eq!(words(nameless), [], "{nameless}");
        }
        let word = |path: &str, offset, kind: &str| (path.to_owned(), offset, kind.to_owned());
        assert_eq!(words("f(address payable to, bool)"), [word("to", 0, "address")]);
        assert_eq!(words("f((uint256 a) calldata order)"), [word("order.a", 0, "uint256")]);
        // A name that only begins as one.
        assert_eq!(words("f(address payableTo, (bool memory) storage_)").len(), 1);
    }

    #[test]
    fn sizes_beyond_anything_end_the_list() {
        assert_eq!(words("f(bool first, uint[4294967295] many, bool flag)").len(), 1);
        assert_eq!(words("f(uint[134217726] many, bool here, bool there)").len(), 1);
    }
}
