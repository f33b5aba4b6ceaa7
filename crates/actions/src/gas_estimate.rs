//! What an operation would cost at most, in wei.

use alloy::primitives::U256;

use super::{
    account::SmartAccountClient, options::BuildUserOpOptions, prepare_user_operation::read_owner_snapshot,
    send_transaction::prepare_owner_operation, token_payment::rich,
};
use crate::{error::AppError, options::merge_options};
use use_aa_protocol::smart_account::Call;

/// The most that an operation with these calls can cost, wei: its gas limits times the highest fee, as the entry point
/// wants it prefunded (docs/protocol.md 6.6). The account need not have it. Nothing is signed or sent; with a paymaster in the
/// options, that one is asked.
///
/// # Errors
/// Those of preparing the operation.
pub async fn get_gas_estimate(
    client: &SmartAccountClient,
    calls: &[Call],
    options: &BuildUserOpOptions,
) -> Result<U256, AppError> {
    let funded = BuildUserOpOptions { state_override_set: Some(rich(client.account)), ..Default::default() };
    let options = merge_options([funded, options.clone()]);
    let snapshot = read_owner_snapshot(client, &options).await?;
    let prepared = prepare_owner_operation(client, &snapshot, calls, &options).await?;
    Ok(prepared.required_prefund())
}
