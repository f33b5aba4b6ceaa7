//! A wallet that signs with a key held here: the lab's, and that of natively running programs.

use alloy::{
    primitives::{Address, Bytes},
    signers::{SignerSync, local::PrivateKeySigner},
};
use async_trait::async_trait;

use crate::{error::AppError, ports::Wallet};
use use_aa_protocol::distributed_key::TypedData;

/// Signs without asking. The key is never shown, logged or sent.
#[derive(Clone)]
pub struct LocalWallet {
    signer: PrivateKeySigner,
    chain_id: u64,
}

impl LocalWallet {
    /// A wallet over `signer` that says it is on chain `chain_id`.
    pub fn new(signer: PrivateKeySigner, chain_id: u64) -> Self {
        Self { signer, chain_id }
    }
}

impl std::fmt::Debug for LocalWallet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalWallet")
            .field("address", &self.signer.address())
            .field("chain_id", &self.chain_id)
            .finish_non_exhaustive()
    }
}

#[async_trait(?Send)]
impl Wallet for LocalWallet {
    fn address(&self) -> Address {
        self.signer.address()
    }

    async fn chain_id(&self) -> Result<u64, AppError> {
        Ok(self.chain_id)
    }

    async fn sign_message(&self, message: &[u8]) -> Result<Bytes, AppError> {
        let signature = self.signer.sign_message_sync(message);
        let signature = signature.map_err(|error| AppError::Key { reason: error.to_string() })?;
        Ok(signature.as_bytes().into())
    }

    async fn sign_typed_data(&self, typed_data: &TypedData) -> Result<Bytes, AppError> {
        let signature = self.signer.sign_hash_sync(&typed_data.digest);
        let signature = signature.map_err(|error| AppError::Key { reason: error.to_string() })?;
        Ok(signature.as_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{Signature, hex};
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn signs_as_personal_sign_does_and_keeps_the_key_to_itself() {
        let signer = PrivateKeySigner::random();
        let wallet = LocalWallet::new(signer.clone(), 31_337);
        let given = block_on(wallet.sign_message(b"hello")).unwrap();
        let signature = Signature::from_raw(&given).unwrap();
        assert_eq!(signature.recover_address_from_msg(b"hello").unwrap(), wallet.address());
        assert!(matches!(given[64], 27 | 28));
        assert!(!format!("{wallet:?}").contains(&hex::encode(signer.to_bytes())));
    }
}
