//! The stream of an operation's states, read: pieces of text to lines, lines to updates, connections that are cut to one
//! stream that is not.

pub mod lines;
pub mod permits;
mod update;
#[cfg(any(target_arch = "wasm32", feature = "native"))]
pub mod watch;

pub use update::read_line;
