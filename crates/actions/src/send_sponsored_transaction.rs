//! Calls that the owner signs and the dapp pays for.

use super::{
    account::SmartAccountClient,
    options::{BuildUserOpOptions, Options, merge_options},
    send_transaction::send_transaction,
};
use crate::error::AppError;
use use_aa_protocol::{smart_account::Call, user_op_response::UserOpResponse};

/// [`send_transaction`] with [`Options::sponsored`] below the caller's options.
///
/// # Errors
/// As [`send_transaction`]; `SponsorshipRefused` when nobody pays.
pub async fn send_sponsored_transaction(
    client: &SmartAccountClient,
    calls: &[Call],
    options: &BuildUserOpOptions,
) -> Result<UserOpResponse, AppError> {
    let options = merge_options([Options::sponsored(), options.clone()]);
    send_transaction(client, calls, &options).await
}
