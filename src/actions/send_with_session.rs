//! Uses a session: its key signs, the owner's wallet is not needed.

use alloy::{
    primitives::{Address, B256, Bytes},
    signers::{SignerSync, local::PrivateKeySigner},
};
use futures::future::try_join;

use super::{
    clock::unix_seconds,
    create_session::default_paymaster,
    options::{BuildUserOpOptions, Options, merge_options},
    ports::{Relay, SessionStore},
    prepare_user_operation::{PreparedUserOperation, UserOperationDraft, prepare_user_operation, read_chain_snapshot},
    send_user_operation::send_user_operation,
    session_tree::tree_in_sync,
};
use crate::{
    error::AppError,
    protocol::{
        addresses::SESSION_KEY_MANAGER,
        session::{SessionBook, SessionLeaf, SessionStatus},
        signature::{DUMMY_SESSION, session_key_manager, wrap},
        simulate::simulate_single,
        smart_account::{Call, encode_calls},
        user_op_response::UserOpResponse,
    },
};

/// What is to be done, and with which session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SendWithSessionRequest {
    /// The smart account.
    pub account: Address,
    /// The call. A single session allows exactly one; more belong to a batch session.
    pub calls: Vec<Call>,
    /// Which session: its id. Comes before `corresponding_index`.
    pub session_id: Option<String>,
    /// Which session: its place among the usable ones, oldest first. 0 is the first (SPEC 10, U1).
    /// Without id and index: the newest usable one.
    pub corresponding_index: Option<usize>,
    /// Without a nonce key each operation gets a lane of its own; without `paymaster_service_data` it is
    /// sponsored wherever the server has a paymaster.
    pub options: BuildUserOpOptions,
}

/// A use of a session that lacks only the session key's signature.
#[derive(Clone, Debug)]
pub struct PreparedSessionUse {
    operation: PreparedUserOperation,
    leaf: SessionLeaf,
    proof: Vec<B256>,
    key: PrivateKeySigner,
}

impl PreparedSessionUse {
    /// The operation: hash, gas, who pays.
    pub fn operation(&self) -> &PreparedUserOperation {
        &self.operation
    }

    /// The session that is used.
    pub fn leaf(&self) -> &SessionLeaf {
        &self.leaf
    }
}

/// Uses a session: [`prepare_send_with_session`], then [`complete_send_with_session`].
///
/// # Errors
/// Those of the two.
pub async fn send_with_session(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    request: SendWithSessionRequest,
) -> Result<UserOpResponse, AppError> {
    let prepared = prepare_send_with_session(relay, store, request).await?;
    complete_send_with_session(relay, &prepared).await
}

/// Finds the session, checks that it allows the call, and builds the operation.
///
/// # Errors
/// All before anything is estimated, sponsored or sent: `SessionNotFound`, `SessionPending`,
/// `SessionExpired`, `SessionNotYetValid`, `SessionRevoked`, `SessionsOutOfSync`; `AccountNotDeployed`;
/// `PolicyViolation` with the rule that the call breaks. Then those of preparing.
pub async fn prepare_send_with_session(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    request: SendWithSessionRequest,
) -> Result<PreparedSessionUse, AppError> {
    let SendWithSessionRequest { account, calls, session_id, corresponding_index, options } = request;
    let options = merge_options([Options::now_nonce(), options]);
    let call_data = encode_calls(&calls, options.force_encode_for_batch.unwrap_or(false))?;
    let snapshot = read_chain_snapshot(relay, account, &options);
    let (snapshot, mut book) = try_join(snapshot, store.load(account)).await?;
    let now = snapshot.now();
    // What the store knows comes first: "expired" says more than "out of sync".
    let synced = tree_in_sync(&mut book, snapshot.account.merkle_root);
    let leaf = find_usable(&book, session_id.as_deref(), corresponding_index, now)?.clone();
    if !snapshot.account.deployed {
        return Err(AppError::AccountNotDeployed { account });
    }
    let (tree, lag) = synced?;
    simulate_single(&leaf, &call_data)?;
    let proof = tree.position(leaf.hash()).and_then(|index| tree.proof(index));
    let proof = proof.ok_or_else(|| AppError::SessionNotFound { wanted: leaf.session_id.clone() })?;
    if let Some(lag) = lag {
        lag.write(store, account).await?;
    }
    let key = store.signer(account, leaf.session_key_address).await?;
    let draft = UserOperationDraft {
        sender: account,
        init_code: Bytes::new(),
        call_data,
        dummy_signature: wrap(SESSION_KEY_MANAGER, &session_key_manager(&leaf, &proof, &DUMMY_SESSION)),
    };
    let options = default_paymaster(&snapshot, &options);
    let operation = prepare_user_operation(relay, &snapshot, draft, &options).await?;
    Ok(PreparedSessionUse { operation, leaf, proof, key })
}

