//! The bundler: fees, gas limits, sending.

use alloy::primitives::B256;
use leptos::server;
use serde_json::Value;

use super::call::Call;
use crate::{
    error::AppError,
    protocol::{
        rpc::{GasEstimate, GasFees, SimulationType},
        user_operation::UserOperation,
    },
};

#[cfg(feature = "ssr")]
mod checks;
#[cfg(feature = "ssr")]
mod client;
#[cfg(feature = "ssr")]
mod send;
#[cfg(feature = "ssr")]
mod status;

/// Fees to offer now: the bundler's own advice, else the node's.
#[server(name = GetGasFees, protocol = Call, prefix = "/api/fn", endpoint = "gas_fees")]
pub async fn gas_fees() -> Result<GasFees, AppError> {
    ssr::advised_fees(&super::state::server_state()?).await
}

/// Gas limits from the bundler, for an operation with a dummy signature.
/// `state_override` is passed on as the third parameter of `eth_estimateUserOperationGas`.
#[server(protocol = Call, prefix = "/api/fn", endpoint = "estimate_user_operation_gas")]
pub async fn estimate_user_operation_gas(
    user_operation: UserOperation,
    state_override: Option<Value>,
) -> Result<GasEstimate, AppError> {
    super::state::server_state()?.bundler().estimate(&user_operation, state_override).await
}

/// Hands a signed operation to the bundler and begins to watch it; the result is its hash.
#[server(protocol = Call, prefix = "/api/fn", endpoint = "send_user_operation")]
pub async fn send_user_operation(
    user_operation: UserOperation,
    simulation_type: Option<SimulationType>,
) -> Result<B256, AppError> {
    ssr::send_and_follow(&super::state::server_state()?, &user_operation, simulation_type).await
}

#[cfg(feature = "ssr")]
pub(super) mod ssr {
    use alloy::primitives::B256;

    use super::super::state::ServerState;
    pub(crate) use super::{client::Bundler, status::BundlerStatus};
    use crate::{
        error::AppError,
        protocol::{
            rpc::{GasFees, SimulationType},
            user_operation::UserOperation,
        },
    };

    /// Fees to offer now: the bundler's own advice, else the node's.
    pub(crate) async fn advised_fees(state: &ServerState) -> Result<GasFees, AppError> {
        match state.bundler().fees().await? {
            Some(fees) => Ok(fees),
            None => state.node().fees().await,
        }
    }

    /// Sends an operation and follows it from then on; the result is its hash.
    pub(crate) async fn send_and_follow(
        state: &ServerState,
        user_operation: &UserOperation,
        simulation_type: Option<SimulationType>,
    ) -> Result<B256, AppError> {
        let user_op_hash = state.bundler().send(user_operation, simulation_type).await?;
        state.watcher().follow_sent(user_op_hash, user_operation);
        Ok(user_op_hash)
    }
}
