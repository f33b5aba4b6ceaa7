//! The bundler: fees, gas limits, sending.

mod checks;
mod client;
mod customs;
mod fee_advice;
mod passed_on;
mod send;
mod status;

pub use client::Bundler;
pub use fee_advice::Advice;
pub(crate) use status::BundlerStatus;
