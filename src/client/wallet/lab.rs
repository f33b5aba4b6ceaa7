//! The lab wallet: account 0 of the public test mnemonic "test test … junk". Everybody knows its key, so it is
//! offered on the lab's chain only.

use std::rc::Rc;

use alloy::{
    primitives::{Address, address},
    signers::local::PrivateKeySigner,
};

use super::local::LocalWallet;
use crate::{actions::ports::Wallet, error::AppError};

/// Address of the lab's owner.
pub const OWNER: Address = address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

/// Its key, printed by every anvil and hardhat at start.
const KEY: [u8; 32] = alloy::primitives::hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

/// The lab wallet, on the server's chain by nature.
pub fn wallet(chain_id: u64) -> Result<Rc<dyn Wallet>, AppError> {
    let signer = PrivateKeySigner::from_slice(&KEY).map_err(|error| AppError::Key { reason: error.to_string() })?;
    Ok(Rc::new(LocalWallet::new(signer, chain_id)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn the_key_is_the_owners() {
        let wallet = wallet(31337).unwrap();
        assert_eq!(wallet.address(), OWNER);
        let signature = block_on(wallet.sign_message(b"hello")).unwrap();
        let signature = alloy::primitives::Signature::try_from(signature.as_ref()).unwrap();
        assert_eq!(signature.recover_address_from_msg(b"hello").unwrap(), OWNER);
    }
}
