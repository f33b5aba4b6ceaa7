//! Follows a grant to its end and writes the outcome into the store.

use alloy::primitives::{Address, B256, U256};

use super::{
    grant_mark,
    ports::{Relay, SessionStore},
    session_tree::reconcile,
    wait_for_user_operation_receipt::wait_for_user_operation_receipt,
};
use crate::error::AppError;
use use_aa_protocol::{
    rpc::{UserOpReceipt, UserOpUpdate},
    session::{SessionBook, SessionLeaf, SessionStatus},
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

fn is_pending_of(leaf: &SessionLeaf, user_op_hash: B256) -> bool {
    leaf.status == SessionStatus::Pending && leaf.user_op_hash == Some(user_op_hash)
}

/// The operation's `PENDING` leaves become `ACTIVE`; grants that it has overtaken are taken out.
async fn confirm(store: &dyn SessionStore, account: Address, user_op_hash: B256) -> Result<(), AppError> {
    let mut overtaken = Vec::new();
    let change = |book: &mut SessionBook| {
        let mut nonces = Vec::new();
        for leaf in book.leaf_nodes.iter_mut().filter(|leaf| is_pending_of(leaf, user_op_hash)) {
            leaf.enter_tree();
            nonces.extend(grant_mark::nonce(leaf));
        }
        let pending = book.leaf_nodes.iter().filter(|leaf| leaf.status == SessionStatus::Pending);
        let same_nonce = pending.filter(|leaf| grant_mark::nonce(leaf).is_some_and(|nonce| nonces.contains(&nonce)));
        overtaken = same_nonce.filter_map(|leaf| leaf.user_op_hash).collect();
        Ok(())
    };
    store.update(account, Box::new(change)).await?;
    overtaken.dedup();
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
    match reconcile(&mut book, state.merkle_root) {
        Ok(Some(lag)) => book = lag.write(store, account).await?,
        Ok(None) => {}
        // Unknown sessions on chain: ours may be among them, so they stay.
        Err(AppError::SessionsOutOfSync { .. }) => return Ok(()),
        Err(error) => return Err(error),
    }
    let mut pending = book.leaf_nodes.iter().filter(|leaf| is_pending_of(leaf, user_op_hash));
    match pending.all(|leaf| grant_mark::can_never_be_included(leaf, &state)) {
        true => take_out(store, account, user_op_hash).await,
        false => doubt(store, account, user_op_hash).await,
    }
}

/// Marks the operation's `PENDING` leaves: nobody knows whether it will be included.
pub(super) async fn doubt(store: &dyn SessionStore, account: Address, user_op_hash: B256) -> Result<(), AppError> {
    let change = |book: &mut SessionBook| {
        book.leaf_nodes.iter_mut().filter(|leaf| is_pending_of(leaf, user_op_hash)).for_each(grant_mark::doubt);
        Ok(())
    };
    store.update(account, Box::new(change)).await.map(drop)
}

/// Takes the operation's `PENDING` leaves out of the book, and keys that no other leaf names.
pub(super) async fn take_out(store: &dyn SessionStore, account: Address, user_op_hash: B256) -> Result<(), AppError> {
    let mut keys = Vec::new();
    let change = |book: &mut SessionBook| {
        let returning = |leaf: &&mut SessionLeaf| is_pending_of(leaf, user_op_hash) && leaf.is_returning();
        book.leaf_nodes.iter_mut().filter(returning).for_each(SessionLeaf::give_up_return);
        keys = book.leaf_nodes.iter().filter(|leaf| is_pending_of(leaf, user_op_hash)).map(key_of).collect();
        book.leaf_nodes.retain(|leaf| !is_pending_of(leaf, user_op_hash));
        keys.retain(|key| !book.leaf_nodes.iter().any(|leaf| key_of(leaf) == *key));
        Ok(())
    };
    store.update(account, Box::new(change)).await?;
    keys.sort();
    keys.dedup();
    for key in keys {
        store.remove_signer(account, key).await?;
    }
    Ok(())
}

fn key_of(leaf: &SessionLeaf) -> Address {
    leaf.session_key_address
}
