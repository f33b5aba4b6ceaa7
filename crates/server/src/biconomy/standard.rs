//! `/rpc/{chainId}/{key}`: ERC-7769 (bundler) and ERC-7677 (paymaster) to the letter: truth values, hex quantities, the
//! operation in a field of its own, and the standards' error codes. Operations of the known entry points take the same way
//! as those of the pages; those of others that the bundler serves, and accounts of EIP-7702, are passed on (`unpacked.rs`).

use alloy::primitives::{Address, B256};
use serde_json::{Value, json};

use super::{
    super::{quantity::quantity, sponsor::Requester, state::ServerState},
    bundler, erc7677,
    errors::RpcError,
    operation::{self, Purpose},
    receipt,
    unpacked::{self, Given},
};
use use_aa_protocol::{entry_point::EntryPoint, rpc::GasEstimate};

/// Calls a method. Fees are no part of either standard: without the advice of the bundler in the two ways in which
/// clients ask for it, they would have to guess what it takes.
pub(super) async fn call(
    state: &ServerState,
    requester: Requester<'_>,
    method: &str,
    params: &[Value],
) -> Result<Value, RpcError> {
    match method {
        "eth_chainId" => Ok(json!(format!("{:#x}", state.config().chain_id))),
        "eth_supportedEntryPoints" => {
            let served = state.bundler().supported_entry_points().await?;
            Ok(json!(served.iter().map(Address::to_string).collect::<Vec<_>>()))
        }
        "eth_estimateUserOperationGas" => estimate(state, params).await,
        "eth_sendUserOperation" => send(state, params).await,
        "eth_getUserOperationByHash" => by_hash(state, operation::hash(params)?).await,
        "eth_getUserOperationReceipt" => mined(state, operation::hash(params)?).await,
        "pm_getPaymasterStubData" => erc7677::stub(state, params).await,
        "pm_getPaymasterData" => erc7677::data(state, requester, params).await,
        "pimlico_getUserOperationGasPrice" => {
            let fees = json!(state.advised_fees().await?);
            Ok(json!({"slow": fees, "standard": fees, "fast": fees}))
        }
        "rundler_maxPriorityFeePerGas" => Ok(json!(state.advised_fees().await?.max_priority_fee_per_gas)),
        other => Err(RpcError::method(other)),
    }
}

async fn estimate(state: &ServerState, params: &[Value]) -> Result<Value, RpcError> {
    let (entry_point, state_override) = match params {
        [_, entry_point] => (address(entry_point)?, None),
        [_, entry_point, state_override] => (address(entry_point)?, Some(state_override.clone())),
        _ => {
            return Err(RpcError::fields(
                "params should be userOperation, entryPoint and perhaps a state override set",
            ));
        }
    };
    match unpacked::given(params, entry_point, Purpose::Estimate)? {
        Given::Known(operation) => {
            let GasEstimate { call_gas_limit, verification_gas_limit, pre_verification_gas, paymaster } =
                state.estimate(&operation, state_override).await?;
            let mut limits = json!({
                "preVerificationGas": pre_verification_gas,
                "verificationGasLimit": verification_gas_limit,
                "callGasLimit": call_gas_limit,
            });
            if let Some(gas) = paymaster {
                limits["paymasterVerificationGasLimit"] = json!(gas.verification);
                limits["paymasterPostOpGasLimit"] = json!(gas.post_op);
            }
            Ok(limits)
        }
        Given::Other(operation) => {
            Ok(state.bundler().estimate_passed_on(&operation, entry_point, state_override).await?)
        }
    }
}

async fn send(state: &ServerState, params: &[Value]) -> Result<Value, RpcError> {
    let [_, entry_point] = params else {
        return Err(RpcError::fields("params should be userOperation and entryPoint"));
    };
    let entry_point = address(entry_point)?;
    Ok(json!(match unpacked::given(params, entry_point, Purpose::Send)? {
        Given::Known(operation) => state.send_and_follow(&operation, None).await?,
        Given::Other(operation) => state.bundler().send_passed_on(&operation, entry_point).await?,
    }))
}

/// An operation that waits has `null` for its block and transaction.
async fn by_hash(state: &ServerState, user_op_hash: B256) -> Result<Value, RpcError> {
    let Some(answer) = state.bundler().operation_by_hash(user_op_hash).await? else { return Ok(Value::Null) };
    let Some(operation) = answer.get("userOperation") else { return Ok(Value::Null) };
    let operation = std::slice::from_ref(operation);
    let entry_point = answer.get("entryPoint").map_or(Ok(EntryPoint::default().address()), address)?;
    let operation = match unpacked::given(operation, entry_point, Purpose::Told)? {
        // A bundler may lie: what is handed on is what was asked for.
        Given::Known(operation) if operation.hash(state.config().chain_id) != user_op_hash => return Ok(Value::Null),
        Given::Known(operation) => json!(operation),
        Given::Other(operation) => operation,
    };
    Ok(json!({
        "userOperation": operation,
        "entryPoint": entry_point.to_string(),
        "blockNumber": answer.get("blockNumber").and_then(quantity),
        "blockHash": answer.get("blockHash").and_then(super::super::receipt::hash),
        "transactionHash": answer.get("transactionHash").and_then(super::super::receipt::hash),
    }))
}

async fn mined(state: &ServerState, user_op_hash: B256) -> Result<Value, RpcError> {
    let Some(transaction) = bundler::transaction_of(state, user_op_hash).await? else { return Ok(Value::Null) };
    let known = EntryPoint::ALL.map(EntryPoint::address);
    if let Some(receipt) = known.into_iter().find_map(|known| receipt::standard(known, user_op_hash, &transaction)) {
        return Ok(receipt);
    }
    // Any contract can log such an event: only those of entry points count.
    let served = state.bundler().supported_entry_points().await?;
    let found = served.into_iter().find_map(|other| receipt::standard(other, user_op_hash, &transaction));
    Ok(found.unwrap_or_default())
}

pub(super) fn address(entry_point: &Value) -> Result<Address, RpcError> {
    let entry_point = entry_point.as_str().and_then(|text| text.parse().ok());
    entry_point.ok_or_else(|| RpcError::fields("entryPoint should be an address"))
}
