//! Follows a grant to its end and writes the outcome into the store.

use alloy::primitives::{Address, B256, U256};

use super::{
    ports::{Relay, SessionStore},
    session_ledger::agreed_roots,
    session_tree::reconcile,
    wait_for_user_operation_receipt::wait_for_user_operation_receipt,
};
use crate::error::AppError;
use use_aa_protocol::{
    rpc::{UserOpReceipt, UserOpUpdate},
    session::SessionBook,
};

/// Waits for the operation; its `PENDING` leaves become `ACTIVE` when it succeeds, and are taken out with
/// their key when it reverted. A bundler that dropped it cannot promise that it is gone (the bundle may be on
/// its way): then they are taken out as soon as the chain proves that it can never be included, and stay
/// `PENDING`, in the way of no other grant, until then. Thrown away too early, the key and leaf of a session that
/// is granted after all would be missing, and with them every session of the account.
///
/// May run several times at once, in several tabs, and again after a reload.
///
/// # Errors
/// Those of [`wait_for_user_operation_receipt`]; after all but `UserOpReverted` and `UserOpDropped` the
/// leaves stay as they are. `Storage` when the outcome cannot be written.
pub async fn settle_session(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    account: Address,
    user_op_hash: B256,
    on_update: impl FnMut(&UserOpUpdate),
) -> Result<UserOpReceipt, AppError> {
    let outcome = wait_for_user_operation_receipt(relay, user_op_hash, on_update).await;
    match &outcome {
        Ok(_) => confirm(store, account, user_op_hash).await?,
        Err(AppError::UserOpReverted { .. }) => take_out(store, account, user_op_hash).await?,
        Err(AppError::UserOpDropped { .. }) => give_up(relay, store, account, user_op_hash).await?,
        Err(_) => {}
    }
    outcome
}

/// The operation's leaves become `ACTIVE`; grants that it has overtaken are taken out.
async fn confirm(store: &dyn SessionStore, account: Address, user_op_hash: B256) -> Result<(), AppError> {
    let mut overtaken = Vec::new();
    let change = |book: &mut SessionBook| {
        overtaken = book.confirm_grant(user_op_hash);
        Ok(())
    };
    store.update(account, Box::new(change)).await?;
    for user_op_hash in overtaken {
        take_out(store, account, user_op_hash).await?;
    }
    Ok(())
}

/// The bundler gave the operation up. The chain has the last word.
async fn give_up(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    account: Address,
    user_op_hash: B256,
) -> Result<(), AppError> {
    let mut book = store.load(account).await?;
    let state = relay.account_state(account, U256::ZERO).await?;
    agreed_roots(&state)?;
    match reconcile(&mut book, state.merkle_root) {
        Ok(Some(stale)) => book = stale.write(store, account).await?,
        Ok(None) => {}
        // Unknown sessions on chain: ours may be among them, so they stay.
        Err(AppError::SessionsOutOfSync { .. }) => return Ok(()),
        Err(error) => return Err(error),
    }
    match book.is_grant_dead(user_op_hash, state.nonce, state.clocks) {
        true => take_out(store, account, user_op_hash).await,
        false => doubt(store, account, user_op_hash).await,
    }
}

/// Nobody knows whether the operation will be included.
pub(super) async fn doubt(store: &dyn SessionStore, account: Address, user_op_hash: B256) -> Result<(), AppError> {
    let change = |book: &mut SessionBook| {
        book.doubt_grant(user_op_hash);
        Ok(())
    };
    store.update(account, Box::new(change)).await.map(drop)
}

/// The operation will not happen: its leaves go out of the book, with keys that no other leaf names.
pub(super) async fn take_out(store: &dyn SessionStore, account: Address, user_op_hash: B256) -> Result<(), AppError> {
    let mut keys = Vec::new();
    let change = |book: &mut SessionBook| {
        keys = book.fail_grant(user_op_hash);
        Ok(())
    };
    store.update(account, Box::new(change)).await?;
    for key in keys {
        store.remove_signer(account, key).await?;
    }
    Ok(())
}
