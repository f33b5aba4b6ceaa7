//! The bundler: fees, gas limits, sending.

mod checks;
mod client;
mod send;
mod status;

use alloy::primitives::B256;

use super::{fees, state::ServerState};
pub use client::Bundler;
pub(crate) use status::BundlerStatus;
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    rpc::{GasFees, SimulationType},
    user_operation::UserOperation,
};

/// Fees to offer now: the bundler's own advice as far as it is believed, else the node's.
pub async fn advised_fees(state: &ServerState) -> Result<GasFees, AppError> {
    fees::advised(state.node(), state.bundler()).await
}

/// Sends an operation and follows it from then on; the result is its hash.
pub async fn send_and_follow(
    state: &ServerState,
    user_operation: &UserOperation,
    simulation_type: Option<SimulationType>,
) -> Result<B256, AppError> {
    let user_op_hash = state.bundler().send(user_operation, simulation_type).await?;
    state.watcher().follow_sent(user_op_hash, user_operation);
    Ok(user_op_hash)
}
