//! The nodes that share distributed session keys: this server carries requests to them and collects what they answer.
//!
//! It is **not trusted**: each node verifies by itself what the owner or the page signed, over nonces of its own. What a
//! dishonest server can do is to do nothing, or to offer keys of nodes of its own (`use_aa_dan_node` says more).

pub mod bans;
pub mod coordinator;
mod disputes;
mod failure;
mod making;
pub mod operator;
mod pool;
