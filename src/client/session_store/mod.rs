//! Where sessions are kept: in the browser's local storage, or in memory.

pub mod book_text;
#[cfg(feature = "hydrate")]
pub mod changes;
#[cfg(feature = "hydrate")]
pub mod key_vault;
#[cfg(feature = "hydrate")]
pub mod local;
pub mod memory;
pub mod signers;
