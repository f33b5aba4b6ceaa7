//! The operation as contracts see it, and its hash (vectors 15).

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    sol_types::SolValue,
};

pub use super::abi::PackedUserOperation;

impl PackedUserOperation {
    /// The eight words whose hash goes into [`Self::hash`]: dynamic fields by their keccak, no signature.
    pub fn hashed_encoding(&self) -> Vec<u8> {
        (
            self.sender,
            self.nonce,
            keccak256(&self.initCode),
            keccak256(&self.callData),
            self.accountGasLimits,
            self.preVerificationGas,
            self.gasFees,
            keccak256(&self.paymasterAndData),
        )
            .abi_encode()
    }

    /// `EntryPoint.getUserOpHash`.
    pub fn hash(&self, entry_point: Address, chain_id: u64) -> B256 {
        keccak256((keccak256(self.hashed_encoding()), entry_point, U256::from(chain_id)).abi_encode())
    }
}
