//! Function selectors from signatures as people write them.

use alloy::primitives::keccak256;
use serde_json::Value;

use crate::ProtocolError;

/// Which function: its selector, or its signature.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FunctionSelector {
    /// The four bytes.
    Raw([u8; 4]),
    /// A signature such as `transfer(address to, uint amount) external returns (bool)`; the word
    /// `function`, names, modifiers and results are ignored, aliases are expanded. Also `0x…` with
    /// exactly four bytes.
    Signature(String),
}

const EXPECTED: &str = "a function signature such as transfer(address,uint256), or four bytes of hex";

impl FunctionSelector {
    /// The four bytes that begin the call data.
    pub fn selector(&self) -> Result<[u8; 4], ProtocolError> {
        match self {
            Self::Raw(selector) => Ok(*selector),
            Self::Signature(text) => {
                if text.starts_with("0x") {
                    return raw_selector(text);
                }
                let hash = keccak256(canonical_signature(text)?);
                hash.first_chunk().copied().ok_or_else(|| ProtocolError::invalid("functionSelector", EXPECTED, text))
            }
        }
    }

    /// The canonical signature, when it is known: `transfer(address,uint256)`.
    pub fn canonical(&self) -> Option<String> {
        match self {
            Self::Raw(_) => None,
            Self::Signature(text) => canonical_signature(text).ok(),
        }
    }

    /// What `@biconomy/use-aa`'s type allows: a signature, `{"raw": "0x…"}` (four bytes, which `@biconomy/use-aa` does
    /// not check), or an ABI entry of JSON.
    pub fn from_use_aa_json(value: &Value) -> Result<Self, ProtocolError> {
        let invalid = || ProtocolError::invalid("functionSelector", EXPECTED, value);
        match value {
            Value::String(text) => {
                let selector = Self::Signature(text.clone());
                selector.selector().map(|_| selector)
            }
            Value::Object(object) => match (object.get("raw"), object.get("name")) {
                (Some(Value::String(raw)), _) => raw_selector(raw).map(Self::Raw),
                (None, Some(Value::String(name))) => {
                    let inputs = object.get("inputs").and_then(Value::as_array).ok_or_else(invalid)?;
                    let types = inputs.iter().map(|input| abi_type(input, 0)).collect::<Option<Vec<_>>>();
                    let signature = format!("{name}({})", types.ok_or_else(invalid)?.join(","));
                    canonical_signature(&signature).map(Self::Signature)
                }
                _ => Err(invalid()),
            },
            _ => Err(invalid()),
        }
    }
}

fn raw_selector(text: &str) -> Result<[u8; 4], ProtocolError> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let mut selector = [0; 4];
    hex::decode_to_slice(digits, &mut selector)
        .map_err(|_| ProtocolError::invalid("functionSelector", "exactly four bytes of hex", text))?;
    Ok(selector)
}

/// Nesting beyond this is no function that anyone means.
const MAX_DEPTH: usize = 16;

/// Canonical type of an ABI parameter of JSON; tuples by their components.
fn abi_type(input: &Value, depth: usize) -> Option<String> {
    let name = input.get("type")?.as_str()?;
    match name.strip_prefix("tuple") {
        Some(suffix) if depth < MAX_DEPTH => {
            let components = input.get("components")?.as_array()?;
            let types = components.iter().map(|part| abi_type(part, depth + 1)).collect::<Option<Vec<_>>>()?;
            Some(format!("({}){suffix}", types.join(",")))
        }
        Some(_) => None,
        None => Some(name.to_owned()),
    }
}

/// Reduces a signature to name and canonical types.
fn canonical_signature(text: &str) -> Result<String, ProtocolError> {
    let invalid = || ProtocolError::invalid("functionSelector", EXPECTED, text);
    let trimmed = text.trim();
    let declaration = match trimmed.strip_prefix("function") {
        Some(rest) if rest.starts_with(char::is_whitespace) => rest.trim_start(),
        _ => trimmed,
    };
    let (name, rest) = declaration.split_once('(').ok_or_else(invalid)?;
    let name = name.trim();
    if !is_identifier(name) {
        return Err(invalid());
    }
    let (parameters, tail) = split_at_closing(rest).ok_or_else(invalid)?;
    if !is_tail(tail) {
        return Err(invalid());
    }
    let types = parameter_types(parameters, 0).ok_or_else(invalid)?;
    Ok(format!("{name}({types})"))
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

/// Canonical types of a parameter list, joined by commas.
fn parameter_types(list: &str, depth: usize) -> Option<String> {
    if depth > MAX_DEPTH {
        return None;
    }
    if list.trim().is_empty() {
        return Some(String::new());
    }
    let mut types = Vec::new();
    let mut start = 0;
    let mut open = 0usize;
    for (index, character) in list.char_indices() {
        match character {
            '(' => open += 1,
            ')' => open = open.checked_sub(1)?,
            ',' if open == 0 => {
                types.push(parameter_type(list.get(start..index)?, depth)?);
                start = index + 1;
            }
            _ => {}
        }
    }
    types.push(parameter_type(list.get(start..)?, depth)?);
    Some(types.join(","))
}

/// Canonical type of one parameter, whose location and name are dropped.
fn parameter_type(parameter: &str, depth: usize) -> Option<String> {
    let parameter = parameter.trim();
    let inner = parameter.strip_prefix("tuple").map_or(parameter, str::trim_start);
    if let Some(rest) = inner.strip_prefix('(') {
        let (components, rest) = split_at_closing(rest)?;
        let suffix_end = rest.find(|c: char| !c.is_ascii_digit() && c != '[' && c != ']').unwrap_or(rest.len());
        let (suffix, name) = rest.split_at_checked(suffix_end)?;
        let named = name.is_empty() || name.starts_with(char::is_whitespace);
        return (named && is_array_suffix(suffix) && are_words(name))
            .then_some(())
            .and_then(|()| parameter_types(components, depth + 1))
            .map(|types| format!("({types}){suffix}"));
    }
    let mut words = parameter.splitn(2, char::is_whitespace);
    let word = words.next()?;
    if !are_words(words.next().unwrap_or_default()) {
        return None;
    }
    let (base, suffix) = word.split_at_checked(word.find('[').unwrap_or(word.len()))?;
    is_array_suffix(suffix).then_some(())?;
    Some(format!("{}{suffix}", elementary_type(base)?))
}

fn are_words(text: &str) -> bool {
    text.split_whitespace().all(is_identifier)
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
