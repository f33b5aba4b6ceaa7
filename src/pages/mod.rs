//! One module per route, and the frame around all of them.
mod answer;
pub mod frame;
pub mod home;
pub mod hooks;
mod look_up;
pub mod not_found;
pub mod operation;
pub mod sessions;
