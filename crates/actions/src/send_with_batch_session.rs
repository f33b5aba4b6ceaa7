//! Uses several sessions at once: several calls in one operation, each judged by its own leaf (docs/protocol.md 3.6, 3.13).

use alloy::primitives::Address;
use futures::future::try_join;

use super::{
    options::{BuildUserOpOptions, Options, merge_options},
    ports::{Relay, SessionStore},
    prepare_user_operation::read_chain_snapshot,
    send_with_session::{PreparedSessionUse, SessionUse, complete_send_with_session, prepare_use, prove},
    session_choice::{choose, find_usable_for_each},
    session_ledger::stored_or_published,
    session_tree::tree_in_sync,
};
use crate::error::AppError;
use use_aa_protocol::{
    addresses::BATCHED_SESSION_ROUTER,
    session::SessionBook,
    simulate::simulate_batch,
    smart_account::{Call, encode_calls},
    user_op_response::UserOpResponse,
};

/// What is to be done, and with which sessions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SendWithBatchSessionRequest {
    /// The smart account.
    pub account: Address,
    /// The calls; one is enough. They happen in this order, all or none.
    pub calls: Vec<Call>,
    /// Which sessions: an id for each call. Comes before `corresponding_indexes`.
    pub session_ids: Option<Vec<String>>,
    /// Which sessions: for each call a place among the usable ones, oldest first; 0 is the first.
    /// Without ids and indexes: the newest usable ones in the order of the calls (`@biconomy/use-aa`'s `LAST_LEAVES`) or, where
    /// these do not allow the calls, the newest of one key that do.
    pub corresponding_indexes: Option<Vec<usize>>,
    /// Without a nonce key each operation gets a lane of its own; without `paymaster_service_data` it is
    /// sponsored wherever the server sponsors pages.
    pub options: BuildUserOpOptions,
}

/// Uses sessions: [`prepare_send_with_batch_session`], then [`complete_send_with_session`].
///
/// # Errors
/// Those of the two.
pub async fn send_with_batch_session(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    request: SendWithBatchSessionRequest,
) -> Result<UserOpResponse, AppError> {
    let prepared = prepare_send_with_batch_session(relay, store, request).await?;
    complete_send_with_session(relay, &prepared).await
}

/// Finds the sessions, checks that each allows its call, and builds the operation.
///
/// # Errors
/// All before anything is estimated, sponsored or sent: those of
/// [`prepare_send_with_session`](super::send_with_session::prepare_send_with_session); `InvalidInput` when there are
/// not as many ids or indexes as calls; `SessionKeysDiffer` when the sessions were not granted with one key (docs/protocol.md
/// 10-S40); `PolicyViolation` with the number of the call, 0 for the first; `ModuleNotEnabled` when no batch session was
/// ever granted. Then those of preparing.
pub async fn prepare_send_with_batch_session(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    request: SendWithBatchSessionRequest,
) -> Result<PreparedSessionUse, AppError> {
    let SendWithBatchSessionRequest { account, calls, session_ids, corresponding_indexes, options } = request;
    // The caller's nonce key wins (docs/protocol.md 10-U9).
    let options = merge_options([Options::now_nonce(), options]);
    // The router judges batches only, also of one call (docs/protocol.md 10-S39).
    let call_data = encode_calls(&calls, true)?;
    let snapshot = read_chain_snapshot(relay, account, &options);
    let (snapshot, mut book) = try_join(snapshot, store.load(account)).await?;
    // What the store knows comes first, as with a single session.
    let synced =
        stored_or_published(relay, store, account, &mut book, snapshot.account.merkle_root, tree_in_sync).await;
    let (ids, indexes) = (session_ids.as_deref(), corresponding_indexes.as_deref());
    let find = |book: &SessionBook| {
        let leaves = find_usable_for_each(book, &calls, ids, indexes, snapshot.now())?;
        Ok(leaves.into_iter().cloned().collect::<Vec<_>>())
    };
    let leaves = match (ids, indexes) {
        (None, None) => choose(store, account, &book, find).await?,
        _ => find(&book)?,
    };
    if !snapshot.account.deployed {
        return Err(AppError::AccountNotDeployed { account });
    }
    let (tree, stale) = synced?;
    simulate_batch(&leaves.iter().collect::<Vec<_>>(), &call_data)?;
    if !snapshot.account.batched_session_router_enabled {
        return Err(AppError::ModuleNotEnabled { account, module: BATCHED_SESSION_ROUTER });
    }
    let sessions = prove(&tree, &leaves)?;
    if let Some(stale) = stale {
        stale.write(store, account).await?;
    }
    let allowed = SessionUse { account, call_data, sessions, batched: true };
    prepare_use(relay, store, &snapshot, &options, allowed).await
}
