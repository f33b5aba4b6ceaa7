//! Uses a session: its key signs, the owner's wallet is not needed.

use alloy::{
    primitives::{Address, B256, Bytes},
    signers::{SignerSync, local::PrivateKeySigner},
};
use futures::future::try_join;

use super::{
    default_paymaster::default_paymaster,
    options::{BuildUserOpOptions, Options, merge_options},
    ports::{Relay, SessionStore},
    prepare_user_operation::{
        ChainSnapshot, PreparedUserOperation, UserOperationDraft, prepare_user_operation, read_chain_snapshot,
    },
    raise_fees::raised,
    send_user_operation::send_user_operation,
    session_choice::{KeyPlace, choose, find_usable},
    session_ledger::stored_or_published,
    session_tree::tree_in_sync,
};
use crate::error::AppError;
use use_aa_protocol::{
    accounts::biconomy_v2::{ENTRY_POINT, encode_calls},
    addresses::{BATCHED_SESSION_ROUTER, SESSION_KEY_MANAGER},
    call::Call,
    merkle::MerkleTree,
    session::{SessionBook, SessionLeaf, SessionStatus},
    signature::{DUMMY_SESSION, batched_router, session_key_manager, wrap},
    simulate::simulate_single,
    user_op_response::UserOpResponse,
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
    /// Which session: its place among the usable ones, oldest first. 0 is the first (docs/protocol.md 10-U1).
    /// Without id and index: the newest usable one.
    pub corresponding_index: Option<usize>,
    /// Without a nonce key each operation gets a lane of its own; without `paymaster_service_data` it is
    /// sponsored wherever the server sponsors pages.
    pub options: BuildUserOpOptions,
}

/// A use of a session that lacks only the session key's signature.
#[derive(Clone, Debug)]
pub struct PreparedSessionUse {
    unsigned: UnsignedUse,
    key: PrivateKeySigner,
}

/// An operation that sessions allow, whoever holds their key.
#[derive(Clone, Debug)]
pub(super) struct UnsignedUse {
    pub operation: PreparedUserOperation,
    /// One for each call.
    sessions: Vec<ProvedSession>,
    /// Judged by the batched session router, not by the session key manager alone.
    batched: bool,
}

/// A leaf and its proof.
pub(super) type ProvedSession = (SessionLeaf, Vec<B256>);

impl PreparedSessionUse {
    /// The operation: hash, gas, who pays.
    pub fn operation(&self) -> &PreparedUserOperation {
        &self.unsigned.operation
    }

    /// The sessions that are used, one for each call.
    pub fn leaves(&self) -> impl Iterator<Item = &SessionLeaf> {
        self.unsigned.leaves()
    }

    async fn sign_and_send(&self, relay: &dyn Relay) -> Result<UserOpResponse, AppError> {
        let signature = self.key.sign_message_sync(self.unsigned.operation.user_op_hash.as_slice());
        let signature = signature.map_err(|error| AppError::Key { reason: error.to_string() })?;
        self.unsigned.send(relay, &signature.as_bytes()).await
    }
}

impl UnsignedUse {
    /// The same with fees that the bundler takes, when it refused the first one for its fees.
    pub async fn raised(&self, relay: &dyn Relay, refusal: &AppError) -> Result<Option<Self>, AppError> {
        let higher = raised(relay, &self.operation, refusal).await?;
        Ok(higher.map(|operation| Self { operation, ..self.clone() }))
    }

    pub fn leaves(&self) -> impl Iterator<Item = &SessionLeaf> {
        self.sessions.iter().map(|(leaf, _)| leaf)
    }

    /// `SessionExpired` when a window ended since it was prepared.
    pub fn check_windows(&self) -> Result<(), AppError> {
        let now = self.operation.now();
        match self.leaves().find(|leaf| leaf.status_by(now) == SessionStatus::Expired) {
            Some(SessionLeaf { session_id, valid_until, .. }) => {
                Err(AppError::SessionExpired { session_id: session_id.clone(), valid_until: *valid_until })
            }
            None => Ok(()),
        }
    }

