//! The server: what must stay secret, relayed.
#[cfg(feature = "ssr")]
pub mod config;
