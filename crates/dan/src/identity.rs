//! Who a node is: one Ed25519 key. It signs attestations, and, as X25519 key of the same curve, opens the mesh.

use std::{fmt, str::FromStr};

use alloy::primitives::{B256, hex};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

/// The secret half: a seed of 32 bytes.
#[derive(Clone)]
pub struct Identity(SigningKey);

impl Identity {
    /// From the seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// From the seed as hexadecimal text.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), &mut seed[..]).ok()?;
        Some(Self::from_seed(&seed))
    }

    /// The public half.
    pub fn public(&self) -> PublicIdentity {
        PublicIdentity(self.0.verifying_key())
    }

    /// Signs a text; 64 bytes.
    pub fn sign(&self, text: &str) -> [u8; 64] {
        self.0.sign(text.as_bytes()).to_bytes()
    }

    /// The key of the mesh.
    pub fn mesh_secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_scalar_bytes())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.public())
    }
}

/// The public half, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicIdentity(VerifyingKey);

impl PublicIdentity {
    /// Its 32 bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The key of the mesh.
    pub fn mesh_public(self) -> [u8; 32] {
        self.0.to_montgomery().to_bytes()
    }
}

impl FromStr for PublicIdentity {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes: B256 = text.parse().map_err(|_| "64 hexadecimal digits")?;
        match VerifyingKey::from_bytes(&bytes) {
            Ok(key) if !key.is_weak() => Ok(Self(key)),
            _ => Err("an Ed25519 public key"),
        }
    }
}

impl fmt::Display for PublicIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0.to_bytes()))
    }
}

impl fmt::Debug for PublicIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_public_half_is_read_as_it_is_written() {
        let identity = Identity::from_hex(&"07".repeat(32)).unwrap();
        let text = identity.public().to_string();
        assert_eq!((text.len(), text.parse::<PublicIdentity>()), (64, Ok(identity.public())));
        assert!(!format!("{identity:?}").contains("0707"), "the seed is not printed");
        // The point of order 1, and too few digits.
        for wrong in ["01".to_owned() + &"00".repeat(31), "07".repeat(31)] {
            assert!(wrong.parse::<PublicIdentity>().is_err(), "{wrong}");
        }
        assert!(Identity::from_hex("07").is_none());
    }

    /// Both halves convert to one X25519 pair: what snow computes from the secret is what peers expect.
    #[test]
    fn the_mesh_keys_belong_together() {
        use snow::{
            params::DHChoice,
            resolvers::{CryptoResolver, DefaultResolver},
        };
        let identity = Identity::from_seed(&[9; 32]);
        let mut dh = DefaultResolver.resolve_dh(&DHChoice::Curve25519).unwrap();
        dh.set(&identity.mesh_secret()[..]);
        assert_eq!(dh.pubkey(), identity.public().mesh_public());
    }
}
