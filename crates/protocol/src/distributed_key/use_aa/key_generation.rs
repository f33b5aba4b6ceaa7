//! Making a distributed key: the owner grants it with an EIP-712 signature (docs/protocol.md 7.2).

use alloy::{
    primitives::{Address, B256, hex},
    sol_types::{Eip712Domain, SolStruct, eip712_domain},
};
use serde_json::{Value, json};

mod typed {
    #![allow(missing_docs)]
    alloy::sol! {
        #[derive(Debug)]
        struct TaggedValue { uint16 tag; string value; }
        #[derive(Debug)]
        struct KeygenSetupOpts { uint32 t; uint32 n; TaggedValue[] metadata; }
        #[derive(Debug)]
        struct Request { KeygenSetupOpts setup; string challenge; }
    }
}

/// Tag of the ephemeral public key in the metadata.
const EPHEMERAL_KEY_TAG: u16 = 2;

/// A request for a distributed key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGeneration {
    /// How many nodes must sign.
    pub threshold: u32,
    /// How many nodes there are.
    pub parties: u32,
    /// Public key of the ephemeral key: 32 bytes Ed25519. (`@biconomy/use-aa`'s 4.6 sends a 20-byte address
    /// instead, which nobody can sign for later.)
    pub ephemeral_key: Vec<u8>,
}

impl KeyGeneration {
    /// The first frame to the service.
    pub fn opening_frame(&self) -> String {
        self.setup().to_string()
    }

    fn setup(&self) -> Value {
        let metadata = [json!({ "tag": EPHEMERAL_KEY_TAG, "value": hex::encode_prefixed(&self.ephemeral_key) })];
        json!({ "t": self.threshold, "n": self.parties, "metadata": metadata })
    }

    fn domain() -> Eip712Domain {
        eip712_domain! { name: "SilentShard authentication", version: "0.1.0", }
    }

    fn request(&self, challenge: &str) -> typed::Request {
        let value = hex::encode_prefixed(&self.ephemeral_key);
        let metadata = vec![typed::TaggedValue { tag: EPHEMERAL_KEY_TAG, value }];
        let setup = typed::KeygenSetupOpts { t: self.threshold, n: self.parties, metadata };
        typed::Request { setup, challenge: challenge.to_owned() }
    }

    /// Hash of the signed structure, without the domain.
    pub fn struct_hash(&self, challenge: &str) -> B256 {
        self.request(challenge).eip712_hash_struct()
    }

    /// Separator of the domain: name and version only, neither chain nor contract.
    pub fn domain_separator() -> B256 {
        Self::domain().hash_struct()
    }

    /// What the owner signs, as `eth_signTypedData_v4` digests it. Covers neither expiry nor account,
    /// chain or policy (10-D5).
    pub fn digest(&self, challenge: &str) -> B256 {
        self.request(challenge).eip712_signing_hash(&Self::domain())
    }

    /// The second parameter of `eth_signTypedData_v4`.
    pub fn typed_data(&self, challenge: &str) -> Value {
        let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
        json!({
            "types": {
                "EIP712Domain": [field("name", "string"), field("version", "string")],
                "Request": [field("setup", "KeygenSetupOpts"), field("challenge", "string")],
                "KeygenSetupOpts": [field("t", "uint32"), field("n", "uint32"), field("metadata", "TaggedValue[]")],
                "TaggedValue": [field("tag", "uint16"), field("value", "string")],
            },
            "domain": { "name": "SilentShard authentication", "version": "0.1.0" },
            "primaryType": "Request",
            "message": { "setup": self.setup(), "challenge": challenge },
        })
    }

    /// The frame that answers the challenge with the owner's signature. `expiry` in unix seconds.
    pub fn authentication_frame(&self, owner: Address, expiry: u64, signature: &[u8]) -> String {
        super::authentication(owner, &self.ephemeral_key, expiry, "eoa", signature).to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::{typed::*, *};

    /// docs/protocol.md 7.2 and vectors/10.
    #[test]
    fn types_are_encoded_as_the_service_expects() {
        let request = "Request(KeygenSetupOpts setup,string challenge)\
            KeygenSetupOpts(uint32 t,uint32 n,TaggedValue[] metadata)TaggedValue(uint16 tag,string value)";
        assert_eq!(Request::eip712_encode_type(), request);
        let empty = KeyGeneration { threshold: 0, parties: 0, ephemeral_key: vec![] }.request("");
        let hash = |hash: B256| hash.to_string();
        let expected = "0xd40eb1b4c500ccdac8ae9263e283fca49fb34ded2a2b2b59ab5cfbca6d73637b";
        assert_eq!(hash(empty.eip712_type_hash()), expected);
        let expected = "0x5448bd581820602b9ea7f35d8982d465dd786131167c67b7a29b78b20ff1eeae";
        assert_eq!(hash(empty.setup.eip712_type_hash()), expected);
        let expected = "0xcd0df43d94d4fe00fa66f4e19a73a0203c39158f02b1dcd91036bd30dd55decf";
        assert_eq!(hash(empty.setup.metadata[0].eip712_type_hash()), expected);
        let expected = "0x8e077f885019b888decc594099d0132eedcfa0cc6363f514a8ee12f0a65330bc";
        assert_eq!(hash(KeyGeneration::domain_separator()), expected);
    }
}
