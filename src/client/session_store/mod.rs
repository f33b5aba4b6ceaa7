//! Where sessions are kept: in the browser's local storage, in memory, or in files. Any other place: implement
//! [`SessionStore`](crate::actions::ports::SessionStore).

pub mod book_text;
#[cfg(feature = "hydrate")]
pub mod changes;
#[cfg(feature = "hydrate")]
pub mod forgetting;
#[cfg(feature = "hydrate")]
pub mod key_vault;
#[cfg(feature = "hydrate")]
pub mod local;
#[cfg(feature = "hydrate")]
pub mod nexus;
#[cfg(feature = "hydrate")]
pub mod persistence;
pub mod transfer;
#[cfg(feature = "hydrate")]
pub mod unless_forgotten;

#[cfg(feature = "ssr")]
pub use use_aa_actions::adapters::file_store as file;
pub use use_aa_actions::adapters::{memory_store as memory, stored_keys as signers};
