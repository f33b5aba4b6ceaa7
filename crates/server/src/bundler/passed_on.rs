//! Operations of entry points that this server does not follow, as the bundler serves them. Nothing is known here of what
//! is in them, so their hash is the bundler's word; that a nonce can be used once holds for them, too.

use alloy::primitives::{Address, B256};
use serde_json::{Value, json};

use super::{
    super::{quantity::quantity, receipt},
    checks::state_override_set,
    client::Bundler,
};
use use_aa_actions::error::AppError;

impl Bundler {
    /// `eth_estimateUserOperationGas`: the limits that the bundler names, as hex.
    pub(crate) async fn estimate_passed_on(
        &self,
        operation: &Value,
        entry_point: Address,
        state_override: Option<Value>,
    ) -> Result<Value, AppError> {
        let mut params = vec![operation.clone(), json!(entry_point)];
        params.extend(state_override_set(state_override)?);
        let answer = self.rpc.call_value("eth_estimateUserOperationGas", Value::Array(params)).await?;
        let limits = answer.as_object().ok_or_else(|| self.rpc.malformed("eth_estimateUserOperationGas: no limits"))?;
        let known = limits.iter().filter_map(|(name, value)| Some((name.clone(), json!(quantity(value)?))));
        Ok(Value::Object(known.collect()))
    }

    /// `eth_sendUserOperation`: the hash that the bundler names.
    pub(crate) async fn send_passed_on(&self, operation: &Value, entry_point: Address) -> Result<B256, AppError> {
        let answer = self.rpc.call_value("eth_sendUserOperation", json!([operation, entry_point])).await?;
        receipt::hash(&answer).ok_or_else(|| self.rpc.malformed("eth_sendUserOperation: no hash"))
    }
}
