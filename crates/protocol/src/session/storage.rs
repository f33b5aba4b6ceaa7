//! JSON of the session book, byte for byte as `@biconomy/use-aa` writes it (docs/protocol.md 3.16).
//!
//! Order of a leaf's fields: the five of the leaf, fields of the caller, `sessionID`, `status`; our
//! additions come last, so that `@biconomy/use-aa`'s code still reads what we write.

use std::borrow::Cow;

use alloy::primitives::{Address, B256, Bytes, U256, hex};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::Value;

use super::{SessionBook, SessionLeaf, SessionStatus, UINT48_END};
use crate::foreign_text;

impl Serialize for SessionStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.wire_name())
    }
}

impl<'de> Deserialize<'de> for SessionStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        Self::from_wire_name(&name).ok_or_else(|| {
            D::Error::custom(format!("status: expected PENDING, ACTIVE, INACTIVE, EXPIRED or REVOKED, got {name}"))
        })
    }
}

impl Serialize for SessionLeaf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("validUntil", &self.valid_until)?;
        map.serialize_entry("validAfter", &self.valid_after)?;
        map.serialize_entry("sessionValidationModule", &lower(self.session_validation_module))?;
        map.serialize_entry("sessionPublicKey", &lower(self.session_key_address))?;
        match self.stored_spelling() {
            Some(spelling) => map.serialize_entry("sessionKeyData", spelling)?,
            None => map.serialize_entry("sessionKeyData", &hex::encode_prefixed(&self.session_key_data))?,
        }
        for (name, value) in self.extra.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str())) {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("sessionID", &self.session_id)?;
        map.serialize_entry("status", &self.status)?;
        if let Some(user_op_hash) = &self.user_op_hash {
            map.serialize_entry("userOpHash", user_op_hash)?;
        }
        if let Some(label) = &self.label {
            map.serialize_entry("label", label)?;
        }
        if let Some(created_at) = &self.created_at {
            map.serialize_entry("createdAt", created_at)?;
        }
        if let Some(max_operation_cost) = &self.max_operation_cost {
            map.serialize_entry("maxOperationCost", max_operation_cost)?;
        }
        map.end()
    }
}

/// Names that have a field of their own.
const KNOWN: [&str; 11] = [
    "validUntil",
    "validAfter",
    "sessionValidationModule",
    "sessionPublicKey",
    "sessionKeyData",
    "sessionID",
    "status",
    "userOpHash",
    "label",
    "createdAt",
    "maxOperationCost",
];

fn lower(address: Address) -> String {
    hex::encode_prefixed(address)
}

impl SessionLeaf {
    /// The hex of `sessionKeyData` as it was stored, while it still says the same bytes.
    fn stored_spelling(&self) -> Option<&str> {
        let text = self.extra.get("sessionKeyData")?.as_str()?;
        hex::decode(text).is_ok_and(|bytes| *bytes == *self.session_key_data).then_some(text)
    }
}

impl<'de> Deserialize<'de> for SessionLeaf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LeafVisitor)
    }
}

/// A field's name, not copied when it is a known one: a book may hold thousands of leaves.
struct FieldName(Cow<'static, str>);

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = FieldName;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a field name")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<FieldName, E> {
                let known = KNOWN.iter().find(|known| **known == name);
                Ok(FieldName(known.map_or_else(|| Cow::Owned(name.to_owned()), |known| Cow::Borrowed(*known))))
            }
        }
        deserializer.deserialize_identifier(NameVisitor)
    }
}

struct LeafVisitor;

impl<'de> Visitor<'de> for LeafVisitor {
    type Value = SessionLeaf;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a session leaf")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SessionLeaf, A::Error> {
        let mut leaf = SessionLeaf::default();
        let (mut module, mut key, mut data, mut id, mut status) = (None, None, None, None, None);
        while let Some(name) = map.next_key::<FieldName>()? {
            match &*name.0 {
                "validUntil" => leaf.valid_until = seconds(&name.0, &mut map)?,
                "validAfter" => leaf.valid_after = seconds(&name.0, &mut map)?,
                "sessionValidationModule" => module = Some(map.next_value::<Address>()?),
                "sessionPublicKey" => key = Some(map.next_value::<Address>()?),
                "sessionKeyData" => {
                    let text = map.next_value::<Cow<'de, str>>()?;
                    let bytes = hex::decode(&*text)
                        .map_err(|error| A::Error::custom(format!("sessionKeyData: expected hex: {error}")))?;
                    if !text.starts_with("0x") || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
                        leaf.extra.insert("sessionKeyData".into(), Value::String(text.into_owned()));
                    }
                    data = Some(Bytes::from(bytes));
                }
                "sessionID" => id = Some(map.next_value::<String>()?),
                "status" => status = Some(map.next_value::<SessionStatus>()?),
                "userOpHash" => leaf.user_op_hash = map.next_value::<Option<B256>>()?,
                // Books come out of files and from other programs, too: what is no name is none.
                "label" => {
                    leaf.label = map.next_value::<Option<String>>()?.and_then(|label| foreign_text::name(&label))
                }
                "createdAt" => leaf.created_at = map.next_value::<Option<u64>>()?,
                "maxOperationCost" => leaf.max_operation_cost = map.next_value::<Option<U256>>()?,
                _ => {
                    leaf.extra.insert(name.0.into_owned(), map.next_value::<Value>()?);
                }
            }
        }
        leaf.session_validation_module = module.ok_or_else(|| A::Error::missing_field("sessionValidationModule"))?;
        leaf.session_key_address = key.ok_or_else(|| A::Error::missing_field("sessionPublicKey"))?;
        leaf.session_key_data = data.ok_or_else(|| A::Error::missing_field("sessionKeyData"))?;
        leaf.session_id = id.ok_or_else(|| A::Error::missing_field("sessionID"))?;
        leaf.status = status.ok_or_else(|| A::Error::missing_field("status"))?;
        Ok(leaf)
    }
}

/// Whole unix seconds below 2^48; an absent or null time is 0.
fn seconds<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<u64, A::Error> {
    let seconds = map.next_value::<Option<u64>>()?.unwrap_or_default();
    if seconds < UINT48_END {
        Ok(seconds)
    } else {
        Err(A::Error::custom(format!("{name}: expected unix seconds below 2^48, got {seconds}")))
    }
}

impl Serialize for SessionBook {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("merkleRoot", &self.merkle_root)?;
        map.serialize_entry("leafNodes", &self.leaf_nodes)?;
        for (name, value) in self.extra.iter().filter(|(name, _)| *name != "merkleRoot" && *name != "leafNodes") {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for SessionBook {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BookVisitor)
    }
}

struct BookVisitor;

impl<'de> Visitor<'de> for BookVisitor {
    type Value = SessionBook;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object with merkleRoot and leafNodes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SessionBook, A::Error> {
        let mut book = SessionBook::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            match &*name {
                "merkleRoot" => book.merkle_root = map.next_value::<Option<String>>()?.unwrap_or_default(),
                "leafNodes" => book.leaf_nodes = map.next_value()?,
                "" => {
                    map.next_value::<IgnoredAny>()?;
                }
                _ => {
                    book.extra.insert(name.into_owned(), map.next_value()?);
                }
            }
        }
        Ok(book)
    }
}
