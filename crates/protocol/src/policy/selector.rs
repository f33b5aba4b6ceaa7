//! Function selectors from signatures as people write them.

use alloy::primitives::keccak256;
use serde_json::Value;

use super::declaration::{Declaration, EXPECTED, MAX_DEPTH};
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

impl FunctionSelector {
    /// The four bytes that begin the call data.
    pub fn selector(&self) -> Result<[u8; 4], ProtocolError> {
        match self {
            Self::Raw(selector) => Ok(*selector),
            Self::Signature(text) => {
                if text.starts_with("0x") {
                    return raw_selector(text);
                }
                let hash = keccak256(Declaration::canonical_of(text)?);
                hash.first_chunk().copied().ok_or_else(|| ProtocolError::invalid("functionSelector", EXPECTED, text))
            }
        }
    }

    /// The canonical signature, when it is known: `transfer(address,uint256)`.
    pub fn canonical(&self) -> Option<String> {
        match self {
            Self::Raw(_) => None,
            Self::Signature(text) => Declaration::canonical_of(text).ok(),
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
                    Declaration::canonical_of(&signature).map(Self::Signature)
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
