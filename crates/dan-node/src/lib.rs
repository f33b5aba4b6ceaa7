//! Distributed session keys: the nodes that hold shares of a session key and sign together (docs/protocol.md U16 to U29).
//!
//! | File | What it holds |
//! |---|---|
//! | [`mesh`], [`noise`], [`frame`], [`message`] | connections among the nodes: Noise KK over TCP, and what is said there |
//! | [`run`], [`runs`] | rounds of messages among the participants of one computation; time-outs, refusals, bounds |
//! | [`share`] | a share of a key that cannot be printed |
//! | [`key_generation`], [`signing`], [`refresh`] | the protocols, over runs |
//! | [`workers`], [`laps`] | where they compute, and where the time of a signature goes |
//! | [`vault`] | encrypted files that survive crashes |
//! | [`config`], [`node`], [`http`], [`callers`] | a node: what it is told, what it decides, its HTTP interface, who may use that |
//! | [`keys`], [`nonces`], [`limits`] | what it keeps: keys and their grants, single-use nonces, signatures per minute |
//!
#![doc = include_str!("trust_model.md")]
#![warn(missing_docs)]

pub mod callers;
pub mod config;
pub mod frame;
pub mod http;
pub mod key_generation;
pub mod keys;
pub mod laps;
pub mod limits;
pub mod mesh;
pub mod message;
pub mod node;
pub mod noise;
pub mod nonces;
pub mod program;
pub mod refresh;
pub mod run;
pub mod run_error;
pub mod runs;
pub mod share;
pub mod signing;
#[cfg(test)]
mod tests;
pub mod vault;
pub mod workers;

pub use use_aa_dan::{api, caller_key, identity};