    /// Puts the session key's signature in and sends.
    pub async fn send(&self, relay: &dyn Relay, session_signature: &[u8]) -> Result<UserOpResponse, AppError> {
        let mut user_operation = self.operation.user_operation.clone();
        user_operation.signature = signature(&self.sessions, self.batched, session_signature);
        send_user_operation(relay, &user_operation, &self.operation).await
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
    let account = request.account;
    let unsigned = find_and_build(relay, store, request, KeyPlace::Store).await?;
    with_key(store, account, unsigned).await
}

/// All of preparing but the key: only sessions whose key is held there are looked at.
pub(super) async fn find_and_build(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    request: SendWithSessionRequest,
    holder: KeyPlace,
) -> Result<UnsignedUse, AppError> {
    let SendWithSessionRequest { account, calls, session_id, corresponding_index, options } = request;
    let options = merge_options([Options::now_nonce(), options]);
    let call_data = encode_calls(&calls, options.force_encode_for_batch.unwrap_or(false))?;
    let snapshot = read_chain_snapshot(relay, account, &options);
    let (snapshot, mut book) = try_join(snapshot, store.load(account)).await?;
    let now = snapshot.now();
    // What the store knows comes first: "expired" says more than "out of sync".
    let synced = stored_or_published(relay, store, account, &mut book, &snapshot.account, tree_in_sync).await;
    let find = |book: &SessionBook| find_usable(book, holder, session_id.as_deref(), corresponding_index, now).cloned();
    let leaf = match (&session_id, corresponding_index) {
        (None, None) => choose(store, account, &book, find).await?,
        _ => find(&book)?,
    };
    if !snapshot.account.deployed {
        return Err(AppError::AccountNotDeployed { account });
    }
    let (tree, stale) = synced?;
    simulate_single(&leaf, &call_data)?;
    let sessions = prove(&tree, [&leaf])?;
    if let Some(stale) = stale {
        stale.write(store, account).await?;
    }
    let allowed = SessionUse { account, call_data, sessions, batched: false };
    build_use(relay, &snapshot, &options, allowed).await
}

/// Proofs of these leaves.
pub(super) fn prove<'a>(
    tree: &MerkleTree,
    leaves: impl IntoIterator<Item = &'a SessionLeaf>,
) -> Result<Vec<ProvedSession>, AppError> {
    let prove = |leaf: &SessionLeaf| {
        let proof = tree.position(leaf.hash()).and_then(|index| tree.proof(index));
        let proof = proof.ok_or_else(|| AppError::SessionNotFound { wanted: leaf.session_id.clone() })?;
        Ok((leaf.clone(), proof))
    };
    leaves.into_iter().map(prove).collect()
}

/// What the account does, and the sessions that allow it: at least one, all of one key.
pub(super) struct SessionUse {
    pub account: Address,
    pub call_data: Bytes,
    pub sessions: Vec<ProvedSession>,
    pub batched: bool,
}

/// Builds the operation around a use that was found to be allowed, and gets the key.
pub(super) async fn prepare_use(
    relay: &dyn Relay,
    store: &dyn SessionStore,
    snapshot: &ChainSnapshot,
    options: &BuildUserOpOptions,
    allowed: SessionUse,
) -> Result<PreparedSessionUse, AppError> {
    let account = allowed.account;
    let unsigned = build_use(relay, snapshot, options, allowed).await?;
    with_key(store, account, unsigned).await
}

async fn with_key(
    store: &dyn SessionStore,
    account: Address,
    unsigned: UnsignedUse,
) -> Result<PreparedSessionUse, AppError> {
    let key_address = unsigned.leaves().next().map(|leaf| leaf.session_key_address).unwrap_or_default();
    let key = store.signer(account, key_address).await?;
    Ok(PreparedSessionUse { unsigned, key })
}

async fn build_use(
    relay: &dyn Relay,
    snapshot: &ChainSnapshot,
    options: &BuildUserOpOptions,
    SessionUse { account, call_data, sessions, batched }: SessionUse,
) -> Result<UnsignedUse, AppError> {
    let draft = UserOperationDraft {
        entry_point: ENTRY_POINT,
        sender: account,
        init_code: Bytes::new(),
        call_data,
        dummy_signature: signature(&sessions, batched, &DUMMY_SESSION),
    };
    let options = default_paymaster(snapshot, options);
    let operation = prepare_user_operation(relay, snapshot, draft, &options).await?;
    Ok(UnsignedUse { operation, sessions, batched })
}

/// The whole signature of the operation around that of the session key (docs/protocol.md 3.5, 3.6).
fn signature(sessions: &[ProvedSession], batched: bool, session_signature: &[u8]) -> Bytes {
    match sessions {
        [(leaf, proof)] if !batched => wrap(SESSION_KEY_MANAGER, &session_key_manager(leaf, proof, session_signature)),
        sessions => {
            let sessions: Vec<_> = sessions.iter().map(|(leaf, proof)| (leaf, proof.clone())).collect();
            wrap(BATCHED_SESSION_ROUTER, &batched_router(SESSION_KEY_MANAGER, &sessions, session_signature))
        }
    }
}

/// Signs with the session key and sends; once more when the bundler wants higher fees (`raise_fees.rs`).
///
/// # Errors
/// `SessionExpired` when its window ended since it was prepared; those of the bundler. The store is not touched.
pub async fn complete_send_with_session(
    relay: &dyn Relay,
    prepared: &PreparedSessionUse,
) -> Result<UserOpResponse, AppError> {
    prepared.unsigned.check_windows()?;
    let refusal = match prepared.sign_and_send(relay).await {
        Ok(response) => return Ok(response),
        Err(refusal) => refusal,
    };
    let Some(unsigned) = prepared.unsigned.raised(relay, &refusal).await? else { return Err(refusal) };
    PreparedSessionUse { unsigned, key: prepared.key.clone() }.sign_and_send(relay).await
}
