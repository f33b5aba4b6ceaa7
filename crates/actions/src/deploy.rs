//! Deploys the account without doing anything else (docs/protocol.md 2.11).

use super::{
    account::SmartAccountClient,
    default_paymaster::default_paymaster,
    options::BuildUserOpOptions,
    prepare_user_operation::read_owner_snapshot,
    send_transaction::{complete_transaction, prepare_owner_operation},
};
use crate::error::AppError;
use use_aa_protocol::user_op_response::UserOpResponse;

/// What is to be done; variables of `use_deploy_smart_account`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeploySmartAccountVariables {
    /// How the operation is built; sponsored where the server can, unless said otherwise.
    pub options: BuildUserOpOptions,
}

/// Sends one operation with init code and empty call data.
///
/// Without `paymaster_service_data` it is sponsored wherever the server sponsors pages.
///
/// # Errors
/// `AccountAlreadyDeployed` when the account has code; `AccountHasNoFunds` when nobody would pay: no paymaster mode
/// and no native balance. Otherwise as [`super::send_transaction::send_transaction`].
pub async fn deploy_smart_account(
    client: &SmartAccountClient,
    options: &BuildUserOpOptions,
) -> Result<UserOpResponse, AppError> {
    let account = client.account;
    let snapshot = read_owner_snapshot(client, options).await?;
    if snapshot.account.deployed {
        return Err(AppError::AccountAlreadyDeployed { account });
    }
    let options = default_paymaster(&snapshot, options);
    let paymaster_pays = options.paymaster_service_data.as_ref().is_some_and(|data| data.mode.is_some());
    if !paymaster_pays && snapshot.account.balance.is_zero() {
        return Err(AppError::AccountHasNoFunds { account });
    }
    let options = BuildUserOpOptions { use_empty_deploy_call_data: Some(true), ..options };
    let prepared = prepare_owner_operation(client, &snapshot, &[], &options).await?;
    complete_transaction(client, &prepared).await
}
