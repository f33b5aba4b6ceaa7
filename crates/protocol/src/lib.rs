//! The protocol, pure: no I/O, no clock, no randomness. Source: docs/protocol.md, chapters 2 to 8.
//!
//! The same bytes on both sides of the wire and in the tests. Nothing here panics on outside data:
//! what is malformed becomes a [`ProtocolError`] that names the field and what was expected.

#![warn(missing_docs)]

pub mod abi;
pub mod accounts;
pub mod addresses;
pub mod amount;
mod bounds;
pub mod call;
pub mod clocks;
pub mod describe;
pub mod distributed_key;
pub mod entry_point;
mod error;
pub mod fee_refusal;
pub mod foreign_text;
pub mod kind;
pub mod known_functions;
pub mod lint;
pub mod merkle;
pub mod multichain;
pub mod owner;
pub mod paymaster;
pub mod policy;
pub mod quantity;
mod reading;
pub mod revert;
pub mod rpc;
pub mod session;
pub mod session_data;
pub mod session_scheme;
pub mod signature;
pub mod simulate;
pub mod smart_account;
pub mod smart_sessions;
pub mod tagged;
pub mod time_window;
pub mod user_op_response;
pub mod user_operation;

pub use accounts::nexus;
pub use error::ProtocolError;
