//! Entry point 0.7 with the real Nexus and our Smart Sessions: vectors 15 to 18 on a real anvil, and the traps that the
//! contracts set.

mod abi;
mod accounts;
mod entry_point;
mod sessions;
mod sessions_entry_point;
mod token_paymaster;
mod traps;
mod validators;
mod world;
