//! The approval of a fee that is taken before the calls (entry point v0.7): it cannot stand in front of them in the same
//! operation, so the owner makes it in one before.

use super::{
    account::SmartAccountClient,
    default_paymaster::default_paymaster,
    options::{BuildUserOpOptions, PaymasterServiceData},
    prepare_user_operation::read_owner_snapshot,
    send_transaction::{draft, send_transaction},
    token_payment::{TokenPayment, asked},
    wait_for_user_operation_receipt::wait_for_user_operation_receipt,
};
use crate::error::AppError;
use use_aa_protocol::{call::Call, user_op_response::UserOpResponse};

/// Sees to it that the paymaster may take its fee for these calls, where the options pay in a token and the fee is taken first:
/// has the owner approve what is missing in an operation of its own, and waits until that is mined. The approval is of the
/// quoted fee, or without limit with `max_approval`; it is sponsored wherever the server sponsors pages, else the account pays.
/// `on_approval` hears of it when the bundler has it. Gives the options to go on with: the quote that was approved is the one
/// that is paid.
///
/// Nothing happens with other options, and on entry points where the approval goes in front of the calls.
///
/// # Errors
/// `GasTokenRefused` when the token is not taken or the account has too little of it, before anything is signed;
/// `FeeQuoteExpired`; those of sending and of waiting.
pub async fn approve_fee_first(
    client: &SmartAccountClient,
    calls: &[Call],
    options: &BuildUserOpOptions,
    on_approval: &dyn Fn(&UserOpResponse),
) -> Result<BuildUserOpOptions, AppError> {
    let Some(data) = asked(options).filter(|_| client.kind().entry_point().takes_fee_first()) else {
        return Ok(options.clone());
    };
    let relay = client.relay.as_ref();
    let snapshot = read_owner_snapshot(client, options).await?;
    let unpaid = draft(client, &snapshot, calls, options)?.unpaid(&snapshot);
    let payment = TokenPayment::find(relay, &unpaid, options, snapshot.account.clocks).await?;
    let approvals = payment.approvals_before(relay, client.account, data.max_approval.unwrap_or(false)).await?;
    if !approvals.is_empty() {
        let paid = default_paymaster(&snapshot, &BuildUserOpOptions::default());
        let sent = send_transaction(client, &approvals, &paid).await?;
        on_approval(&sent);
        wait_for_user_operation_receipt(relay, sent.user_op_hash, |_| {}).await?;
    }
    let data = PaymasterServiceData {
        fee_quote: Some(payment.quote),
        spender: Some(payment.spender),
        preferred_token: None,
        ..data.clone()
    };
    Ok(BuildUserOpOptions { paymaster_service_data: Some(data), ..options.clone() })
}
