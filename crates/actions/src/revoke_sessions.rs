//! Takes sessions back: a new root over the leaves that stay, signed by the owner.
//!
//! 1. [`prepare_revoke_sessions`] writes nothing: it compares the stored sessions with the chain and builds the
//!    operation that sets the root without them (the zero root when none stays).
//! 2. [`complete_revoke_sessions`] asks for the owner's signature, notes in the leaves which operation takes them out,
//!    and sends it. Their status does not change: until the operation is included the chain accepts them.
//! 3. [`super::settle_revocation`] follows the operation; the leaves become `REVOKED` when it succeeds.
//! 4. [`super::prove_revocation`] tries a revoked session and shows that the chain refuses it.
//!
//! Revocations and grants are operations of the owner in one nonce lane, over the same look at the chain, so of two
//! that are built on the same root at most one is ever included (see [`super::create_session`]).

use std::collections::HashSet;

use alloy::primitives::{Address, B256};
use futures::future::try_join;

use super::{
    account::SmartAccountClient,
    default_paymaster::default_paymaster,
    options::BuildUserOpOptions,
    ports::SessionStore,
    prepare_user_operation::{PreparedUserOperation, read_chain_snapshot},
    send_transaction::prepare_owner_operation,
    send_user_operation::{may_have_arrived, send_user_operation, sign_user_operation},
    session_ledger::stored_or_published,
    session_tree::{SessionTree, reconcile},
    settle_change::settle_change,
    settle_revocation::fail_revocation,
};
use crate::error::AppError;
use use_aa_protocol::{
    session::{SessionBook, SessionStatus},
    smart_account::set_merkle_root,
    user_op_response::UserOpResponse,
};

/// How often a revocation is built anew because another change of the sessions came first.
const ROUNDS: usize = 4;

/// Which sessions are taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionsToRevoke {
    /// The ones with these ids; all must be under the root on chain.
    These(Vec<String>),
    /// Every session of the account, also those that are not stored here: the root becomes zero.
    All,
}

/// What is to be done; variables of `use_revoke_sessions`.
#[derive(Clone, Debug, PartialEq)]
pub struct RevokeSessionsVariables {
    /// Which sessions.
    pub sessions: SessionsToRevoke,
    /// Without `paymaster_service_data` the revocation is sponsored wherever the server sponsors pages.
    pub options: BuildUserOpOptions,
}

/// The former name of [`RevokeSessionsVariables`].
#[deprecated(note = "is now `RevokeSessionsVariables`")]
pub type RevokeSessionsRequest = RevokeSessionsVariables;

/// A revocation that lacks only the owner's signature.
#[derive(Clone, Debug)]
pub struct PreparedRevocation {
    request: RevokeSessionsVariables,
    /// The tree that it was built on; `None` = whatever is there.
    tree: Option<SessionTree>,
    session_ids: Vec<String>,
    new_root: B256,
    operation: PreparedUserOperation,
}

impl PreparedRevocation {
    /// The operation: hash, gas, who pays.
    pub fn operation(&self) -> &PreparedUserOperation {
        &self.operation
    }

    /// Ids of the stored sessions that it takes out.
    pub fn session_ids(&self) -> &[String] {
        &self.session_ids
    }

    /// The root that it sets; zero when no session stays.
    pub fn new_root(&self) -> B256 {
        self.new_root
    }
}

/// Revokes sessions: [`prepare_revoke_sessions`], then [`complete_revoke_sessions`].
///
/// Resolves when the bundler has the operation; follow it with [`super::settle_revocation`].
///
/// # Errors
/// Those of the two.
pub async fn revoke_sessions(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    request: RevokeSessionsVariables,
) -> Result<UserOpResponse, AppError> {
    let prepared = prepare_revoke_sessions(client, store, request).await?;
    complete_revoke_sessions(client, store, prepared).await
}

