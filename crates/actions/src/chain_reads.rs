//! Reads of the chain through a relay, with a type.

use alloy::primitives::{Address, Bytes, U256};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::ports::Relay;
use crate::error::{AppError, Upstream};
use use_aa_protocol::quantity;

/// A number as nodes write it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Quantity(#[serde(with = "quantity")] pub(super) U256);

/// What is looked at of a block.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Block {
    timestamp: Quantity,
}

impl Block {
    /// Unix seconds.
    pub(super) fn time(self) -> u64 {
        self.timestamp.0.saturating_to()
    }
}

/// What a node answers.
pub(super) async fn read<T: DeserializeOwned>(relay: &dyn Relay, method: &str, params: Value) -> Result<T, AppError> {
    let answer = relay.read(method, params).await?;
    serde_json::from_value(answer).map_err(|error| malformed(format!("{method}: {error}")))
}

/// What a contract answers at the latest block.
pub(super) async fn eth_call(relay: &dyn Relay, to: Address, data: Bytes) -> Result<Bytes, AppError> {
    read(relay, "eth_call", json!([{"to": to, "data": data}, "latest"])).await
}

/// A contract's answer that is one word.
pub(super) async fn eth_call_word(relay: &dyn Relay, to: Address, data: Bytes, what: &str) -> Result<U256, AppError> {
    let answer = eth_call(relay, to, data).await?;
    let word = U256::try_from_be_slice(&answer).filter(|_| answer.len() == 32);
    word.ok_or_else(|| malformed(format!("{what}: expected one word, got {} bytes", answer.len())))
}

pub(super) fn malformed(reason: String) -> AppError {
    AppError::UpstreamMalformed { upstream: Upstream::Node, reason }
}
