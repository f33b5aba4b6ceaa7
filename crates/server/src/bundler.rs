//! The bundler: fees, gas limits, sending.

mod checks;
mod client;
mod passed_on;
mod send;
mod status;

pub use client::Bundler;
pub(crate) use status::BundlerStatus;
