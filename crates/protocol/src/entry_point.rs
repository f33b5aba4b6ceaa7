//! Entry points by version: packing, hash, wire shape, ABI, errors and events of user operations, and nothing else.
//! Nothing outside names a version: it asks an operation's [`EntryPoint`]. What is the same in all of them, or of
//! accounts and sessions, stands elsewhere.

use std::fmt;

use alloy::primitives::{Address, B256, U256};

mod bundle;
mod deposit;
mod events;
mod paid;
mod user_operation;
pub mod v06;
pub mod v07;
mod wire;

pub use events::EntryPointEvent;
pub use paid::{TokenTerms, sponsored_until};
pub use user_operation::UserOperation;

/// A version of the ERC-4337 entry point: the contract that takes an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EntryPoint {
    /// v0.6.
    #[default]
    V06,
    /// v0.7.
    V07,
}

impl EntryPoint {
    /// All that are known here.
    pub const ALL: [Self; 2] = [Self::V06, Self::V07];

    /// Where it stands on every chain.
    pub const fn address(self) -> Address {
        match self {
            Self::V06 => v06::ENTRY_POINT,
            Self::V07 => v07::ENTRY_POINT,
        }
    }

    /// The one that stands at this address.
    pub fn from_address(address: Address) -> Option<Self> {
        Self::ALL.into_iter().find(|entry_point| entry_point.address() == address)
    }

    /// `0.6`.
    pub const fn version(self) -> &'static str {
        match self {
            Self::V06 => "0.6",
            Self::V07 => "0.7",
        }
    }

    /// The words whose hash goes into the operation's hash.
    fn hashed_words(self, operation: &UserOperation) -> Vec<u8> {
        match self {
            Self::V06 => v06::hashed_words(operation),
            Self::V07 => v07::hashed_words(operation),
        }
    }

    /// `getUserOpHash` of an operation whose words have this hash.
    fn user_op_hash(self, words: B256, chain_id: u64) -> B256 {
        use alloy::{primitives::keccak256, sol_types::SolValue};
        keccak256((words, self.address(), U256::from(chain_id)).abi_encode())
    }

    /// Gas that the operation may take in all, gas units.
    fn gas_limit(self, operation: &UserOperation) -> U256 {
        match self {
            Self::V06 => v06::gas_limit(operation),
            Self::V07 => v07::gas_limit(operation),
        }
    }

    /// Where the paymaster's own data begin in `paymasterAndData`: what stands before is the entry point's.
    pub const fn paymaster_data_offset(self) -> usize {
        match self {
            Self::V06 => 20,
            Self::V07 => v07::PAYMASTER_DATA_OFFSET,
        }
    }
}

impl fmt::Display for EntryPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.version())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_is_found_by_its_address() {
        for entry_point in EntryPoint::ALL {
            assert_eq!(EntryPoint::from_address(entry_point.address()), Some(entry_point));
        }
        assert_eq!(EntryPoint::from_address(Address::ZERO), None);
        assert_eq!(EntryPoint::default().to_string(), "v0.6", "what an operation without a word about it is for");
    }
}
