//! The protocol, pure: no I/O, no clock, no randomness. Source: SPEC chapters 2, 3, 5 and 6.
pub mod rpc;
pub mod session;
pub mod user_operation;
