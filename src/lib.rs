//! # use-aa
//!
//! Biconomy's useAA hooks for [Leptos](https://leptos.dev), with the server that relays for them.
//!
//! | Module | What it holds |
//! |---|---|
//! | [`protocol`] | user operations, session leaves, Merkle trees, signatures: pure, the same bytes on both sides |
//! | [`actions`] | one verb per file, free of Leptos, over the traits of [`actions::ports`] |
#![warn(missing_docs)]

pub mod actions;
pub mod error;
pub mod protocol;

/// Entry point of the page: hydrates its islands.
#[cfg(feature = "hydrate")]
#[allow(unsafe_code)]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
}
