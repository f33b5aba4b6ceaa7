//! Encryption of one session key in a file.

use std::fmt;

use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, AeadCore, OsRng, Payload},
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::super::stored_keys::associated_data;
use crate::error::AppError;

/// Version of the encryption: XChaCha20-Poly1305, a random 24-byte nonce, associated data of [`associated_data`].
/// (1 is the browser's AES-256-GCM.)
const VERSION: u64 = 2;

/// Closes and opens keys with the store's secret.
#[derive(Clone)]
pub(super) struct Seal(XChaCha20Poly1305);

impl fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Seal(hidden)")
    }
}

impl Seal {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(secret.into()))
    }

    /// The entry of a key, in `@biconomy/use-aa`'s fields with ciphertext instead of the key.
    pub(super) fn close(&self, account: Address, signer: &PrivateKeySigner) -> Result<Value, AppError> {
        let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
        let key = Zeroizing::new(signer.to_bytes().0);
        let bound = associated_data(account, signer.address());
        let ciphertext = self.0.encrypt(&nonce, Payload { msg: key.as_slice(), aad: &bound });
        let ciphertext = ciphertext.map_err(|_| AppError::Key { reason: "the key cannot be encrypted".into() })?;
        Ok(json!({
            "pvKey": format!("0x{}", hex::encode(ciphertext)),
            "pbKey": signer.address().to_string(),
            "version": VERSION,
            "iv": format!("0x{}", hex::encode(nonce)),
        }))
    }

    /// The key of an entry. Entries of `@biconomy/use-aa`, in clear text, open as well: files may come from elsewhere.
    pub(super) fn open(&self, account: Address, address: Address, entry: &Value) -> Result<PrivateKeySigner, AppError> {
        let bytes = |field: &str| {
            let text = entry.get(field).and_then(Value::as_str)?;
            hex::decode(text.strip_prefix("0x").unwrap_or(text)).ok().map(Zeroizing::new)
        };
        let unreadable = |reason: &str| AppError::Key { reason: format!("session key {address}: {reason}") };
        let stored = bytes("pvKey").ok_or_else(|| unreadable("no key where one was stored"))?;
        let key = match entry.get("version") {
            None => stored,
            Some(version) if version.as_u64() == Some(VERSION) => {
                let nonce = bytes("iv").and_then(|nonce| <[u8; 24]>::try_from(nonce.as_slice()).ok());
                let nonce = nonce.ok_or_else(|| unreadable("no nonce"))?;
                let bound = associated_data(account, address);
                let opened = self.0.decrypt(&XNonce::from(nonce), Payload { msg: &stored, aad: &bound });
                opened.map(Zeroizing::new).map_err(|_| unreadable("it does not open with this secret"))?
            }
            Some(version) => return Err(unreadable(&format!("encrypted in version {version}, not known here"))),
        };
        let signer = PrivateKeySigner::from_slice(&key).map_err(|_| unreadable("no private key"))?;
        match signer.address() == address {
            true => Ok(signer),
            false => Err(unreadable("the stored key is another one's")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const ACCOUNT: Address = Address::repeat_byte(1);

    #[test]
    fn what_was_tampered_with_does_not_open_and_the_js_sdks_clear_text_does() {
        let (seal, key) = (Seal::new(&[3; 32]), PrivateKeySigner::random());
        let entry = seal.close(ACCOUNT, &key).unwrap();
        assert_eq!(seal.open(ACCOUNT, key.address(), &entry).unwrap(), key);
        assert_ne!(entry, seal.close(ACCOUNT, &key).unwrap(), "never the same nonce");

        let mut other = entry.clone();
        other["iv"] = json!("0x00");
        assert!(seal.open(ACCOUNT, key.address(), &other).is_err());
        other["iv"] = json!(format!("0x{}", "00".repeat(24)));
        assert!(seal.open(ACCOUNT, key.address(), &other).is_err());
        other = entry;
        other["version"] = json!(1);
        assert!(seal.open(ACCOUNT, key.address(), &other).is_err());

        let clear = json!({"pvKey": format!("0x{}", hex::encode(key.to_bytes())), "pbKey": key.address()});
        assert_eq!(seal.open(ACCOUNT, key.address(), &clear).unwrap(), key);
        assert!(seal.open(ACCOUNT, Address::ZERO, &clear).is_err(), "an entry under another key's name");
    }
}
