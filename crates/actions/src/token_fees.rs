//! What an operation would cost in tokens.

use super::{
    account::SmartAccountClient,
    options::{BuildUserOpOptions, Options, merge_options},
    prepare_user_operation::read_owner_snapshot,
    send_transaction::draft,
    token_payment::{fee_quotes, request},
};
use crate::error::AppError;
use use_aa_protocol::{paymaster::FeeQuotes, smart_account::Call};

/// Quotes for these calls in all tokens that the paymaster takes, or in the preferred one of the options. They cover an
/// approval that may be needed. Nothing is signed or sent.
///
/// # Errors
/// `GasTokenRefused` when no token paymaster is there; those of the [`Relay`](super::ports::Relay).
pub async fn get_token_fees(
    client: &SmartAccountClient,
    calls: &[Call],
    options: &BuildUserOpOptions,
) -> Result<FeeQuotes, AppError> {
    let options = merge_options([Options::gas_token_payment(), options.clone()]);
    let snapshot = read_owner_snapshot(client, &options).await?;
    let user_operation = draft(client, &snapshot, calls, &options)?.unpaid(&snapshot);
    fee_quotes(client.relay.as_ref(), &user_operation, &options, &request(&options)).await
}
