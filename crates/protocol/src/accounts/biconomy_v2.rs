//! Biconomy Smart Account V2: address and deployment, calls, modules, the owner's signature (docs/protocol.md 2.2 to 2.10).
//! An account on entry point v0.6.

use crate::entry_point::EntryPoint;

mod address;
mod calls;
mod modules;
mod owner;

pub use address::{AccountTemplate, counterfactual_address, init_code};
pub use calls::{decode_calls, encode_calls};
pub use modules::{disable_module, enable_module, set_merkle_root, set_merkle_root_at, setup_and_enable_module};
pub use owner::{owner_signature, owner_stub};

/// What the kind is called in messages and stores.
pub const NAME: &str = "biconomy.smart-account.2.0.0";

/// Who takes its operations.
pub const ENTRY_POINT: EntryPoint = EntryPoint::V06;
