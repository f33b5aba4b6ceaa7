//! A session of a Nexus account pays for itself unless its owner let others: the account would refuse an operation with a
//! paymaster while it is validated, and whoever sent it would only be told by the bundler. The module is asked before.

use alloy::{primitives::keccak256, sol_types::SolValue};
use serde_json::json;

use super::super::node::ChainNode;
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    entry_point::{EntryPoint, v07},
    nexus::NonceKey,
    revert::revert_data,
    smart_sessions::{addresses::SMART_SESSION, revert_words},
    user_operation::UserOperation,
};

/// What stands for the paymaster's field: the module looks whether there is one.
const SOME_PAYMASTER: [u8; v07::PAYMASTER_DATA_OFFSET] = [1; v07::PAYMASTER_DATA_OFFSET];

/// Does the session that signs the operation let others pay for it, and its policies let the calls through? Owners' operations
/// are not asked about, nor are those whose signature is not there yet.
///
/// # Errors
/// Those of the node.
pub(super) async fn may_be_paid_for(
    node: &ChainNode,
    chain_id: u64,
    operation: &UserOperation,
) -> Result<Result<(), String>, AppError> {
    let signs = |key: NonceKey| key.validator == SMART_SESSION;
    let is_session = operation.entry_point == EntryPoint::V07
        && !operation.signature.is_empty()
        && NonceKey::of_nonce(operation.nonce).is_ok_and(|(key, _)| signs(key));
    if !is_session {
        return Ok(Ok(()));
    }
    let paymaster_and_data = SOME_PAYMASTER.to_vec().into();
    let paid = UserOperation { paymaster_and_data, ..operation.clone() };
    let question = (v07::pack(&paid)?, paid.hash(chain_id));
    let selector =
        keccak256("validateUserOp((address,uint256,bytes,bytes,bytes32,uint256,bytes32,bytes,bytes),bytes32)");
    let data = [&selector[..4], &question.abi_encode_params()].concat();
    let call =
        json!([{"from": operation.sender, "to": SMART_SESSION, "data": format!("0x{}", hex::encode(data))}, "latest"]);
    let answer = node.batch(&[("eth_call", call)]).await?.into_iter().next();
    Ok(match answer {
        Some(Err(AppError::UpstreamRejected { data: Some(data), .. })) => match revert_data(&data) {
            Some(reverted) if reverted.len() >= 4 => {
                Err(format!("the session does not allow the operation with a paymaster: {}", revert_words(&reverted)))
            }
            _ => Ok(()),
        },
        // Whatever else the node says, the bundler will look, too.
        _ => Ok(()),
    })
}
