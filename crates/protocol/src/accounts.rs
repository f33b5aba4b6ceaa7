//! Kinds of smart accounts, one folder each: address, factory data, call data, nonces, the owner's stub and real signature.
//! Nothing outside of them names a kind's factory or modules; verbs ask the kind of the account that they are given.

pub mod biconomy_v2;
pub mod nexus;
