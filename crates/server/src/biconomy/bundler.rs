//! The bundler's methods (docs/protocol.md 4.2, 4.4).

use alloy::primitives::B256;
use serde_json::{Value, json};

use super::{
    super::{bundler::BundlerStatus, quantity::quantity, state::ServerState},
    errors::RpcError,
    operation::{self, Purpose, number},
    receipt,
};
use use_aa_protocol::{addresses::ENTRY_POINT, user_operation::UserOperation};

/// Calls a method of the bundler.
pub(super) async fn call(state: &ServerState, method: &str, params: &[Value]) -> Result<Value, RpcError> {
    match method {
        "eth_chainId" => Ok(json!(format!("{:#x}", state.config().chain_id))),
        "eth_supportedEntryPoints" => Ok(json!([ENTRY_POINT])),
        "biconomy_getGasFeeValues" => fees(state).await,
        "eth_estimateUserOperationGas" => estimate(state, params).await,
        "eth_sendUserOperation" => send(state, params).await,
        "biconomy_getUserOperationStatus" => status(state, operation::hash(params)?).await,
        "eth_getUserOperationReceipt" => {
            let user_op_hash = operation::hash(params)?;
            Ok(mined(state, user_op_hash).await?.unwrap_or(Value::Null))
        }
        "eth_getUserOperationByHash" => by_hash(state, operation::hash(params)?).await,
        other => Err(RpcError::method(other)),
    }
}

/// Decimal text, wei.
async fn fees(state: &ServerState) -> Result<Value, RpcError> {
    let fees = state.advised_fees().await?;
    Ok(json!({
        "maxPriorityFeePerGas": fees.max_priority_fee_per_gas.to_string(),
        "maxFeePerGas": fees.max_fee_per_gas.to_string(),
    }))
}

/// Limits as numbers, fees as decimal text. The SDK leaves the fees out when it does not know them.
async fn estimate(state: &ServerState, params: &[Value]) -> Result<Value, RpcError> {
    if !(2..=3).contains(&params.len()) {
        return Err(RpcError::fields("params should be userOp, entryPoint and perhaps a stateOverrideSet"));
    }
    let operation = operation::read(params, 0, Purpose::Estimate)?;
    operation::entry_point(params, 1)?;
    // Fees that are left out stay zero: then the limits are found for accounts, too, that have nothing to pay with.
    let (fees, gas) =
        tokio::try_join!(state.advised_fees(), state.upstreams().estimate(&operation, params.get(2).cloned()))?;
    Ok(json!({
        "callGasLimit": number(gas.call_gas_limit),
        "verificationGasLimit": number(gas.verification_gas_limit),
        "preVerificationGas": number(gas.pre_verification_gas),
        // The window of a signature is not known of a dummy: unbounded.
        "validUntil": "0xffffffffffff",
        "validAfter": "0x00",
        "maxPriorityFeePerGas": fees.max_priority_fee_per_gas.to_string(),
        "maxFeePerGas": fees.max_fee_per_gas.to_string(),
    }))
}

async fn send(state: &ServerState, params: &[Value]) -> Result<Value, RpcError> {
    if !(2..=3).contains(&params.len()) {
        return Err(RpcError::fields("params should be userOp, entryPoint and perhaps a simulation_type"));
    }
    let operation = operation::read(params, 0, Purpose::Send)?;
    operation::entry_point(params, 1)?;
    if simulates_execution(params.get(2))? {
        execute_in_thought(state, &operation).await?;
    }
    Ok(json!(state.send_and_follow(&operation, None).await?))
}

/// The third parameter: validation only (the bundler always does that), or execution as well.
fn simulates_execution(param: Option<&Value>) -> Result<bool, RpcError> {
    let wrong = || RpcError::fields("simulation_type should be validation or validation_and_execution");
    match param {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Object(fields)) => match fields.get("simulation_type").map(Value::as_str) {
            None | Some(Some("validation")) => Ok(false),
            Some(Some("validation_and_execution")) => Ok(true),
            Some(_) => Err(wrong()),
        },
        Some(_) => Err(wrong()),
    }
}

/// An estimate runs the call: what would revert is refused before it costs anything.
async fn execute_in_thought(state: &ServerState, operation: &UserOperation) -> Result<(), RpcError> {
    state.bundler().estimate(operation, None).await?;
    Ok(())
}

