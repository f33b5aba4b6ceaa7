//! The bundler: fees, gas limits, sending.

use alloy::primitives::B256;
use leptos::server;
use serde_json::Value;

use super::call::FunctionCall;
use crate::{
    error::AppError,
    protocol::{
        rpc::{GasEstimate, GasFees, SimulationType},
        user_operation::UserOperation,
    },
};

/// Fees to offer now: the bundler's own advice, else the node's.
#[server(name = GetGasFees, protocol = FunctionCall, prefix = "/api/fn", endpoint = "gas_fees")]
pub async fn gas_fees() -> Result<GasFees, AppError> {
    super::server_state()?.advised_fees().await
}

/// Gas limits from the bundler, for an operation with a dummy signature.
/// `state_override` is passed on as the third parameter of `eth_estimateUserOperationGas`.
#[server(protocol = FunctionCall, prefix = "/api/fn", endpoint = "estimate_user_operation_gas")]
pub async fn estimate_user_operation_gas(
    user_operation: UserOperation,
    state_override: Option<Value>,
) -> Result<GasEstimate, AppError> {
    super::server_state()?.estimate(&user_operation, state_override).await
}

/// A signed operation that was sent, while this server or a bundler has it: whoever replaces it needs all of it.
#[server(name = GetSentOperation, protocol = FunctionCall, prefix = "/api/fn", endpoint = "sent_operation")]
pub async fn sent_operation(user_op_hash: B256) -> Result<Option<UserOperation>, AppError> {
    super::server_state()?.watcher().signed(user_op_hash).await
}

/// Hands a signed operation to the bundler and begins to watch it; the result is its hash.
#[server(protocol = FunctionCall, prefix = "/api/fn", endpoint = "send_user_operation")]
pub async fn send_user_operation(
    user_operation: UserOperation,
    simulation_type: Option<SimulationType>,
) -> Result<B256, AppError> {
    super::server_state()?.send_and_follow(&user_operation, simulation_type).await
}
