//! ERC-4337 entry point v0.6 (docs/protocol.md 2.4, 6.6): what is hashed, what must be prefunded, how an operation looks
//! to contracts and on the wire.

use alloy::{
    primitives::{Address, U256, address, keccak256},
    sol_types::SolValue,
};

use super::UserOperation;
pub use abi::IEntryPoint;

pub mod abi;
pub(super) mod wire;

/// Where it stands on every chain.
pub const ENTRY_POINT: Address = address!("5ff137d4b0fdcd49dca30c7cf57e578a026d2789");

/// Ten words.
pub(super) fn hashed_words(op: &UserOperation) -> Vec<u8> {
    (
        op.sender,
        op.nonce,
        keccak256(&op.init_code),
        keccak256(&op.call_data),
        op.call_gas_limit,
        op.verification_gas_limit,
        op.pre_verification_gas,
        op.max_fee_per_gas,
        op.max_priority_fee_per_gas,
        keccak256(&op.paymaster_and_data),
    )
        .abi_encode()
}

/// Validation gas counts threefold when a paymaster pays.
pub(super) fn gas_limit(op: &UserOperation) -> U256 {
    let multiplier = U256::from(if op.paymaster_and_data.is_empty() { 1 } else { 3 });
    op.verification_gas_limit
        .saturating_mul(multiplier)
        .saturating_add(op.call_gas_limit)
        .saturating_add(op.pre_verification_gas)
}

/// As contracts see it; the version that the operation is for does not matter.
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

/// Out of a bundle.
impl From<IEntryPoint::Operation> for UserOperation {
    fn from(operation: IEntryPoint::Operation) -> Self {
        Self {
            entry_point: super::EntryPoint::V06,
            sender: operation.sender,
            nonce: operation.nonce,
            init_code: operation.initCode,
            call_data: operation.callData,
            call_gas_limit: operation.callGasLimit,
            verification_gas_limit: operation.verificationGasLimit,
            pre_verification_gas: operation.preVerificationGas,
            max_fee_per_gas: operation.maxFeePerGas,
            max_priority_fee_per_gas: operation.maxPriorityFeePerGas,
            paymaster_and_data: operation.paymasterAndData,
            signature: operation.signature,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::b256;

    use super::*;

    /// vectors/04, case "all zero", computed by the EntryPoint contract.
    #[test]
    fn the_hash_is_the_entry_points() {
        let sender = address!("0788816536DEFa6A14779711c0B08b7f0edFe68b");
        let op = UserOperation { sender, ..UserOperation::default() };
        let expected = b256!("26b2e7c6fbeedbcff7aa562c8e0c9b0362f802f2654a5ec84f8d6a919a78b853");
        assert_eq!(op.hash(80002), expected);
    }
}