/// Where an operation is, in the service's words.
async fn status(state: &ServerState, user_op_hash: B256) -> Result<Value, RpcError> {
    let of_transaction = async |transaction_hash: B256| {
        let transaction = state.node().transaction_receipt(transaction_hash).await?;
        let receipt = transaction.and_then(|transaction| receipt::of(user_op_hash, transaction));
        Ok::<_, RpcError>(receipt.map(confirmed))
    };
    match state.bundler().status(user_op_hash).await? {
        BundlerStatus::Waiting => Ok(json!({"state": "BUNDLER_MEMPOOL"})),
        BundlerStatus::Bundled(transaction_hash) => Ok(of_transaction(transaction_hash)
            .await?
            .unwrap_or_else(|| json!({"state": "SUBMITTED", "transactionHash": transaction_hash}))),
        BundlerStatus::Done(done) => Ok(of_transaction(done.transaction_hash)
            .await?
            .unwrap_or_else(|| json!({"state": "SUBMITTED", "transactionHash": done.transaction_hash}))),
        BundlerStatus::Dropped { reason, transaction_hash: None } => {
            Ok(json!({"state": "DROPPED_FROM_BUNDLER_MEMPOOL", "message": reason}))
        }
        BundlerStatus::Dropped { reason, transaction_hash: Some(transaction_hash) } => {
            // The chain has the last word: somebody else may have bundled it.
            let message = format!("Transaction failed on chain with message: {reason}");
            Ok(of_transaction(transaction_hash)
                .await?
                .unwrap_or_else(|| json!({"state": "FAILED", "transactionHash": transaction_hash, "message": message})))
        }
        BundlerStatus::UnknownToThoseAsked(Some(error)) => Err(error.into()),
        BundlerStatus::Unknown | BundlerStatus::UnknownToThoseAsked(None) | BundlerStatus::Silent => {
            match mined(state, user_op_hash).await? {
                Some(receipt) => Ok(confirmed(receipt)),
                None => Err(RpcError::unknown_hash()),
            }
        }
    }
}

fn confirmed(receipt: Value) -> Value {
    json!({
        "state": "CONFIRMED",
        "transactionHash": receipt["receipt"]["transactionHash"],
        "message": "",
        "userOperationReceipt": receipt,
    })
}

/// The receipt of a mined operation, read from its transaction.
async fn mined(state: &ServerState, user_op_hash: B256) -> Result<Option<Value>, RpcError> {
    let transaction = transaction_of(state, user_op_hash).await?;
    Ok(transaction.and_then(|transaction| receipt::of(user_op_hash, transaction)))
}

/// The receipt of the transaction that a bundler names for an operation; what is in it is the chain's word.
pub(super) async fn transaction_of(state: &ServerState, user_op_hash: B256) -> Result<Option<Value>, RpcError> {
    let transaction_hash = match state.bundler().status(user_op_hash).await? {
        BundlerStatus::Bundled(hash) | BundlerStatus::Dropped { transaction_hash: Some(hash), .. } => Some(hash),
        BundlerStatus::Done(done) => Some(done.transaction_hash),
        BundlerStatus::Waiting | BundlerStatus::Dropped { .. } => None,
        // Bundlers forget the state of an operation before its receipt.
        BundlerStatus::UnknownToThoseAsked(Some(error)) => return Err(error.into()),
        BundlerStatus::Unknown | BundlerStatus::UnknownToThoseAsked(None) | BundlerStatus::Silent => {
            state.bundler().receipt(user_op_hash).await?.map(|receipt| receipt.transaction_hash)
        }
    };
    let Some(transaction_hash) = transaction_hash else { return Ok(None) };
    Ok(state.node().transaction_receipt(transaction_hash).await?)
}

/// The operation with the transaction it is in. Its fields lie flat, as the service has them, and once more in
/// `userOperation`, as ERC-4337 has them.
async fn by_hash(state: &ServerState, user_op_hash: B256) -> Result<Value, RpcError> {
    let Some(answer) = state.bundler().operation_by_hash(user_op_hash).await? else { return Ok(Value::Null) };
    let Some(operation) = answer.get("userOperation") else { return Ok(Value::Null) };
    // It may be for another entry point, of which clients of this service know nothing: `standard.rs` tells those.
    let Ok(parsed) = operation::read(std::slice::from_ref(operation), 0, Purpose::Sponsor) else {
        return Ok(Value::Null);
    };
    // A bundler may lie: what is handed on is what was asked for.
    if parsed.hash(state.config().chain_id) != user_op_hash {
        return Ok(Value::Null);
    }
    let mut flat = json!(parsed);
    flat["userOperation"] = json!(parsed);
    flat["sender"] = json!(parsed.sender.to_string());
    flat["entryPoint"] = json!(ENTRY_POINT);
    flat["transactionHash"] = answer.get("transactionHash").cloned().unwrap_or_default();
    flat["blockNumber"] = answer.get("blockNumber").and_then(quantity).map_or(Value::Null, number);
    flat["blockHash"] = answer.get("blockHash").cloned().unwrap_or_default();
    Ok(flat)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_simulation_type_is_optional_but_checked() {
        assert_eq!(simulates_execution(None), Ok(false));
        assert_eq!(simulates_execution(Some(&json!({"simulation_type": "validation"}))), Ok(false));
        assert_eq!(simulates_execution(Some(&json!({"simulation_type": "validation_and_execution"}))), Ok(true));
        assert!(simulates_execution(Some(&json!({"simulation_type": "none"}))).is_err());
        assert!(simulates_execution(Some(&json!("validation"))).is_err());
    }
}
