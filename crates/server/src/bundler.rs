//! The bundler: fees, gas limits, sending.

mod advice;
mod checks;
mod client;
mod customs;
mod fee_advice;
mod passed_on;
mod refusal;
mod send;
mod status;

pub use advice::Advice;
pub use client::Bundler;
pub(crate) use status::BundlerStatus;
