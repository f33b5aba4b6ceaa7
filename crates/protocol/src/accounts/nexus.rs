//! Biconomy Nexus accounts: releases, creation and address, calls, nonce lanes, modules, signatures, errors
//! (vectors 16). An ERC-7579 account on [entry point v0.7](ENTRY_POINT).
//!
//! An account belongs to one [`NexusRelease`], which decides its address: a stored account says which, nobody guesses.

mod address;
mod erc7739;
mod errors;
mod execution;
mod init;
mod mode;
mod modules;
mod nonce;
mod release;
mod scheme;
mod signature;
mod stored;

pub use address::{compute_address_call, computed_address};
pub use erc7739::{AccountDomain, NestedTypedData};
pub use errors::{nexus_error, nexus_error_words};
pub use execution::{
    DecodedExecution, MAX_CALL_DATA, MAX_CALLS, decode_calls, decode_execution, encode_calls, encode_mode,
};
pub use init::{InitialModules, factory_data, init_data, salt};
pub use mode::{CallType, ExecType, ExecutionMode};
pub use modules::{
    MODULE_SENTINEL, ModuleType, decode_validators, install_module, is_module_installed_call, previous_validator,
    uninstall_module, uninstall_validator, validators_call,
};
pub use nonce::{LANES, NonceKey, ValidationMode};
pub use release::{NexusRelease, ReleaseParts};
pub use scheme::AddressScheme;
pub use signature::{ERC1271_MAGIC, STUB_SIGNATURE, erc1271_signature, owner_digest, recoverable, split_erc1271};
pub use stored::{GrantSigning, NexusAccount, NexusSetup};

use crate::entry_point::EntryPoint;

/// Who takes its operations.
pub const ENTRY_POINT: EntryPoint = EntryPoint::V07;
