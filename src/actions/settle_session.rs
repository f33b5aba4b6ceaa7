//! Follows a grant to its end and writes the outcome into the store.

use alloy::primitives::{Address, B256, U256};

use super::{
    ports::{Relay, SessionStore},
    session_tree::reconcile,
    wait_for_user_operation_receipt::wait_for_user_operation_receipt,
};
use crate::{
    error::AppError,
    protocol::{
        rpc::{UserOpReceipt, UserOpUpdate},
        session::{SessionBook, SessionLeaf, SessionStatus},
    },
};

/// Waits for the operation; its `PENDING` leaves become `ACTIVE` when it succeeds, and are taken out with
/// their key when it reverted or was dropped. May run several times at once, in several tabs, and again
/// after a reload.
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
        Err(AppError::UserOpDropped { .. }) => {
            // A bundler may forget what it has sent. The chain has the last word.
            let state = relay.account_state(account, U256::ZERO).await?;
            let synced = store.update(account, Box::new(|book| reconcile(book, state.merkle_root).map(drop))).await;
            match synced {
                Ok(_) => take_out(store, account, user_op_hash).await?,
                // Unknown sessions on chain: ours may be among them, so they stay.
                Err(AppError::SessionsOutOfSync { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(_) => {}
    }
    outcome
}

fn is_pending_of(leaf: &SessionLeaf, user_op_hash: B256) -> bool {
    leaf.status == SessionStatus::Pending && leaf.user_op_hash == Some(user_op_hash)
}

/// The operation's `PENDING` leaves become `ACTIVE`.
async fn confirm(store: &dyn SessionStore, account: Address, user_op_hash: B256) -> Result<(), AppError> {
    let change = |book: &mut SessionBook| {
        let leaves = book.leaf_nodes.iter_mut().filter(|leaf| is_pending_of(leaf, user_op_hash));
        leaves.for_each(|leaf| leaf.status = SessionStatus::Active);
        Ok(())
    };
    store.update(account, Box::new(change)).await.map(drop)
}

/// Marks the operation's `PENDING` leaves: nobody knows whether the bundler got the operation.
pub(super) async fn doubt(store: &dyn SessionStore, account: Address, user_op_hash: B256) -> Result<(), AppError> {
    let change = |book: &mut SessionBook| {
        let leaves = book.leaf_nodes.iter_mut().filter(|leaf| is_pending_of(leaf, user_op_hash));
        leaves.for_each(|leaf| drop(leaf.extra.insert(SEND_IN_DOUBT.into(), true.into())));
        Ok(())
    };
    store.update(account, Box::new(change)).await.map(drop)
}

/// Own field of a stored `PENDING` leaf: the answer to sending its operation was lost.
pub(super) const SEND_IN_DOUBT: &str = "sendInDoubt";

/// Takes the operation's `PENDING` leaves out of the book, and keys that no other leaf names.
pub(super) async fn take_out(store: &dyn SessionStore, account: Address, user_op_hash: B256) -> Result<(), AppError> {
    let mut keys = Vec::new();
    let change = |book: &mut SessionBook| {
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
