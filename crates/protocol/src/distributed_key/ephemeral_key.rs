//! [`EphemeralKey`]: the Ed25519 key with which a page speaks for a distributed session key.

use alloy::primitives::{B256, Bytes};
use ed25519_dalek::{Signer, SigningKey};
use zeroize::Zeroizing;

use super::{Revocation, RevokedBy, SignRequest};

/// An Ed25519 key. Wiped when dropped; never shown.
#[derive(Clone)]
pub struct EphemeralKey(
    // Not the key that follows from it: whoever only stores it in a page loads no curve.
    Zeroizing<[u8; 32]>,
);

impl EphemeralKey {
    /// The key of 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Zeroizing::new(*seed))
    }

    /// The 32 bytes, to be encrypted and stored.
    pub fn seed(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its public half, which the owner grants.
    pub fn public_key(&self) -> B256 {
        self.key().verifying_key().to_bytes().into()
    }

    /// Signs a request to sign; everything else in it must be final.
    pub fn sign(&self, request: &mut SignRequest) {
        request.ephemeral_signature = self.sign_text(&request.signed_text());
    }

    /// Takes the grant of a key back.
    pub fn revoke(&self, key_id: B256) -> Revocation {
        let signature = self.sign_text(&Revocation::signed_text(key_id));
        Revocation { key_id, by: RevokedBy::EphemeralKey { signature } }
    }

    fn key(&self) -> SigningKey {
        SigningKey::from_bytes(&self.0)
    }

    fn sign_text(&self, text: &str) -> Bytes {
        self.key().sign(text.as_bytes()).to_bytes().to_vec().into()
    }
}

impl std::fmt::Debug for EphemeralKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "EphemeralKey({}, seed hidden)", self.public_key())
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::hex;

    use super::*;

    /// RFC 8032, 7.1, test 1.
    #[test]
    fn the_public_key_is_rfc_8032s_and_the_seed_is_never_shown() {
        let seed = hex!("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let key = EphemeralKey::from_seed(&seed);
        let public = hex!("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(key.public_key(), B256::from(public));
        assert_eq!(key.seed(), &seed);
        assert!(!format!("{key:?}").contains("9d61"));
        let signature = key.sign_text("");
        let expected = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
        assert_eq!(hex::encode(signature), expected);
    }
}
