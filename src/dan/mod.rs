//! Distributed session keys: the nodes that hold shares of a session key and sign together (SPEC 7).
//!
//! | File | What it holds |
//! |---|---|
//! | [`api`] | bodies of the node's HTTP interface, for the (untrusted) coordinator |

pub mod api;
