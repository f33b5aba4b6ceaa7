//! One module per route, and the frame around all of them.
pub mod frame;
pub mod home;
pub mod hooks;
pub mod not_found;
pub mod sessions;
