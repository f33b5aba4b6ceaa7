//! Distributed session keys, seen from outside: what a coordinator asks the nodes and what they answer.
//!
//! Nothing of the threshold cryptography is here; that is `use-aa-dan-node`, which a server does not compile.
//!
//! | File | What it holds |
//! |---|---|
//! | [`api`] | bodies of the node's HTTP interface |
//! | [`identity`] | a node's Ed25519 key: signs attestations, opens the mesh |
//! | [`caller_key`] | the secret by which the app server, or the operator, proves itself to the nodes |
//! | `client` (feature `client`) | one node, as a coordinator reaches it |
#![warn(missing_docs)]

pub mod api;
pub mod caller_key;
#[cfg(feature = "client")]
pub mod client;
pub mod identity;
