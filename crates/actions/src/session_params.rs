//! Which stored sessions an operation would use: `@biconomy/use-aa`'s `getSingleSessionTxParams` and `getBatchSessionTxParams`.

use alloy::{primitives::Address, signers::local::PrivateKeySigner};

use super::{
    clock::unix_seconds,
    options::BuildUserOpOptions,
    ports::SessionStore,
    send_with_batch_session::SendWithBatchSessionRequest,
    send_with_session::SendWithSessionRequest,
    session_choice::{KeyPlace, choose, find_usable, find_usable_for_each},
};
use crate::error::AppError;
use use_aa_protocol::{
    clocks::Clocks,
    session::{SessionBook, SessionLeaf},
    smart_account::Call,
};

/// Nobody is asked here; sending asks the chain, too.
fn device_clocks() -> Clocks {
    let now = unix_seconds();
    Clocks { block: now, pending: now, wall: now }
}

/// A session and its key.
#[derive(Clone, Debug)]
pub struct SingleSessionTxParams {
    /// The account.
    pub account: Address,
    /// The session.
    pub session: SessionLeaf,
    /// Its key (`Debug` shows the address only).
    pub session_signer: PrivateKeySigner,
}

impl SingleSessionTxParams {
    /// A request to do `call` with this session.
    pub fn request(&self, call: Call, options: BuildUserOpOptions) -> SendWithSessionRequest {
        SendWithSessionRequest {
            account: self.account,
            calls: vec![call],
            session_id: Some(self.session.session_id.clone()),
            corresponding_index: None,
            options,
        }
    }
}

/// The usable session at `corresponding_index`, oldest first and 0 the first (docs/protocol.md 10-U1); without it the newest.
///
/// # Errors
/// `SessionNotFound`, or why the newest session cannot be used.
pub async fn get_single_session_tx_params(
    store: &dyn SessionStore,
    account: Address,
    corresponding_index: Option<usize>,
) -> Result<SingleSessionTxParams, AppError> {
    let book = store.load(account).await?;
    let find =
        |book: &SessionBook| find_usable(book, KeyPlace::Store, None, corresponding_index, device_clocks()).cloned();
    let session = match corresponding_index {
        None => choose(store, account, &book, find).await?,
        Some(_) => find(&book)?,
    };
    let session_signer = store.signer(account, session.session_key_address).await?;
    Ok(SingleSessionTxParams { account, session, session_signer })
}

/// A session for each call, and the key of all of them.
#[derive(Clone, Debug)]
pub struct BatchSessionTxParams {
    /// The account.
    pub account: Address,
    /// The sessions, in the order of the calls.
    pub sessions: Vec<SessionLeaf>,
    /// Their key (`Debug` shows the address only).
    pub session_signer: PrivateKeySigner,
}

impl BatchSessionTxParams {
    /// A request to do `calls`, those that the sessions were chosen for.
    pub fn request(&self, calls: Vec<Call>, options: BuildUserOpOptions) -> SendWithBatchSessionRequest {
        SendWithBatchSessionRequest {
            account: self.account,
            calls,
            session_ids: Some(self.sessions.iter().map(|session| session.session_id.clone()).collect()),
            corresponding_indexes: None,
            options,
        }
    }
}

/// The usable sessions at `corresponding_indexes`, one for each call; without them the newest that allow the calls.
///
/// # Errors
/// `InvalidInput` when there are not as many indexes as calls, `SessionNotFound`, `SessionKeysDiffer` when they have
/// different keys, `PolicyViolation` when no sessions allow the calls.
pub async fn get_batch_session_tx_params(
    store: &dyn SessionStore,
    account: Address,
    calls: &[Call],
    corresponding_indexes: Option<&[usize]>,
) -> Result<BatchSessionTxParams, AppError> {
    let book = store.load(account).await?;
    let find = |book: &SessionBook| {
        let sessions = find_usable_for_each(book, calls, None, corresponding_indexes, device_clocks())?;
        Ok(sessions.into_iter().cloned().collect::<Vec<SessionLeaf>>())
    };
    let sessions = match corresponding_indexes {
        None => choose(store, account, &book, find).await?,
        Some(_) => find(&book)?,
    };
    let key = sessions.first().map(|session| session.session_key_address);
    let key = key.ok_or_else(|| AppError::invalid("calls", "at least one call", "none"))?;
    let session_signer = store.signer(account, key).await?;
    Ok(BatchSessionTxParams { account, sessions, session_signer })
}
