//! The ports of [`crate::actions::ports`] in a browser: wallets, session store, relay.
//!
//! What needs a browser compiles with the feature `hydrate` only; the rest is plain logic, tested natively. Ports for
//! programs without a browser are in [`crate::actions::adapters`], and at the paths that they had here.

pub mod address_book;
#[cfg(feature = "hydrate")]
pub mod browser_storage;
pub mod operation_log;
#[cfg(feature = "hydrate")]
mod patience;
#[cfg(feature = "hydrate")]
pub mod relay;
#[cfg(feature = "ssr")]
pub use use_aa_actions::adapters::http_relay as relay_native;
pub mod remembered;
pub mod session_store;
#[cfg(feature = "hydrate")]
mod status;
pub mod time;
pub mod wallet;
#[cfg(feature = "hydrate")]
pub mod web_locks;
