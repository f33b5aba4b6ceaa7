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
    prepare_user_operation::{PreparedUserOperation, read_owner_snapshot},
    raise_fees::raised,
    reviewed_sessions::{Kept, ReviewedSessions},
    send_transaction::prepare_owner_operation,
    send_user_operation::{may_have_arrived, send_user_operation, sign_user_operation},
    session_ledger::{agreed_roots, stored_or_published},
    session_tree::{SessionTree, reconcile},
    settle_change::settle_change,
    settle_revocation::fail_revocation,
};
use crate::error::AppError;
use use_aa_protocol::{
    accounts::biconomy_v2,
    session::{SessionBook, SessionKeyManager, SessionLeaf, SessionStatus},
    smart_account::{set_merkle_root, set_merkle_root_at},
    user_op_response::UserOpResponse,
};

/// How often a revocation is built anew because another change of the sessions came first.
const ROUNDS: usize = 4;

/// Which sessions are taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionsToRevoke {
    /// The ones with these ids; all must be under a root on chain, of the older session key manager for its sessions.
    These(Vec<String>),
    /// Every session of the account, also those that are not stored here: the root becomes zero, and so does that of the
    /// older session key manager.
    All,
}

impl Default for SessionsToRevoke {
    fn default() -> Self {
        Self::These(Vec::new())
    }
}

