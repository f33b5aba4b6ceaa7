//! Whom a paymaster asks.

use alloy::primitives::U256;
use serde_json::Value;

use super::super::{bundler::Bundler, node::ChainNode};
use use_aa_actions::error::AppError;
use use_aa_protocol::{rpc::GasEstimate, user_operation::UserOperation};

/// Gas of any transaction, which `preVerificationGas` must reach beside what the data costs.
const TRANSACTION_GAS: u64 = 21_000;

/// The chain and the bundler.
#[derive(Clone, Copy)]
pub struct Upstreams<'a> {
    pub(crate) node: &'a ChainNode,
    pub(crate) bundler: &'a Bundler,
}

impl Upstreams<'_> {
    /// The bundler's limits. Where the chain below takes a fee for the operation's bytes, `preVerificationGas` covers that
    /// in any case: a bundler that does not know of it would not include the operation, or at its own loss.
    ///
    /// # Errors
    /// As [`Bundler::estimate`].
    pub async fn estimate(
        self,
        user_operation: &UserOperation,
        state_override: Option<Value>,
    ) -> Result<GasEstimate, AppError> {
        // The estimate first: what it refuses at sight costs no question to the node.
        let estimate = self.bundler.estimate(user_operation, state_override);
        let data = async { Ok(self.node.data_gas(user_operation).await) };
        let (gas, data) = tokio::try_join!(biased; estimate, data)?;
        Ok(GasEstimate { pre_verification_gas: with_data(gas.pre_verification_gas, data), ..gas })
    }
}

/// At least what the data costs, where it costs anything.
pub(super) fn with_data(pre_verification_gas: U256, data: U256) -> U256 {
    match data {
        U256::ZERO => pre_verification_gas,
        data => pre_verification_gas.max(data.saturating_add(U256::from(TRANSACTION_GAS))),
    }
}
