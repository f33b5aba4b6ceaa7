//! The ports of [`crate::actions::ports`] in a browser: wallets, session store, relay.
//!
//! What needs a browser compiles with the feature `hydrate` only; the rest is plain logic, tested natively.

#[cfg(feature = "hydrate")]
pub mod browser_storage;
pub mod operation_log;
#[cfg(feature = "hydrate")]
pub mod relay;
pub mod relay_lines;
#[cfg(feature = "ssr")]
pub mod relay_native;
pub mod relay_watch;
pub mod remembered;
pub mod session_store;
pub mod time;
pub mod turns;
pub mod wallet;
#[cfg(feature = "hydrate")]
pub mod web_locks;