/// Builds the revoking operation. Writes nothing.
///
/// # Errors
/// `InvalidInput` without any session; `SessionNotFound`, `SessionPending`, `SessionRevoked` for one that is not under
/// the root on chain; `SessionsOutOfSync` when others than the stored sessions are there (then only
/// [`SessionsToRevoke::All`] can be done); those of preparing.
pub async fn prepare_revoke_sessions(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    request: RevokeSessionsVariables,
) -> Result<PreparedRevocation, AppError> {
    if matches!(&request.sessions, SessionsToRevoke::These(ids) if ids.is_empty()) {
        return Err(AppError::invalid("sessions", "at least one session id", "none"));
    }
    let snapshot = read_chain_snapshot(client.relay.as_ref(), client.account, &request.options);
    let (snapshot, mut book) = try_join(snapshot, store.load(client.account)).await?;
    let chain_root = snapshot.account.merkle_root;
    let (tree, session_ids, new_root) = match &request.sessions {
        SessionsToRevoke::These(ids) => {
            let relay = client.relay.as_ref();
            let tree =
                stored_or_published(relay, store, client.account, &mut book, chain_root, SessionTree::in_sync).await?;
            ids.iter().try_for_each(|id| check_in_tree(&book, id))?;
            let new_root = book.root_without(&ids.iter().map(String::as_str).collect());
            (Some(tree), ids.clone(), new_root)
        }
        SessionsToRevoke::All => {
            let known = reconcile(&mut book, chain_root).is_ok();
            let in_tree = book.leaf_nodes.iter().filter(|leaf| known && leaf.is_in_tree());
            if chain_root.is_zero() {
                let wanted = "any session under the root on chain".into();
                return Err(AppError::SessionNotFound { wanted });
            }
            (None, in_tree.map(|leaf| leaf.session_id.clone()).collect(), B256::ZERO)
        }
    };
    let options = default_paymaster(&snapshot, &request.options);
    let calls = [set_merkle_root(new_root)];
    let operation = prepare_owner_operation(client, &snapshot, &calls, &options).await?;
    Ok(PreparedRevocation { request, tree, session_ids, new_root, operation })
}

fn check_in_tree(book: &SessionBook, session_id: &str) -> Result<(), AppError> {
    let wanted = session_id.to_owned();
    match book.find(session_id).map(|leaf| leaf.status) {
        None => Err(AppError::SessionNotFound { wanted }),
        Some(SessionStatus::Pending) => Err(AppError::SessionPending { session_id: wanted }),
        Some(SessionStatus::Revoked) => Err(AppError::SessionRevoked { session_id: wanted }),
        Some(SessionStatus::Active | SessionStatus::Inactive | SessionStatus::Expired) => Ok(()),
    }
}

/// Signs, notes and sends what [`prepare_revoke_sessions`] made. Other changes that are on their way are waited for
/// first, and the revocation is then built anew on what they left.
///
/// # Errors
/// `WalletRejected` and the wallet's others: nothing was noted. Those of the bundler: the note is taken back, unless
/// the error [`may_have_arrived`]. `SessionPending` when other changes keep coming first.
pub async fn complete_revoke_sessions(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    mut prepared: PreparedRevocation,
) -> Result<UserOpResponse, AppError> {
    let mut passed_over = HashSet::new();
    let mut in_the_way = None;
    for _ in 0..ROUNDS {
        let book = store.load(client.account).await?;
        let open = book.change_in_flight(true, |hash| passed_over.contains(hash));
        if let Some((session_id, user_op_hash)) = open {
            // However it ended: what counts is the book afterwards.
            drop(settle_change(client, store, user_op_hash).await);
            // What is still open then is passed over: the shared nonce lane lets only one of the two through.
            passed_over.insert(user_op_hash);
            in_the_way = Some(session_id);
            prepared = prepare_revoke_sessions(client, store, prepared.request).await?;
            continue;
        }
        if !prepared.operation.is_fresh() {
            prepared = prepare_revoke_sessions(client, store, prepared.request).await?;
        }
        let signed = sign_user_operation(client, &prepared.operation).await?;
        let user_op_hash = prepared.operation.user_op_hash;
        if !prepared.note(client.account, store).await? {
            prepared = prepare_revoke_sessions(client, store, prepared.request).await?;
            continue;
        }
        let sent = send_user_operation(client.relay.as_ref(), &signed, &prepared.operation).await;
        if sent.as_ref().is_err_and(|error| !may_have_arrived(error)) {
            fail_revocation(store, client.account, user_op_hash).await?;
        }
        return sent;
    }
    let session_id = in_the_way.or_else(|| prepared.session_ids.first().cloned()).unwrap_or_default();
    Err(AppError::SessionPending { session_id })
}

impl PreparedRevocation {
    /// Writes into the leaves which operation takes them out; `false` when the tree is another one by now.
    async fn note(&self, account: Address, store: &dyn SessionStore) -> Result<bool, AppError> {
        let mut is_current = true;
        let ids = self.session_ids.iter().map(String::as_str).collect::<HashSet<_>>();
        let change = |book: &mut SessionBook| {
            is_current = self.tree.as_ref().is_none_or(|tree| tree.is_tree_of(book) || tree.settle(book));
            if is_current {
                book.begin_revocation(&ids, self.operation.user_op_hash);
            }
            Ok(())
        };
        store.update(account, Box::new(change)).await?;
        Ok(is_current)
    }
}
