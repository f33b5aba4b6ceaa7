//! The stored form of session keys, `<account>_signers` (docs/protocol.md 3.16), with ciphertext instead of the key.

use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::error::AppError;

/// Version of the encryption: AES-256-GCM, a 12-byte nonce, associated data of [`associated_data`].
pub const ENCRYPTION_VERSION: u64 = 1;

/// Entries by session key address in lower case. Values stay JSON, so that what we do not know is kept.
pub type Signers = Map<String, Value>;

/// Ciphertext of one private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Nonce, never used twice.
    pub iv: [u8; 12],
    /// Ciphertext with its 16-byte tag.
    pub ciphertext: Vec<u8>,
}

/// What an entry holds.
pub enum StoredKey {
    /// As `@biconomy/account` stores it; to be taken over.
    ClearText(Zeroizing<[u8; 32]>),
    /// As we store it.
    Sealed(Sealed),
}

/// The map's key of a session key.
pub fn entry_name(session_key_address: Address) -> String {
    format!("{session_key_address:#x}")
}

/// What the ciphertext is bound to: it opens for this account and this session key only.
pub fn associated_data(account: Address, session_key_address: Address) -> [u8; 40] {
    let mut data = [0; 40];
    data[..20].copy_from_slice(account.as_slice());
    data[20..].copy_from_slice(session_key_address.as_slice());
    data
}

/// An entry as it is written. `previous` lends the fields that we do not know.
pub fn entry(session_key_address: Address, sealed: &Sealed, previous: Option<&Value>) -> Value {
    let mut fields = previous.and_then(Value::as_object).cloned().unwrap_or_default();
    fields.insert("pvKey".into(), json!(format!("0x{}", hex::encode(&sealed.ciphertext))));
    fields.insert("pbKey".into(), json!(session_key_address.to_string()));
    fields.insert("version".into(), json!(ENCRYPTION_VERSION));
    fields.insert("iv".into(), json!(format!("0x{}", hex::encode(sealed.iv))));
    Value::Object(fields)
}

/// Marks entries that hold the ephemeral key of a distributed session key, in the field `algorithm`.
const EPHEMERAL_ALGORITHM: &str = "ed25519";

/// As [`associated_data`], for ephemeral keys: neither opens as the other.
pub fn ephemeral_associated_data(account: Address, session_key_address: Address) -> Vec<u8> {
    [&associated_data(account, session_key_address)[..], EPHEMERAL_ALGORITHM.as_bytes()].concat()
}

/// As [`entry`], for an ephemeral key: the entry of the distributed session key for which it speaks.
pub fn ephemeral_entry(session_key_address: Address, sealed: &Sealed, previous: Option<&Value>) -> Value {
    let mut entry = entry(session_key_address, sealed, previous);
    if let Some(fields) = entry.as_object_mut() {
        fields.insert("algorithm".into(), json!(EPHEMERAL_ALGORITHM));
    }
    entry
}

/// Does this entry hold an ephemeral key?
pub fn is_ephemeral(entry: &Value) -> bool {
    entry.get("algorithm").and_then(Value::as_str) == Some(EPHEMERAL_ALGORITHM)
}

/// Reads an entry.
pub fn read_entry(session_key_address: Address, entry: &Value) -> Result<StoredKey, AppError> {
    let bytes = |field: &str| {
        entry
            .get(field)
            .and_then(Value::as_str)
            .and_then(|text| hex::decode(text.strip_prefix("0x").unwrap_or(text)).ok().map(Zeroizing::new))
            .ok_or_else(|| unreadable(session_key_address, field))
    };
    let stored = bytes("pvKey")?;
    match entry.get("version") {
        None => Ok(StoredKey::ClearText(Zeroizing::new(
            stored.as_slice().try_into().map_err(|_| unreadable(session_key_address, "pvKey"))?,
        ))),
        Some(version) if version.as_u64() == Some(ENCRYPTION_VERSION) => Ok(StoredKey::Sealed(Sealed {
            iv: bytes("iv")?.as_slice().try_into().map_err(|_| unreadable(session_key_address, "iv"))?,
            ciphertext: stored.to_vec(),
        })),
        Some(_) => Err(unreadable(session_key_address, "version")),
    }
}

/// The signer of a private key, if it is the one that the entry says.
pub fn signer_of(session_key_address: Address, key: &[u8]) -> Result<PrivateKeySigner, AppError> {
    PrivateKeySigner::from_slice(key)
        .ok()
        .filter(|signer| signer.address() == session_key_address)
        .ok_or_else(|| AppError::Key { reason: format!("the stored key is not that of {session_key_address}") })
}

fn unreadable(session_key_address: Address, field: &str) -> AppError {
    AppError::Key { reason: format!("the stored key of {session_key_address} has an unreadable `{field}`") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn use_aa_signers() -> Signers {
        let vectors: Value =
            serde_json::from_str(include_str!("../../../../tests/vectors/11_session_storage.json")).unwrap();
        let storage = &vectors["steps"][0]["localStorage"];
        storage["0x0788816536defa6a14779711c0b08b7f0edfe68b_signers"].as_object().unwrap().clone()
    }

    #[test]
    fn clear_text_of_the_js_sdk_is_read() {
        for (name, entry) in use_aa_signers() {
            let address: Address = name.parse().unwrap();
            assert_eq!(entry_name(address), name);
            let StoredKey::ClearText(key) = read_entry(address, &entry).unwrap() else { panic!("clear text") };
            assert_eq!(signer_of(address, key.as_slice()).unwrap().address(), address);
            assert!(signer_of(Address::ZERO, key.as_slice()).is_err());
        }
    }

    #[test]
    fn what_we_write_is_marked_and_read_back() {
        let address = Address::repeat_byte(7);
        let sealed = Sealed { iv: [3; 12], ciphertext: vec![9; 48] };
        let written = entry(address, &sealed, Some(&json!({ "pvKey": "0xsecret", "note": "kept" })));
        assert_eq!((&written["version"], &written["note"]), (&json!(1), &json!("kept")));
        assert!(!written.to_string().contains("secret"));
        let StoredKey::Sealed(read) = read_entry(address, &written).unwrap() else { panic!("sealed") };
        assert_eq!(read, sealed);
    }

    #[test]
    fn damaged_entries_are_named() {
        for damaged in [
            json!(null),
            json!({ "pvKey": "0x12" }),
            json!({ "pvKey": "0xzz" }),
            json!({ "pvKey": "0x12", "version": 99 }),
            json!({ "pvKey": "0x12", "version": 1, "iv": "0x12" }),
        ] {
            assert!(matches!(read_entry(Address::ZERO, &damaged), Err(AppError::Key { .. })), "{damaged}");
        }
    }
}
