//! User operations of entry point v0.6 and their hash (docs/protocol.md 2.4).

use alloy::{
    primitives::{Address, B256, Bytes, U256, keccak256},
    sol_types::SolValue,
};
use serde::{Deserialize, Serialize};

use super::{abi::IEntryPoint, quantity};

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

impl From<UserOperation> for IEntryPoint::Operation {
    fn from(operation: UserOperation) -> Self {
        Self {
            sender: operation.sender,
            nonce: operation.nonce,
            initCode: operation.init_code,
            callData: operation.call_data,
            callGasLimit: operation.call_gas_limit,
            verificationGasLimit: operation.verification_gas_limit,
            preVerificationGas: operation.pre_verification_gas,
            maxFeePerGas: operation.max_fee_per_gas,
            maxPriorityFeePerGas: operation.max_priority_fee_per_gas,
            paymasterAndData: operation.paymaster_and_data,
            signature: operation.signature,
        }
    }
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
    /// threefold when a paymaster pays (docs/protocol.md 6.6). Saturates instead of overflowing.
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

/// A nonce in lane `key` (192 bits; higher bits are cut off) at `sequence` (docs/protocol.md 2.8).
pub fn nonce_with_key(key: U256, sequence: u64) -> U256 {
    (key << 64) | U256::from(sequence)
}

/// Splits a nonce into its lane key and its sequence.
pub fn split_nonce(nonce: U256) -> (U256, u64) {
    (nonce >> 64, nonce.as_limbs()[0])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use alloy::primitives::{address, b256};

    use super::*;
    use crate::addresses::ENTRY_POINT;

    /// vectors/04, case "all zero", computed by the EntryPoint contract.
    #[test]
    fn the_hash_is_the_entry_points() {
        let sender = address!("0788816536DEFa6A14779711c0B08b7f0edFe68b");
        let op = UserOperation { sender, ..UserOperation::default() };
        let expected = b256!("26b2e7c6fbeedbcff7aa562c8e0c9b0362f802f2654a5ec84f8d6a919a78b853");
        assert_eq!(op.hash(ENTRY_POINT, 80002), expected);
    }

    #[test]
    fn a_paymaster_triples_validation_gas_and_nothing_overflows() {
        let gas = |number: u64| U256::from(number);
        let mut op = UserOperation {
            call_gas_limit: gas(1),
            verification_gas_limit: gas(10),
            pre_verification_gas: gas(100),
            max_fee_per_gas: gas(2),
            ..UserOperation::default()
        };
        assert_eq!(op.required_prefund(), gas(222));
        op.paymaster_and_data = vec![1; 20].into();
        assert_eq!(op.required_prefund(), gas(262));
        assert_eq!(op.paymaster(), Some(Address::repeat_byte(1)));
        op.max_fee_per_gas = U256::MAX;
        assert_eq!(op.required_prefund(), U256::MAX);
    }

    #[test]
    fn a_nonce_is_its_lane_and_its_sequence() {
        let key = U256::from(1_723_000_000_000u64);
        let nonce = nonce_with_key(key, 5);
        assert_eq!(format!("{nonce:#x}"), "0x1912acd8e000000000000000005");
        assert_eq!(split_nonce(nonce), (key, 5));
    }
}
