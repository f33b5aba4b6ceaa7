//! Revert data.

use alloy::{
    primitives::{Bytes, U256},
    sol_types::{Panic, SolError},
};

use super::Refusal;

/// Panic codes of Solidity.
pub(super) const OVERFLOW: u64 = 0x11;
pub(super) const NO_SUCH_ENUM: u64 = 0x21;
pub(super) const OUT_OF_BOUNDS: u64 = 0x32;

pub(super) fn data(error: impl SolError) -> Bytes {
    error.abi_encode().into()
}

pub(super) fn panic(code: u64) -> Bytes {
    data(Panic { code: U256::from(code) })
}

pub(super) fn with(error: impl SolError) -> Refusal {
    Refusal::Reverted(data(error))
}

/// Reverts with nothing: calldata that ends early, data that does not decode.
pub(super) fn silent() -> Refusal {
    Refusal::Reverted(Bytes::new())
}
