//! The stream of an operation's states, read: pieces of text to lines, lines to updates, connections that are cut to one
//! stream that is not; and one connection for all tabs of a browser.

pub mod lines;
#[cfg(any(target_arch = "wasm32", feature = "native"))]
pub mod shared;
mod update;
#[cfg(any(target_arch = "wasm32", feature = "native"))]
pub mod watch;

pub use update::{read_line, read_named_line};
