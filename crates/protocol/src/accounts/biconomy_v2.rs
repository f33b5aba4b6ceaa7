//! Biconomy Smart Account V2: address and deployment, calls, modules, the owner's signature (docs/protocol.md 2.2 to 2.10).
//! An account on entry point v0.6.

use alloy::primitives::Bytes;

use crate::{
    addresses::ECDSA_MODULE,
    entry_point::EntryPoint,
    signature::{DUMMY_ECDSA, wrap},
};

mod address;
mod calls;
mod modules;

pub use address::{AccountTemplate, counterfactual_address, init_code};
pub use calls::{decode_calls, encode_calls};
pub use modules::{disable_module, enable_module, set_merkle_root, set_merkle_root_at, setup_and_enable_module};

/// What the kind is called in messages and stores.
pub const NAME: &str = "biconomy.smart-account.2.0.0";

/// Who takes its operations.
pub const ENTRY_POINT: EntryPoint = EntryPoint::V06;

/// An operation's signature by nobody: the module answers "signature failed" without reverting.
pub fn owner_stub() -> Bytes {
    owner_signature(&DUMMY_ECDSA)
}

/// An operation's signature around the owner's own, which the ECDSA module is to judge.
pub fn owner_signature(signature: &[u8; 65]) -> Bytes {
    wrap(ECDSA_MODULE, signature)
}
