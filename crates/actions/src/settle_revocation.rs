//! Follows a revocation to its end and writes the outcome into the store.

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

/// Waits for the operation; the leaves that it takes out become `REVOKED` when it succeeds, and stay what they were
/// when it reverted. After a bundler dropped it the root on chain decides; until it does, and until the chain proves that
/// the operation can never be included, the book keeps in doubt that it may.
///
/// Keys of revoked sessions are kept until [`super::prove_revocation`] has tried them, or the page forgets them.
/// May run several times at once, in several tabs, and again after a reload.
///
/// # Errors
/// Those of [`wait_for_user_operation_receipt`]; `Storage` when the outcome cannot be written.
pub async fn settle_revocation(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    account: Address,
    user_op_hash: B256,
    on_update: impl FnMut(&UserOpUpdate),
) -> Result<UserOpReceipt, AppError> {
    let outcome = wait_for_user_operation_receipt(relay, user_op_hash, on_update).await;
    match &outcome {
        Ok(_) => confirm(store, account, user_op_hash).await?,
        Err(AppError::UserOpReverted { .. }) => fail_revocation(store, account, user_op_hash).await?,
        Err(AppError::UserOpDropped { .. }) => ask_the_chain(relay, store, account, user_op_hash).await?,
        Err(_) => {}
    }
    outcome
}

/// Nobody knows whether the operation will be included.
pub(super) async fn doubt_revocation(
    store: &dyn SessionStore,
    account: Address,
    user_op_hash: B256,
) -> Result<(), AppError> {
    let change = |book: &mut SessionBook| {
        book.doubt_revocation(user_op_hash);
        Ok(())
    };
    store.update(account, Box::new(change)).await.map(drop)
}

/// The operation will not happen: its sessions stay.
pub(super) async fn fail_revocation(
    store: &dyn SessionStore,
    account: Address,
    user_op_hash: B256,
) -> Result<(), AppError> {
    let change = |book: &mut SessionBook| {
        book.fail_revocation(user_op_hash);
        Ok(())
    };
    store.update(account, Box::new(change)).await.map(drop)
}

async fn confirm(store: &dyn SessionStore, account: Address, user_op_hash: B256) -> Result<(), AppError> {
    let change = |book: &mut SessionBook| {
        book.confirm_revocation(user_op_hash);
        Ok(())
    };
    store.update(account, Box::new(change)).await.map(drop)
}

/// The bundler gave it up. The chain has the last word.
async fn ask_the_chain(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    account: Address,
    user_op_hash: B256,
) -> Result<(), AppError> {
    let mut book = store.load(account).await?;
    let state = relay.account_state(account, U256::ZERO).await?;
    agreed_roots(&state)?;
    match reconcile(&mut book, state.merkle_root) {
        Ok(Some(stale)) => stale.write(store, account).await.map(drop),
        Ok(None) if book.is_revocation_dead(user_op_hash, state.nonce, state.clocks) => {
            fail_revocation(store, account, user_op_hash).await
        }
        Ok(None) => doubt_revocation(store, account, user_op_hash).await,
        Err(AppError::SessionsOutOfSync { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