/// What is to be done; variables of `use_revoke_sessions`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RevokeSessionsVariables {
    /// Which sessions.
    pub sessions: SessionsToRevoke,
    /// Without `paymaster_service_data` the revocation is sponsored wherever the server sponsors pages.
    pub options: BuildUserOpOptions,
    /// As in [`CreateSessionVariables`](super::create_session::CreateSessionVariables): what stays is signed anew.
    pub reviewed: Option<ReviewedSessions>,
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
    kept: Kept,
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

    /// The root that it leaves with the session key manager that grants go to; zero when no session stays there.
    pub fn new_root(&self) -> B256 {
        self.new_root
    }

    /// Sessions that it keeps though they were not granted in this browser.
    pub fn kept(&self) -> &[SessionLeaf] {
        &self.kept.leaves
    }

    /// The same once more, with nothing else let in.
    fn again(self) -> RevokeSessionsVariables {
        let reviewed = Some(self.kept.as_reviewed(self.request.reviewed.as_ref()));
        RevokeSessionsVariables { reviewed, ..self.request }
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
/// `InvalidInput` without any session, or when a review ends one of a manager whose root stays; `SessionNotFound`, `SessionPending`, `SessionRevoked` for one that is not under
/// the root on chain; `SessionsOutOfSync` when others than the stored sessions are there (then only
/// [`SessionsToRevoke::All`] can be done); `SessionsNotReviewed` when it would keep what nobody granted here and what was
/// not reviewed, or must not be kept; those of preparing.
pub async fn prepare_revoke_sessions(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    request: RevokeSessionsVariables,
) -> Result<PreparedRevocation, AppError> {
    client.check_kind(biconomy_v2::NAME)?;
    if matches!(&request.sessions, SessionsToRevoke::These(ids) if ids.is_empty()) {
        return Err(AppError::invalid("sessions", "at least one session id", "none"));
    }
    let snapshot = read_owner_snapshot(client, &request.options);
    let (snapshot, mut book) = try_join(snapshot, store.load(client.account)).await?;
    agreed_roots(&snapshot.account)?;
    let chain_root = snapshot.account.merkle_root;
    let older_root = snapshot.account.older_root();
    let relay = client.relay.as_ref();
    let mut calls = Vec::new();
    let (tree, session_ids, kept, new_root) = match &request.sessions {
        SessionsToRevoke::These(ids) => {
            let is_older = |id: &String| book.find(id).is_some_and(|leaf| leaf.manager() == SessionKeyManager::Older);
            let touches_older = ids.iter().any(is_older);
            let touches_current = !ids.iter().all(is_older);
            let tree = match (touches_current, &request.reviewed) {
                (false, _) => None,
                (true, Some(_)) => Some(SessionTree::in_sync(&mut book, chain_root)?),
                (true, None) => Some(
                    stored_or_published(
                        relay,
                        store,
                        client.account,
                        &mut book,
                        &snapshot.account,
                        SessionTree::in_sync,
                    )
                    .await?,
                ),
            };
            let older = book.part_of(SessionKeyManager::Older);
            if touches_older && older.root() != older_root {
                return Err(AppError::SessionsOutOfSync { local: older.root(), chain: older_root });
            }
            ids.iter().try_for_each(|id| check_in_tree(&book, id))?;
            let mut signed = if touches_current { book.tree_leaves() } else { Vec::new() };
            if touches_older {
                signed.extend(older.tree_leaves());
            }
            let ended = ids.iter().cloned().collect();
            let (reviewed, modules) = (request.reviewed.as_ref(), &snapshot.account.modules);
            let kept = Kept::decide(&signed, &book, reviewed, ended, client.account, modules)?;
            let ended = kept.ended.iter().map(String::as_str).collect();
            let new_root = if touches_current { book.root_without(&ended) } else { chain_root };
            if touches_current {
                calls.push(set_merkle_root(new_root));
            }
            if touches_older {
                calls.push(set_merkle_root_at(SessionKeyManager::Older.address(), older.root_without(&ended)));
            }
            (tree, kept.ended.iter().cloned().collect(), kept, new_root)
        }
        SessionsToRevoke::All => {
            let known = [
                (SessionKeyManager::Current, reconcile(&mut book, chain_root).is_ok()),
                (SessionKeyManager::Older, book.part_of(SessionKeyManager::Older).root() == older_root),
            ];
            let is_known = |leaf: &&SessionLeaf| leaf.status.in_tree() && known.contains(&(leaf.manager(), true));
            let in_trees = book.leaf_nodes.iter().filter(is_known);
            let roots = [(SessionKeyManager::Current, chain_root), (SessionKeyManager::Older, older_root)];
            let to_clear = roots.into_iter().filter(|(_, root)| !root.is_zero());
            calls.extend(to_clear.map(|(manager, _)| set_merkle_root_at(manager.address(), B256::ZERO)));
            if calls.is_empty() {
                let wanted = "any session under the root on chain".into();
                return Err(AppError::SessionNotFound { wanted });
            }
            let ids = in_trees.map(|leaf| leaf.session_id.clone()).collect();
            (None, ids, Kept::default(), B256::ZERO)
        }
    };
    let options = default_paymaster(&snapshot, &request.options);
    let operation = prepare_owner_operation(client, &snapshot, &calls, &options).await?;
    Ok(PreparedRevocation { request, tree, session_ids, kept, new_root, operation })
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
    // Why the bundler did not take a first one: its fees are raised once.
    let mut refused = None;
    for _ in 0..ROUNDS {
        let book = store.load(client.account).await?;
        let open = book.change_in_flight(true, |hash| passed_over.contains(hash));
        if let Some((session_id, user_op_hash)) = open {
            // However it ended: what counts is the book afterwards.
            drop(settle_change(client, store, user_op_hash).await);
            // What is still open then is passed over: the shared nonce lane lets only one of the two through.
            passed_over.insert(user_op_hash);
            in_the_way = Some(session_id);
            prepared = prepare_revoke_sessions(client, store, prepared.again()).await?;
            continue;
        }
        if !prepared.operation.is_fresh() {
            prepared = prepare_revoke_sessions(client, store, prepared.again()).await?;
        }
        let signed = sign_user_operation(client, &prepared.operation).await?;
        let user_op_hash = prepared.operation.user_op_hash;
        if !prepared.note(client.account, store).await? {
            prepared = prepare_revoke_sessions(client, store, prepared.again()).await?;
            continue;
        }
        let sent = send_user_operation(client.relay.as_ref(), &signed, &prepared.operation).await;
        if sent.as_ref().is_err_and(|error| !may_have_arrived(error)) {
            fail_revocation(store, client.account, user_op_hash).await?;
        }
        let refusal = match sent {
            Err(refusal) if refused.is_none() => refusal,
            sent => return sent,
        };
        let Some(higher) = raised(client.relay.as_ref(), &prepared.operation, &refusal).await? else {
            return Err(refusal);
        };
        client.wallet.signs_again();
        refused = Some(refusal);
        prepared.operation = higher;
    }
    if let (None, Some(refusal)) = (&in_the_way, refused) {
        return Err(refusal);
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
                book.begin_revocation(&ids, self.operation.as_revocation());
            }
            Ok(())
        };
        store.update(account, Box::new(change)).await?;
        Ok(is_current)
    }
}
