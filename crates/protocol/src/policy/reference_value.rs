//! Reference words of rules, typed: `@biconomy/use-aa` guesses the type from text and guesses wrong.

use alloy::primitives::{Address, B256, Bytes, FixedBytes, I256, U256};
use serde_json::Value;

use crate::{ProtocolError, quantity};

/// What an argument word is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceValue {
    /// An address: left-padded.
    Address(Address),
    /// An unsigned integer, `uint8` … `uint256`.
    Uint(U256),
    /// A signed integer: two's complement. Mind that the chain compares **unsigned**, so only `=`
    /// and `≠` mean what they say for negative numbers.
    Int(I256),
    /// A boolean: 0 or 1.
    Bool(bool),
    /// `bytes1` … `bytes32`: padded with zeros on the right, as Solidity does.
    BytesN(Bytes),
    /// The word as it is.
    Raw(B256),
}

impl ReferenceValue {
    /// The 32-byte word. Errors name `field`.
    pub fn word(&self, field: &str) -> Result<B256, ProtocolError> {
        Ok(match self {
            Self::Address(address) => address.into_word(),
            Self::Uint(number) => B256::from(*number),
            Self::Int(number) => B256::from(number.into_raw()),
            Self::Bool(flag) => B256::with_last_byte(u8::from(*flag)),
            Self::BytesN(bytes) if bytes.len() <= 32 => B256::right_padding_from(bytes),
            Self::BytesN(bytes) => {
                return Err(ProtocolError::invalid(field, "at most 32 bytes", format!("{} bytes", bytes.len())));
            }
            Self::Raw(word) => *word,
        })
    }

    /// Reads whatever `@biconomy/use-aa`'s type allows, and does the right thing with it:
    ///
    /// | JSON | becomes |
    /// |---|---|
    /// | whole number, also negative | integer (`@biconomy/use-aa` throws) |
    /// | boolean | 0 or 1 (`@biconomy/use-aa` throws) |
    /// | array of byte values | `bytesN`, right-padded (`@biconomy/use-aa` throws) |
    /// | `"0x…"`, up to 32 bytes, odd digit counts too | left-padded, as `@biconomy/use-aa` does |
    /// | decimal digits | that number (`@biconomy/use-aa` reads them as hex) |
    /// | 40 or 64 hex digits without prefix | address or word |
    /// | `{"raw": "0x…"}` | the word; must have 32 bytes (`@biconomy/use-aa` takes any length) |
    /// | `{"bytes": "0x…"}` | `bytesN`, right-padded (ours) |
    pub fn from_use_aa_json(value: &Value) -> Result<Self, ProtocolError> {
        let expected = "a whole number, decimal or 0x-hex text up to 32 bytes, a boolean, bytes or {raw}";
        let invalid = || ProtocolError::invalid("referenceValue", expected, value);
        match value {
            Value::Bool(flag) => Ok(Self::Bool(*flag)),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => Ok(Self::Uint(U256::from(number))),
                (None, Some(number)) => I256::try_from(number).map(Self::Int).map_err(|_| invalid()),
                _ => Err(invalid()),
            },
            Value::String(text) => Self::from_text(text).ok_or_else(invalid),
            Value::Array(items) => {
                let byte = |item: &Value| item.as_u64().and_then(|byte| u8::try_from(byte).ok());
                let bytes = items.iter().map(byte).collect::<Option<Vec<u8>>>();
                bytes.filter(|bytes| bytes.len() <= 32).map(|bytes| Self::BytesN(bytes.into())).ok_or_else(invalid)
            }
            Value::Object(object) => match (object.get("raw"), object.get("bytes")) {
                (Some(Value::String(raw)), None) => raw
                    .parse()
                    .map(Self::Raw)
                    .map_err(|_| ProtocolError::invalid("referenceValue.raw", "exactly 32 bytes of hex", raw)),
                (None, Some(Value::String(bytes))) => {
                    let parsed = bytes.parse::<Bytes>().ok().filter(|bytes| bytes.len() <= 32);
                    parsed
                        .map(Self::BytesN)
                        .ok_or_else(|| ProtocolError::invalid("referenceValue.bytes", "hex of at most 32 bytes", bytes))
                }
                _ => Err(invalid()),
            },
            Value::Null => Err(invalid()),
        }
    }

    /// Text as [`Self::from_use_aa_json`] says.
    fn from_text(text: &str) -> Option<Self> {
        if text.starts_with("0x") || text.starts_with("0X") {
            return if text.len() == 2 { Some(Self::Uint(U256::ZERO)) } else { quantity::parse(text).map(Self::Uint) };
        }
        if let Some(digits) = text.strip_prefix('-').filter(|digits| quantity::parse(digits).is_some()) {
            return I256::from_dec_str(&format!("-{digits}")).ok().map(Self::Int);
        }
        quantity::parse(text).map(Self::Uint).or_else(|| match text.len() {
            40 => text.parse().map(Self::Address).ok(),
            64 => text.parse().map(Self::Raw).ok(),
            _ => None,
        })
    }
}

impl From<Address> for ReferenceValue {
    fn from(address: Address) -> Self {
        Self::Address(address)
    }
}

impl From<U256> for ReferenceValue {
    fn from(number: U256) -> Self {
        Self::Uint(number)
    }
}

impl From<u64> for ReferenceValue {
    fn from(number: u64) -> Self {
        Self::Uint(U256::from(number))
    }
}

impl From<I256> for ReferenceValue {
    fn from(number: I256) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for ReferenceValue {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl<const N: usize> From<FixedBytes<N>> for ReferenceValue {
    fn from(bytes: FixedBytes<N>) -> Self {
        Self::BytesN(bytes.to_vec().into())
    }
}
