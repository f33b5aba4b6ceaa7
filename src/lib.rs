//! # use-aa
//!
//! Biconomy's useAA hooks for [Leptos](https://leptos.dev), with the server that relays for them.
//!
//! | Module | What it holds |
//! |---|---|
//! | [`protocol`] | user operations, session leaves, Merkle trees, signatures: pure, the same bytes on both sides |
//! | [`actions`] | one verb per file, free of Leptos, over the traits of [`actions::ports`] |
//! | `client` | the ports in a browser: wallets, session store, relay |
//! | `hooks` | what components call: the useAA hooks |
//! | `components`, `demos`, `pages`, `app` | what a person sees; rendered by the server, interactive as islands |
//! | [`server`] | server functions and what they relay to |
//! | `dan` | the nodes that hold shares of distributed session keys (server side only) |
//! | `lab` | a local network of real programs (server side only) |
#![warn(missing_docs)]

pub mod actions;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod app;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod client;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod components;
#[cfg(feature = "ssr")]
pub mod dan;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod demos;
pub mod error;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod hooks;
#[cfg(feature = "ssr")]
pub mod lab;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod pages;
pub mod protocol;
pub mod server;

/// The README's code is compiled.
#[cfg(all(doctest, feature = "ssr"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// Room for the splitter. It lays the constants out anew, chunk by chunk, and copies those whose ends are shared (2 kB
/// of 160); when they no longer fit into their old place it moves all of them into the first load, 40 kB more over the
/// wire. Nothing refers to this static, so its place is free for that, and no file contains it.
#[cfg(feature = "lazy")]
#[used]
static ROOM: [u8; 1 << 14] = [1; 1 << 14];

/// Entry point of the page: hydrates its islands.
#[cfg(feature = "hydrate")]
#[allow(unsafe_code)]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
}
