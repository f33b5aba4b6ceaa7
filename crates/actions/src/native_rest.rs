//! Operations that take out all of the native currency but what they cost themselves.

use alloy::primitives::{Address, B256, U256};
use serde_json::{Value, json};

use super::{
    account::SmartAccountClient,
    fee_funds::{NativeFunds, read_deposit},
    options::{BuildUserOpOptions, merge_json, merge_options},
    prepare_user_operation::{ChainSnapshot, PreparedUserOperation, read_owner_snapshot},
    raise_fees::raised,
    send_transaction::{complete_transaction, prepare_owner_operation},
    send_user_operation::{send_user_operation, sign_user_operation},
    token_payment::rich,
};
use crate::error::AppError;
use use_aa_protocol::{entry_point::EntryPoint, smart_account::Call, user_op_response::UserOpResponse};

/// How often the rest that is left for gas is reckoned anew: each round is nearer.
const ROUNDS: usize = 3;

/// An operation of `calls`, to which the rest is told: all of `left` that the gas does not take.
///
/// What is left for gas hangs on the operation, and the operation on what is left: two rounds are enough unless fees
/// move.
pub(super) async fn prepare_rest(
    client: &SmartAccountClient,
    snapshot: &ChainSnapshot,
    calls: impl Fn(U256) -> Vec<Call>,
    left: U256,
    options: &BuildUserOpOptions,
) -> Result<PreparedUserOperation, AppError> {
    if is_paid_by_others(options) {
        return prepare_owner_operation(client, snapshot, &calls(left), options).await;
    }
    // The estimate shall not fail for the very ether that is not left yet.
    let entry_point = client.kind().entry_point();
    let state = merge_json(rich(client.account), rich_deposit(entry_point, client.account));
    let funded = BuildUserOpOptions { state_override_set: Some(state), ..Default::default() };
    let options = merge_options([funded, options.clone()]);
    let mut rest = left;
    let mut cost = U256::ZERO;
    for _ in 0..ROUNDS {
        let prepared = prepare_owner_operation(client, snapshot, &calls(rest), &options).await?;
        cost = prepared.required_prefund();
        if rest.checked_add(cost).is_some_and(|needed| needed <= left) {
            return Ok(prepared);
        }
        // Other bytes in the call data cost other gas: 1 % covers them.
        let kept = cost.saturating_add(cost / U256::from(100));
        rest = left.checked_sub(kept).filter(|rest| !rest.is_zero()).ok_or_else(|| too_little(cost, left))?;
    }
    Err(too_little(cost, left))
}

/// State override that gives the account a deposit of 2^96 wei: an estimate takes more of it than the operation will.
fn rich_deposit(entry_point: EntryPoint, account: Address) -> Value {
    let (entry_point, slot) = (entry_point.address(), EntryPoint::deposit_slot(account));
    json!({ entry_point.to_string(): { "stateDiff": { slot.to_string(): B256::from(U256::from(1) << 96) } } })
}

fn is_paid_by_others(options: &BuildUserOpOptions) -> bool {
    options.paymaster_service_data.as_ref().is_some_and(|data| data.mode.is_some())
}

fn too_little(cost: U256, left: U256) -> AppError {
    AppError::invalid("balance", format!("more than {cost} wei, which the gas may cost"), format!("{left} wei"))
}

/// An operation of `calls`, after which the account holds no native currency: balance and deposit at the entry point go
/// to the owner, but for what the operation may cost when the account pays for it.
///
/// # Errors
/// Those of preparing; of a sponsor that does not pay for such an operation the reason says how to go on.
pub(super) async fn prepare_with_withdrawal(
    client: &SmartAccountClient,
    snapshot: &ChainSnapshot,
    calls: Vec<Call>,
    options: &BuildUserOpOptions,
) -> Result<PreparedUserOperation, AppError> {
    let funds = funds_of(client, snapshot).await?;
    if funds.total().is_zero() {
        return prepare_owner_operation(client, snapshot, &calls, options).await;
    }
    let with_rest = |rest| [calls.clone(), withdrawals(client, funds.balance, rest)].concat();
    prepare_rest(client, snapshot, with_rest, funds.total(), options).await.map_err(|error| match error {
        AppError::SponsorshipRefused { reason } => AppError::SponsorshipRefused {
            reason: format!("{reason}. The account's native currency was to be withdrawn with it: try without"),
        },
        other => other,
    })
}

/// The calls of [`prepare_with_withdrawal`] where others pay, for whoever has to know them before.
pub(super) async fn with_withdrawal(
    client: &SmartAccountClient,
    snapshot: &ChainSnapshot,
    calls: &[Call],
) -> Result<Vec<Call>, AppError> {
    let funds = funds_of(client, snapshot).await?;
    Ok([calls.to_vec(), withdrawals(client, funds.balance, funds.total())].concat())
}

/// Signs and sends what [`prepare_with_withdrawal`] made of these. What is withdrawn leaves just what the operation may cost
/// where the account pays: for higher fees it is made anew.
///
/// # Errors
/// Those of preparing, of the wallet and of the bundler.
pub(super) async fn complete_with_withdrawal(
    client: &SmartAccountClient,
    prepared: &PreparedUserOperation,
    calls: Vec<Call>,
    options: &BuildUserOpOptions,
) -> Result<UserOpResponse, AppError> {
    if is_paid_by_others(options) {
        return complete_transaction(client, prepared).await;
    }
    let relay = client.relay.as_ref();
    let signed = sign_user_operation(client, prepared).await?;
    let refusal = match send_user_operation(relay, &signed, prepared).await {
        Ok(response) => return Ok(response),
        Err(refusal) => refusal,
    };
    let again = async {
        raised(relay, prepared, &refusal).await.ok().flatten()?;
        let snapshot = read_owner_snapshot(client, options).await.ok()?;
        prepare_with_withdrawal(client, &snapshot, calls, options).await.ok()
    };
    // Nothing was sent, whatever fails on the way to another one.
    let Some(again) = again.await else { return Err(refusal) };
    client.wallet.signs_again();
    let signed = sign_user_operation(client, &again).await?;
    send_user_operation(relay, &signed, &again).await
}

async fn funds_of(client: &SmartAccountClient, snapshot: &ChainSnapshot) -> Result<NativeFunds, AppError> {
    let deposit = read_deposit(client.relay.as_ref(), client.kind().entry_point(), client.account).await?;
    Ok(NativeFunds { balance: snapshot.account.balance, deposit })
}

/// Of the balance first: the entry point takes what the operation costs from the deposit.
fn withdrawals(client: &SmartAccountClient, balance: U256, rest: U256) -> Vec<Call> {
    let (entry_point, owner) = (client.kind().entry_point(), client.owner);
    let of_balance = rest.min(balance);
    let of_deposit = rest.saturating_sub(balance);
    let transfer = Call { to: owner, value: of_balance, data: Default::default() };
    let withdraw = entry_point.withdraw_to(owner, of_deposit);
    let both = [(of_balance, transfer), (of_deposit, withdraw)];
    both.into_iter().filter(|(amount, _)| !amount.is_zero()).map(|(_, call)| call).collect()
}
