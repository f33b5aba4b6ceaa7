//! Randomness from the operating system (in a page: `crypto.getRandomValues`), never `Math.random`.

use alloy::{
    primitives::B256,
    signers::{
        k256::elliptic_curve::rand_core::{OsRng, RngCore},
        local::PrivateKeySigner,
    },
};
use zeroize::Zeroizing;

use crate::error::AppError;
use use_aa_protocol::distributed_key::EphemeralKey;

/// A fresh session key: 32 random bytes that are a valid secp256k1 scalar.
pub fn session_key() -> Result<PrivateKeySigner, AppError> {
    let mut secret = Zeroizing::new([0u8; 32]);
    // A random 256-bit number is no valid scalar with probability 2^-128; the second try is for form.
    for _ in 0..2 {
        fill(secret.as_mut_slice())?;
        if let Ok(signer) = PrivateKeySigner::from_slice(secret.as_slice()) {
            return Ok(signer);
        }
    }
    Err(AppError::Key { reason: "the random source gives no usable key".into() })
}

/// A fresh Ed25519 key for a page.
pub fn ephemeral_key() -> Result<EphemeralKey, AppError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    fill(seed.as_mut_slice())?;
    Ok(EphemeralKey::from_seed(&seed))
}

/// A fresh session id: 128 random bits as 32 lower-case hex digits (`@biconomy/use-aa`'s has 40 bits, docs/protocol.md 3.15).
pub fn session_id() -> Result<String, AppError> {
    let mut bytes = [0u8; 16];
    fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

/// A random word, for what must be unlike anybody else's.
pub fn word() -> Result<B256, AppError> {
    let mut word = B256::ZERO;
    fill(word.as_mut_slice())?;
    Ok(word)
}

fn fill(bytes: &mut [u8]) -> Result<(), AppError> {
    OsRng.try_fill_bytes(bytes).map_err(|error| AppError::Key { reason: format!("no randomness: {error}") })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    #[test]
    fn ids_are_128_bits_of_lower_case_hex_and_never_the_same() {
        let ids: std::collections::HashSet<_> = (0..1000).map(|_| super::session_id().unwrap()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(ids.iter().all(|id| id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))));
    }

    #[test]
    fn keys_differ() {
        assert_ne!(super::session_key().unwrap().address(), super::session_key().unwrap().address());
    }
}
