//! Secrets, wrapped so that no log shows them.

use std::{convert::Infallible, fmt, str::FromStr};

use alloy::{
    primitives::{Address, B256},
    signers::local::PrivateKeySigner,
};
use zeroize::Zeroizing;

/// Text that is never printed: both `Debug` and `Display` hide it, and its memory is wiped when dropped.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself: for the request that needs it, never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True when there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A secp256k1 key that was checked to be one; printed as its address.
#[derive(Clone, PartialEq)]
pub struct SignerKey(PrivateKeySigner);

impl SignerKey {
    /// From 32 bytes; `None` when they are not a valid key (zero, or not below the curve's order).
    pub fn from_bytes(bytes: &B256) -> Option<Self> {
        PrivateKeySigner::from_bytes(bytes).ok().map(Self)
    }

    /// The address that belongs to the key.
    pub fn address(&self) -> Address {
        self.0.address()
    }

    /// The signer itself.
    pub fn signer(&self) -> &PrivateKeySigner {
        &self.0
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey(of {})", self.address())
    }
}
