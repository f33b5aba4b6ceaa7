//! The ports of [`crate::ports`] as programs and pages share them. Those of a browser alone are in `use_aa::client`.
//!
//! | Module | Port | Where |
//! |---|---|---|
//! | [`local_wallet`] | wallet over a key held here | everywhere |
//! | [`memory_store`] | session store that ends with the process | everywhere |
//! | `file_store` | session store on disk, keys encrypted | feature `native` |
//! | `http_relay` | relay over a server's HTTP interface | feature `native` |
//! | [`status_stream`], [`stored_keys`] | what relays and stores are made of | everywhere |

#[cfg(feature = "native")]
pub mod file_store;
#[cfg(feature = "native")]
pub mod http_relay;
mod kept_records;
pub mod local_wallet;
pub mod memory_store;
pub mod status_stream;
pub mod stored_keys;
#[cfg(any(target_arch = "wasm32", feature = "native"))]
pub mod timer;
