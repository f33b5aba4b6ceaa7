//! ERC-4337 entry point v0.7: the operation as bundlers want it and as contracts see it ([`PackedUserOperation`]), its
//! hash, what validation answers, errors, and the verifying paymaster.
//!
//! Against v0.6: factory and paymaster are fields of their own, paymasters have gas limits of their own, and what an
//! account or paymaster reverted with comes as bytes ([`FailedOp`]).

use alloy::primitives::{Address, address};

pub mod abi;
mod errors;
mod explain;
mod packed;
mod packing;
mod paymaster;
mod token_paymaster;
mod validation;
pub(super) mod wire;

pub use errors::{BundlerRefusal, FailedOp, bundler_refusal, failed_op};
pub use explain::{EXPLANATIONS, explain};
pub use packed::PackedUserOperation;
pub use packing::{PAYMASTER_DATA_OFFSET, init_code, pack, paymaster_and_data, paymaster_gas_limits, unpack};
pub(super) use packing::{gas_limit, hashed_words};
pub use paymaster::{VERIFYING_PAYMASTER_DATA, VerifyingPaymasterData};
pub use token_paymaster::{LEAST_POST_OP_GAS, TOKEN_PAYMASTER_DATA, TokenPaymasterData};
pub use validation::ValidationData;

/// Where it stands on every chain.
pub const ENTRY_POINT: Address = address!("0000000071727De22E5E9d8BAf0edAc6f37da032");

/// Highest gas value that it takes, in each of an operation's gas fields; above it is `AA94 gas values overflow`.
pub const MAX_GAS_VALUE: u128 = (1 << 120) - 1;
