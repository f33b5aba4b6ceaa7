//! Where sessions are kept: in the browser's local storage, or in memory.

#[cfg(feature = "hydrate")]
pub mod key_vault;
pub mod memory;
pub mod signers;
