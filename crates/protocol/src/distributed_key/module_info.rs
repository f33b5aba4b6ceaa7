//! `danModuleInfo`: what a stored leaf says of its distributed key (docs/protocol.md 7.4), in `@biconomy/use-aa`'s schema.

use alloy::primitives::{Address, hex};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::EphemeralKey;
use crate::{ProtocolError, session::SessionLeaf};

const FIELD: &str = "danModuleInfo";
/// `@biconomy/use-aa`'s names for the ephemeral seed in clear text, newest first (7.4).
const CLEAR_TEXT: [&str; 2] = ["hexEphSKWithout0x", "jwt"];

/// How to ask for signatures with a distributed key. Our own entries lack the ephemeral seed, which is stored encrypted
/// with the session keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DanModuleInfo {
    /// Id of the key at the nodes.
    pub mpc_key_id: String,
    /// How many nodes hold a share, n.
    pub parties_number: u8,
    /// How many must sign, t.
    pub threshold: u8,
    /// Who granted it; checksummed on the wire, as `@biconomy/use-aa` writes it.
    #[serde(serialize_with = "checksummed")]
    pub eoa_address: Address,
    /// For which chain.
    pub chain_id: u64,
}

fn checksummed<S: Serializer>(address: &Address, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&address.to_checksum(None))
}

impl DanModuleInfo {
    /// What the leaf says; `None` when its key is no distributed one.
    ///
    /// # Errors
    /// When it says something that cannot be read.
    pub fn of(leaf: &SessionLeaf) -> Result<Option<Self>, ProtocolError> {
        let Some(value) = leaf.extra.get(FIELD) else { return Ok(None) };
        // Only the fields that are read: a message must not repeat a secret.
        serde_json::from_value(value.clone()).map(Some).map_err(|_| {
            ProtocolError::invalid(
                FIELD,
                "mpcKeyId, partiesNumber, threshold, eoaAddress and chainId",
                "something else",
            )
        })
    }

    /// Writes it into the leaf.
    pub fn write(&self, leaf: &mut SessionLeaf) {
        let value = serde_json::to_value(self).unwrap_or_default();
        leaf.extra.insert(FIELD.into(), value);
    }
}

/// Is the key of this session shared by nodes?
pub fn is_distributed(leaf: &SessionLeaf) -> bool {
    leaf.extra.contains_key(FIELD)
}

/// The ephemeral key that `@biconomy/use-aa` stored in clear text in this leaf, when it is one.
pub fn clear_text_key(leaf: &SessionLeaf) -> Option<EphemeralKey> {
    let info = leaf.extra.get(FIELD)?;
    let text = CLEAR_TEXT.iter().find_map(|name| info.get(name).and_then(Value::as_str))?;
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    hex::decode_to_slice(text, seed.as_mut_slice()).ok()?;
    Some(EphemeralKey::from_seed(&seed))
}

/// Takes the clear text out of a leaf, once it is stored encrypted.
pub fn remove_clear_text_key(leaf: &mut SessionLeaf) {
    if let Some(Value::Object(info)) = leaf.extra.get_mut(FIELD) {
        info.retain(|name, _| !CLEAR_TEXT.contains(&name.as_str()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// The leaves that two releases of `@biconomy/use-aa` store.
    fn use_aa_leaves() -> Vec<SessionLeaf> {
        let vectors: Value = serde_json::from_str(include_str!("../../../../tests/vectors/10_dan.json")).unwrap();
        let flows = vectors["flows"].as_array().unwrap();
        flows.iter().map(|flow| serde_json::from_value(flow["storedLeaf"].clone()).unwrap()).collect()
    }

    #[test]
    fn the_seeds_entries_are_read_and_their_clear_text_goes() {
        let leaves = use_aa_leaves();
        assert!(leaves.len() > 1);
        for mut leaf in leaves {
            let info = DanModuleInfo::of(&leaf).unwrap().unwrap();
            assert_eq!((info.threshold, info.parties_number), (3, 5));
            let key = clear_text_key(&leaf).unwrap();
            let secret = hex::encode(key.seed());
            assert!(serde_json::to_string(&leaf).unwrap().contains(&secret));
            remove_clear_text_key(&mut leaf);
            assert!(!serde_json::to_string(&leaf).unwrap().contains(&secret));
            assert_eq!(DanModuleInfo::of(&leaf), Ok(Some(info.clone())));
            assert!(clear_text_key(&leaf).is_none());
            // What we write is read by `@biconomy/use-aa`'s readers under the same names.
            let mut ours = SessionLeaf::default();
            info.write(&mut ours);
            assert_eq!(ours.extra[FIELD], leaf.extra[FIELD]);
        }
    }

    #[test]
    fn other_leaves_have_none_and_damaged_ones_say_so_without_their_content() {
        assert_eq!(DanModuleInfo::of(&SessionLeaf::default()), Ok(None));
        let mut leaf = SessionLeaf::default();
        leaf.extra.insert(FIELD.into(), serde_json::json!({ "jwt": "secret" }));
        let error = DanModuleInfo::of(&leaf).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
        assert!(clear_text_key(&leaf).is_none(), "no 32 bytes of hex");
    }
}