/// Signs with the session key and sends.
///
/// # Errors
/// `SessionExpired` when its window ended since it was prepared; those of the bundler. The store is not touched.
pub async fn complete_send_with_session(
    relay: &dyn Relay,
    prepared: &PreparedSessionUse,
) -> Result<UserOpResponse, AppError> {
    let PreparedSessionUse { operation, leaf, proof, key } = prepared;
    if leaf.status_at(unix_seconds()) == SessionStatus::Expired {
        return Err(AppError::SessionExpired { session_id: leaf.session_id.clone(), valid_until: leaf.valid_until });
    }
    let signature = key.sign_message_sync(operation.user_op_hash.as_slice());
    let signature = signature.map_err(|error| AppError::Key { reason: error.to_string() })?;
    let mut user_operation = operation.user_operation.clone();
    user_operation.signature = wrap(SESSION_KEY_MANAGER, &session_key_manager(leaf, proof, &signature.as_bytes()));
    send_user_operation(relay, &user_operation, operation.user_op_hash).await
}

/// The session with this id; else the one at `index` among the usable; else the newest usable one.
fn find_usable<'a>(
    book: &'a SessionBook,
    session_id: Option<&str>,
    index: Option<usize>,
    now: u64,
) -> Result<&'a SessionLeaf, AppError> {
    if let Some(wanted) = session_id {
        let leaf = book.leaf_nodes.iter().rev().find(|leaf| leaf.session_id == wanted);
        let leaf = leaf.ok_or_else(|| AppError::SessionNotFound { wanted: wanted.to_owned() })?;
        return check_usable(leaf, now).map(|()| leaf);
    }
    let is_usable = |leaf: &&SessionLeaf| leaf.status_at(now) == SessionStatus::Active;
    let mut usable = book.leaf_nodes.iter().filter(is_usable);
    if let Some(index) = index {
        let count = book.leaf_nodes.iter().filter(is_usable).count();
        let wanted = format!("number {index} of {count} usable sessions (0 is the first)");
        return usable.nth(index).ok_or(AppError::SessionNotFound { wanted });
    }
    if let Some(leaf) = usable.next_back() {
        return Ok(leaf);
    }
    // Nothing usable: say what is wrong with the newest one.
    let newest = book.leaf_nodes.last();
    let newest = newest.ok_or_else(|| AppError::SessionNotFound { wanted: "any session".into() })?;
    check_usable(newest, now).map(|()| newest)
}

/// May the session be used at `now` (unix seconds)? Both ends of its window are inclusive (SPEC 3.8).
fn check_usable(leaf: &SessionLeaf, now: u64) -> Result<(), AppError> {
    let session_id = leaf.session_id.clone();
    match leaf.status_at(now) {
        SessionStatus::Active => Ok(()),
        SessionStatus::Pending => Err(AppError::SessionPending { session_id }),
        SessionStatus::Revoked => Err(AppError::SessionRevoked { session_id }),
        SessionStatus::Expired => Err(AppError::SessionExpired { session_id, valid_until: leaf.valid_until }),
        SessionStatus::Inactive => Err(AppError::SessionNotYetValid { session_id, valid_after: leaf.valid_after }),
    }
}
