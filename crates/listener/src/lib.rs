//! Listeners that silent, slow and greedy callers cannot use up.
//!
//! | A caller … | What happens |
//! |---|---|
//! | connects and says nothing, or not a whole head | closed after [`Room::head`] |
//! | keeps a connection for later | closed after [`Room::idle`] |
//! | asks, and does not take the answer in | closed after [`Room::stall`] |
//! | opens more than there is room for | whoever has most gives one up, silent ones first |
//! | makes the process run out of descriptors | the limit is raised at the start; below it accepting pauses, and goes on |
#![warn(missing_docs)]

mod connections;
pub mod descriptors;
mod flow;
mod serve;

pub use connections::{Asking, Connections, Room, Seat};
pub use serve::{OwnerOf, accept, serve};
/// By what a listener is told to stop.
pub use tokio_util::sync::CancellationToken;
