//! # use-aa
//!
//! Biconomy's useAA hooks for [Leptos](https://leptos.dev), with the server that relays for them.
//!
//! ## In your app
//!
//! ```toml
//! [dependencies]
//! use-aa = { path = "…", default-features = false }
//!
//! [features]
//! ssr = ["use-aa/ssr", "leptos/ssr"]
//! hydrate = ["use-aa/hydrate", "leptos/hydrate"]
//! ```
//!
//! Wrap the part of the page that needs an account into a `hooks::SmartAccountProvider` and call hooks below it;
//! `http::serve` serves your app together with the functions that the hooks call. `examples/starter` is such
//! an app. Without hooks, on a server or in a script: [`actions::account::SmartAccountClient`], as in
//! `examples/create_batch_session.rs`.
//!
//! ## Where to look
//!
//! | Module | What it holds | For you |
//! |---|---|---|
//! | `hooks` | what components call: the useAA hooks | first |
//! | [`actions`] | one verb per file, free of Leptos, over the traits of [`actions::ports`] | below the hooks |
//! | [`protocol`] | user operations, session leaves, Merkle trees, signatures: pure, the same bytes on both sides | below that |
//! | `client` | the ports in a browser: wallets, session store, relay | to bring your own |
//! | `api`, `http` | server functions, and the routes around them | to serve |
//! | `server` | the services behind them, with their configuration | to serve |
//! | `components` | building blocks of our own pages | to copy |
//! | `demos`, `pages`, `app` | our own pages, with the feature `app` | – |
//! | `dan`, `lab` | nodes that share session keys; a local network of real programs (server side, with `app`) | to run, in tests |
//!
//! [`protocol`], [`actions`] and `server` are crates of their own: `use-aa-protocol`, `use-aa-actions`, `use-aa-server`.
//!
//! ## Features
//!
//! `ssr`: the server; `hydrate`: the browser; exactly one of them in each build. `lazy`: what the first view does not
//! need in chunks of its own (`cargo xtask page`, or `cargo leptos --split`). `app`, on by default: our own pages and
//! program. `postgres`: the server's ledger and keys in PostgreSQL, too (with `app` always).
#![warn(missing_docs)]

pub use use_aa_actions::{self as actions, error};
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod api;
#[cfg(all(feature = "app", any(feature = "ssr", feature = "hydrate")))]
pub mod app;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod client;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod components;
#[cfg(all(feature = "app", feature = "ssr"))]
pub use use_aa_dan_node as dan;
#[cfg(all(feature = "app", any(feature = "ssr", feature = "hydrate")))]
pub mod demos;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod hooks;
#[cfg(feature = "ssr")]
pub mod http;
#[cfg(all(feature = "app", feature = "ssr"))]
pub use use_aa_lab as lab;
#[cfg(all(feature = "app", any(feature = "ssr", feature = "hydrate")))]
pub mod pages;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod prelude;
#[cfg(all(feature = "app", feature = "ssr"))]
pub mod program;
pub use use_aa_protocol as protocol;
/// The services of [`use_aa_server`], with [`http`] at the path that it once had.
#[cfg(feature = "ssr")]
pub mod server {
    pub use use_aa_server::*;

    pub use crate::http;
}

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
#[cfg(all(feature = "app", feature = "hydrate"))]
#[allow(unsafe_code)]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
}
