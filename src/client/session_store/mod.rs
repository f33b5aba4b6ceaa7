//! Where sessions are kept: in the browser's local storage, in memory, or in files. Any other place: implement
//! [`SessionStore`](crate::actions::ports::SessionStore).

pub mod book_text;
#[cfg(feature = "hydrate")]
pub mod changes;
#[cfg(feature = "ssr")]
pub mod file;
#[cfg(feature = "hydrate")]
pub mod key_vault;
#[cfg(feature = "hydrate")]
pub mod local;
pub mod memory;
pub mod signers;
pub mod transfer;
