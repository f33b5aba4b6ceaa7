//! `@biconomy/use-aa`'s `<account>_signers` entry: session keys in clear text (docs/protocol.md 3.16). Ours are encrypted;
//! this reads what `@biconomy/use-aa` left behind and can hand it back.

use std::fmt;

use alloy::primitives::{Address, B256, hex};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor},
    ser::SerializeMap,
};
use zeroize::Zeroize;

/// One session key as `@biconomy/use-aa` stores it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSigner {
    /// The private key (wire: `pvKey`).
    pub private_key: B256,
    /// Its address, checksummed on the wire (`pbKey`, although it is an address).
    pub session_key_address: Address,
}

impl fmt::Debug for StoredSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StoredSigner({}, private key hidden)", self.session_key_address)
    }
}

impl Drop for StoredSigner {
    fn drop(&mut self) {
        self.private_key.0.zeroize();
    }
}

/// All session keys of an account, in stored order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignerBook {
    /// The keys.
    pub signers: Vec<StoredSigner>,
}

impl SignerBook {
    /// The key with this address.
    pub fn find(&self, session_key_address: Address) -> Option<&StoredSigner> {
        self.signers.iter().find(|signer| signer.session_key_address == session_key_address)
    }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(rename = "pvKey")]
    private_key: String,
    #[serde(rename = "pbKey")]
    address: String,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.private_key.zeroize();
    }
}

impl Serialize for SignerBook {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.signers.len()))?;
        for signer in &self.signers {
            let wire = Wire {
                private_key: hex::encode_prefixed(signer.private_key),
                address: signer.session_key_address.to_checksum(None),
            };
            map.serialize_entry(&hex::encode_prefixed(signer.session_key_address), &wire)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for SignerBook {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SignersVisitor)
    }
}

struct SignersVisitor;

impl<'de> Visitor<'de> for SignersVisitor {
    type Value = SignerBook;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of session keys by address")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SignerBook, A::Error> {
        let mut book = SignerBook::default();
        while let Some((_, wire)) = map.next_entry::<String, Wire>()? {
            // the key itself is never part of a message
            let private_key =
                wire.private_key.parse().map_err(|_| A::Error::custom("pvKey: expected 32 bytes of hex"))?;
            let session_key_address =
                wire.address.parse().map_err(|_| A::Error::custom("pbKey: expected an address"))?;
            book.signers.push(StoredSigner { private_key, session_key_address });
        }
        Ok(book)
    }
}
