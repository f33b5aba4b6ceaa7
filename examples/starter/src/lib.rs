//! A small app on use-aa, to begin with: connect a wallet, grant one session, act with it, see what became of it.

mod app;
mod connect;
mod grant;
mod mint;
mod outcome;

pub use app::{App, shell};

/// Entry point in the browser.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
