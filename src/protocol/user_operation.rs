//! User operations of entry point v0.6 and their hash (SPEC 2.4).

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::SolValue,
};
use serde::{Deserialize, Serialize};

use super::quantity;

/// A user operation. Serialised as bundlers want it: camelCase, quantities as minimal hex.
/// Quantities are read as hex, decimal text or number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserOperation {
    /// The smart account.
    pub sender: Address,
    /// `key << 64 | sequence`; see [`nonce_with_key`].
    #[serde(with = "quantity")]
    pub nonce: U256,
    /// Factory and its call data while the account has no code; empty afterwards.
    pub init_code: Bytes,
    /// What the account is to do.
    pub call_data: Bytes,
    /// Gas limit of the call itself.
    #[serde(with = "quantity")]
    pub call_gas_limit: U256,
    /// Gas limit of account creation and validation, and of the paymaster's validation.
    #[serde(with = "quantity")]
    pub verification_gas_limit: U256,
    /// Gas paid to the bundler beside execution (call data, overhead).
    #[serde(with = "quantity")]
    pub pre_verification_gas: U256,
    /// Highest total fee, wei per gas.
    #[serde(with = "quantity")]
    pub max_fee_per_gas: U256,
    /// Highest tip, wei per gas.
    #[serde(with = "quantity")]
    pub max_priority_fee_per_gas: U256,
    /// Paymaster and its data; empty when the account pays.
    pub paymaster_and_data: Bytes,
    /// Wrapped module signature (see [`super::signature`]); not covered by the hash.
    #[serde(default)]
    pub signature: Bytes,
}

impl UserOperation {
    /// The 320 bytes whose hash goes into [`Self::hash`]: dynamic fields by their keccak, no signature.
    pub fn packed(&self) -> Vec<u8> {
        (
            self.sender,
            self.nonce,
            keccak256(&self.init_code),
            keccak256(&self.call_data),
            self.call_gas_limit,
            self.verification_gas_limit,
            self.pre_verification_gas,
            self.max_fee_per_gas,
            self.max_priority_fee_per_gas,
            keccak256(&self.paymaster_and_data),
        )
            .abi_encode()
    }

    /// `EntryPoint.getUserOpHash`: what every module signs.
    pub fn hash(&self, entry_point: Address, chain_id: u64) -> B256 {
        keccak256((keccak256(self.packed()), entry_point, U256::from(chain_id)).abi_encode())
    }

    /// What the entry point wants to be prefunded, wei: gas limits times fee; validation gas counts
    /// threefold when a paymaster pays (SPEC 6.6). Saturates instead of overflowing.
    pub fn required_prefund(&self) -> U256 {
        let multiplier = U256::from(if self.paymaster_and_data.is_empty() { 1 } else { 3 });
        self.verification_gas_limit
            .saturating_mul(multiplier)
            .saturating_add(self.call_gas_limit)
            .saturating_add(self.pre_verification_gas)
            .saturating_mul(self.max_fee_per_gas)
    }

    /// The paymaster's address, when there is one.
    pub fn paymaster(&self) -> Option<Address> {
        self.paymaster_and_data.get(..20).map(Address::from_slice)
    }
}

/// A nonce in lane `key` (192 bits; higher bits are cut off) at `sequence` (SPEC 2.8).
pub fn nonce_with_key(key: U256, sequence: u64) -> U256 {
    (key << 64) | U256::from(sequence)
}

/// Splits a nonce into its lane key and its sequence.
pub fn split_nonce(nonce: U256) -> (U256, u64) {
    (nonce >> 64, nonce.as_limbs()[0])
}
