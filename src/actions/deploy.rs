//! Deploys the account without doing anything else (SPEC 2.11).

use super::{
    account::SmartAccountClient,
    options::BuildUserOpOptions,
    prepare_user_operation::read_chain_snapshot,
    send_transaction::{complete_transaction, prepare_owner_operation},
};
use crate::{error::AppError, protocol::user_op_response::UserOpResponse};

/// Sends one operation with init code and empty call data.
///
/// # Errors
/// `InvalidInput` when the account has code already, or when nobody would pay: no paymaster mode and
/// no native balance. Otherwise as [`super::send_transaction::send_transaction`].
pub async fn deploy_smart_account(
    client: &SmartAccountClient,
    options: &BuildUserOpOptions,
) -> Result<UserOpResponse, AppError> {
    let snapshot = read_chain_snapshot(client.relay.as_ref(), client.account, options).await?;
    if snapshot.account.deployed {
        return Err(AppError::invalid("account", "an account without code", format!("{} (deployed)", client.account)));
    }
    let paymaster_pays = options.paymaster_service_data.as_ref().is_some_and(|data| data.mode.is_some());
    if !paymaster_pays && snapshot.account.balance.is_zero() {
        return Err(AppError::invalid("balance", "native balance or a paymaster to pay for the deployment", "0 wei"));
    }
    let options = BuildUserOpOptions { use_empty_deploy_call_data: Some(true), ..options.clone() };
    let prepared = prepare_owner_operation(client, &snapshot, &[], &options).await?;
    complete_transaction(client, &prepared).await
}
