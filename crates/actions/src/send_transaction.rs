//! Calls that the owner signs.

use super::{
    account::SmartAccountClient,
    options::{BuildUserOpOptions, Options, merge_options},
    prepare_user_operation::{
        ChainSnapshot, PreparedUserOperation, UserOperationDraft, prepare_user_operation, read_owner_snapshot,
    },
    send_user_operation::sign_and_send_user_operation,
    token_payment::{self, TokenPayment},
};
use crate::error::AppError;
use use_aa_protocol::{call::Call, user_op_response::UserOpResponse};

/// What is to be done; variables of `use_send_transaction` and
/// `use_send_sponsored_transaction`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SendTransactionVariables {
    /// What to do, in one operation.
    pub calls: Vec<Call>,
    /// How the operation is built.
    pub options: BuildUserOpOptions,
}

/// Makes the account do `calls` in one operation, deploying it first when it has no code.
///
/// Without `paymaster_service_data` the account pays its gas.
///
/// # Errors
/// `InvalidInput` when `calls` is empty; those of preparing, of the wallet and of the bundler.
pub async fn send_transaction(
    client: &SmartAccountClient,
    calls: &[Call],
    options: &BuildUserOpOptions,
) -> Result<UserOpResponse, AppError> {
    let prepared = prepare_transaction(client, calls, options).await?;
    complete_transaction(client, &prepared).await
}

/// The part of [`send_transaction`] that can be done while a person still reads: all but sign and send.
pub async fn prepare_transaction(
    client: &SmartAccountClient,
    calls: &[Call],
    options: &BuildUserOpOptions,
) -> Result<PreparedUserOperation, AppError> {
    let snapshot = read_owner_snapshot(client, options).await?;
    prepare_owner_operation(client, &snapshot, calls, options).await
}

/// Signs and sends what [`prepare_transaction`] made.
pub async fn complete_transaction(
    client: &SmartAccountClient,
    prepared: &PreparedUserOperation,
) -> Result<UserOpResponse, AppError> {
    sign_and_send_user_operation(client, prepared).await
}

/// Prepares calls for the owner's signature over a snapshot that was read already. When gas is paid in a token and the
/// paymaster may not take enough of it, the approval comes first.
pub(super) async fn prepare_owner_operation(
    client: &SmartAccountClient,
    snapshot: &ChainSnapshot,
    calls: &[Call],
    options: &BuildUserOpOptions,
) -> Result<PreparedUserOperation, AppError> {
    let relay = client.relay.as_ref();
    let mut draft = draft(client, snapshot, calls, options)?;
    let Some(data) = token_payment::asked(options) else {
        return prepare_user_operation(relay, snapshot, draft, options).await;
    };
    let unpaid = draft.unpaid(snapshot);
    let payment = TokenPayment::find(relay, &unpaid, options, snapshot.account.clocks).await?;
    let max_approval = data.max_approval.unwrap_or(false);
    let approvals = payment.missing_approvals(relay, client.account, &draft.call_data, max_approval).await?;
    if !approvals.is_empty() && draft.call_data.is_empty() {
        let reason = "an operation that only deploys cannot approve the fee; pay it in another way".into();
        return Err(AppError::GasTokenRefused { reason });
    }
    if !approvals.is_empty() {
        let calls = client.kind().decode_calls(&draft.call_data)?;
        draft.call_data = client.kind().encode_calls(&[approvals, calls].concat(), true)?;
    }
    let quoted = Options::gas_token_fee_quote(payment.quote, Some(payment.spender), max_approval);
    prepare_user_operation(relay, snapshot, draft, &merge_options([options.clone(), quoted])).await
}

/// What the owner's operation does, before anybody pays.
pub(super) fn draft(
    client: &SmartAccountClient,
    snapshot: &ChainSnapshot,
    calls: &[Call],
    options: &BuildUserOpOptions,
) -> Result<UserOperationDraft, AppError> {
    let call_data = if options.use_empty_deploy_call_data.unwrap_or(false) {
        Default::default()
    } else {
        client.kind().encode_calls(calls, options.force_encode_for_batch.unwrap_or(false))?
    };
    Ok(UserOperationDraft {
        entry_point: client.kind().entry_point(),
        sender: client.account,
        init_code: client.init_code(snapshot.account.deployed),
        call_data,
        dummy_signature: client.kind().owner_stub(),
    })
}
