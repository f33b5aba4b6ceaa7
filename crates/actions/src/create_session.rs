//! Grants sessions: new leaves under the account's root, one session key for all of them.
//! [`super::create_batch_session`] grants in the same way.
//!
//! What is stored never runs ahead of the chain (docs/protocol.md 10-S31):
//!
//! 1. [`prepare_create_session`] writes nothing. It compares the stored sessions with the root on chain,
//!    makes key and leaves, and builds the operation that sets the root over *confirmed leaves and the
//!    new ones*. It can run while a person still reads the review.
//! 2. [`complete_create_session`] asks for the owner's signature. A refusal ends here: nothing was stored.
//! 3. Key and leaves are stored, `PENDING` and with the operation's hash, *before* the operation is
//!    sent: a page that is closed in between finds them again ([`super::sync_sessions`]).
//! 4. It is sent. When the bundler refuses, leaves and key are taken out again. When the answer is lost
//!    ([`may_have_arrived`]) they stay `PENDING`, outside every root, until [`super::sync_sessions`] or
//!    [`super::settle_session`] knows what became of them: throwing the key of a session away that is
//!    granted after all would break every session of the account.
//! 5. [`super::settle_session`] follows the operation: `ACTIVE` on success, taken out once it can no longer succeed.
//!
//! The new root keeps what is under the old one, also sessions of other devices: [`super::reviewed_sessions`] says which
//! of those may stay, and that none comes in between review and signature.
//!
//! Two grants at once: the operation's nonce comes from the same look at the chain as the root that it
//! builds on, and grants share one nonce lane, so at most one of two grants over the same root can ever
//! be included. In one browser the second sees the first one's `PENDING` leaves when it stores its own,
//! waits for them to settle and builds anew on the root that is then confirmed (the wallet is asked
//! again). On two devices the bundler refuses the second, which fails cleanly.

use std::collections::HashSet;

use alloy::primitives::{Address, B256, U256};
use futures::future::try_join;

use super::{
    account::SmartAccountClient,
    default_paymaster::default_paymaster,
    enable_mode::EnableMode,
    grant::{GrantRequest, Material},
    grant_limits::{set_native_total, set_total, set_uses},
    native_rest::prepare_with_withdrawal,
    options::BuildUserOpOptions,
    ports::SessionStore,
    prepare_user_operation::{ChainSnapshot, PreparedUserOperation, read_owner_snapshot},
    raise_fees::raised,
    reviewed_sessions::{Kept, ReviewedSessions, refuse_ends_elsewhere},
    send_transaction::prepare_owner_operation,
    send_user_operation::{may_have_arrived, send_user_operation, sign_user_operation},
    session_ledger::{agreed_roots, stored_or_published},
    session_tree::SessionTree,
    settle_change::settle_change,
    settle_session::{doubt, take_out},
};
use crate::error::AppError;
use use_aa_protocol::{
    ProtocolError,
    accounts::biconomy_v2,
    addresses::{BATCHED_SESSION_ROUTER, SESSION_KEY_MANAGER},
    policy::{Policy, SessionPolicy},
    session::{SessionBook, SessionLeaf},
    session_scheme::ActionLimits,
    smart_account::{Call, enable_module, set_merkle_root},
    user_op_response::{CreatedSession, UserOpResponse},
    user_operation::UserOperation,
};

pub use super::grant::MAX_SESSIONS_PER_GRANT;

/// How often a grant is built anew because another one came first.
const ROUNDS: usize = 4;

/// Up to this many confirmed leaves the store is looked at before the wallet is asked, too, so that a
/// person seldom signs twice. Beyond, reading the store costs more than it saves.
const LOOK_FIRST_UP_TO: usize = 1000;

/// What is to be granted; variables of `use_create_session` and `use_create_session_with_distributed_key`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreateSessionVariables {
    /// What is to be allowed; one session each, one key for all that bring none.
    pub policy: Vec<Policy>,
    /// A name for people, kept with the leaves in this browser only.
    pub label: Option<String>,
    /// Without `paymaster_service_data` the grant is sponsored wherever the server sponsors pages.
    pub options: BuildUserOpOptions,
    /// What a review showed of sessions that were not granted in this browser; `None` without a review. See
    /// [`reviewed_sessions`](super::reviewed_sessions).
    pub reviewed: Option<ReviewedSessions>,
    /// Grant even when the account has sessions that are not stored here (another device or app granted
    /// them). A root over them cannot be made without them: they end, and so do those stored here, which
    /// are not under the root on chain either. Ask the person first: `is_in_sync` of `use_session_list` tells.
    pub replace_unknown: bool,
    /// Send the account's native currency, its balance and its deposit at the entry point, to the owner in the same
    /// operation: whoever has a session key decides what operations cost, and takes none of it from an account that has
    /// none. Allowances of tokens stay. Where the account pays for this operation, what that may cost stays. Default: no.
    pub withdraw_native: bool,
    /// The most that the gas of one operation may cost the account, wei; for distributed keys only, whose nodes keep to it.
    /// Tokens that a paymaster may take by an allowance are not limited by it. `None`:
    /// [`default_operation_cost`](use_aa_protocol::distributed_key::default_operation_cost) at this grant's fee. Zero: only a
    /// known sponsor pays.
    pub max_operation_cost: Option<U256>,
    /// What each policy's calls are limited to over all of them, in the order of the policies; those that are missing count
    /// nothing. Only account kinds whose sessions count take any (`AccountKindCannot`).
    pub limits: Vec<ActionLimits>,
    /// When the sessions are put on chain.
    pub enable: EnableMode,
}

impl CreateSessionVariables {
    /// Allows each policy so many calls.
    #[must_use]
    pub fn with_uses(mut self, uses: u128) -> Self {
        set_uses(&mut self.limits, self.policy.len(), uses);
        self
    }

    /// Allows the amounts that the policies bound per call to add up to so much, each policy for itself, in the token's
    /// smallest unit.
    ///
    /// # Errors
    /// `Invalid` where no policy bounds an amount.
    pub fn with_total(mut self, total: U256) -> Result<Self, ProtocolError> {
        let policies = self.policy.iter().cloned().map(SessionPolicy::from).collect::<Vec<_>>();
        set_total(&mut self.limits, &policies, total)?;
        Ok(self)
    }

    /// Allows the calls of each policy that may send the native currency to send so much of it in all, wei.
    ///
    /// # Errors
    /// `Invalid` where no policy lets a call send any.
    pub fn with_native_total(mut self, total: U256) -> Result<Self, ProtocolError> {
        let policies = self.policy.iter().cloned().map(SessionPolicy::from).collect::<Vec<_>>();
        set_native_total(&mut self.limits, &policies, total)?;
        Ok(self)
    }
}

/// The former name of [`CreateSessionVariables`].
#[deprecated(note = "is now `CreateSessionVariables`")]
pub type CreateSessionRequest = CreateSessionVariables;

/// A grant that lacks only the owner's signature. Nothing of it is stored yet.
#[derive(Clone, Debug)]
pub struct PreparedCreateSession {
    grant: GrantRequest,
    material: Material,
    tree: SessionTree,
    kept: Kept,
    new_root: B256,
    operation: PreparedUserOperation,
}

impl PreparedCreateSession {
    /// The operation, for a review: hash, gas, who pays.
    pub fn operation(&self) -> &PreparedUserOperation {
        &self.operation
    }

    /// The leaves as they will be stored.
    pub fn leaves(&self) -> &[SessionLeaf] {
        &self.material.leaves
    }

    /// Sessions that it keeps though they were not granted in this browser.
    pub fn kept(&self) -> &[SessionLeaf] {
        &self.kept.leaves
    }

    /// What is decided about those by now: nothing else comes in until it is signed.
    pub(super) fn reviewed(&self) -> ReviewedSessions {
        self.kept.as_reviewed(self.grant.reviewed.as_ref())
    }

    /// Keeps with the leaves what one operation may cost the account.
    pub(super) fn keep_operation_cost(&mut self, limit: U256) {
        self.material.leaves.iter_mut().for_each(|leaf| leaf.max_operation_cost = Some(limit));
    }

    /// Address of the session key.
    pub fn session_key_address(&self) -> Address {
        self.material.session_key_address
    }

    /// The root that the grant sets.
    pub fn new_root(&self) -> B256 {
        self.new_root
    }
}

/// Grants sessions: [`prepare_create_session`], then [`complete_create_session`].
///
/// Resolves when the bundler has the operation; follow it with [`super::settle_session`].
///
/// # Errors
/// Those of the two.
pub async fn create_session(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    request: CreateSessionVariables,
) -> Result<UserOpResponse, AppError> {
    let prepared = prepare_create_session(client, store, request).await?;
    complete_create_session(client, store, prepared).await
}

/// Checks the policies and builds the granting operation. Writes nothing.
///
/// # Errors
/// `InvalidInput` and `PolicyRefused` for the policies, before anything is asked over the network; `InvalidInput` for a
/// `max_operation_cost`, which nobody would keep to, and for a review that ends sessions of another session key manager;
/// `SessionsOutOfSync` when the stored sessions are not those on chain and may not be replaced; `SessionsNotReviewed` when
/// it would keep what nobody granted here and what was not reviewed, or must not be kept; those of preparing.
pub async fn prepare_create_session(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    request: CreateSessionVariables,
) -> Result<PreparedCreateSession, AppError> {
    if let Some(limit) = request.max_operation_cost {
        let expected = "none: whoever has the key decides what operations cost, only nodes keep to a limit";
        return Err(AppError::invalid("maxOperationCost", expected, limit));
    }
    prepare_grant(client, store, GrantRequest::from(request)).await
}

/// Signs, stores and sends what [`prepare_create_session`] made. An operation that got too old, or whose
/// root is no longer the confirmed one, is built anew first.
///
/// # Errors
/// `WalletRejected` and the wallet's others: nothing was stored. Those of the bundler: what was stored is
/// taken out again, unless the error [`may_have_arrived`]. `SessionPending` when grants of other tabs keep
/// coming first.
pub async fn complete_create_session(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    mut prepared: PreparedCreateSession,
) -> Result<UserOpResponse, AppError> {
    let mut passed_over = Vec::new();
    let mut in_the_way = None;
    // Why the bundler did not take a first one: its fees are raised once.
    let mut refused = None;
    for _ in 0..ROUNDS {
        if let Some(obstacle) = in_the_way.take() {
            if let Obstacle::Change { user_op_hash, .. } = obstacle {
                // However it ended: what counts is the book afterwards. One that nobody can tell the end
                // of is passed over; the shared nonce lane still lets only one of the two through.
                let outcome = settle_change(client, store, user_op_hash).await;
                if outcome.is_err() && prepared.shares_the_lane() {
                    passed_over.push(user_op_hash);
                }
            }
            prepared = prepared.renew(client, store).await?;
        } else if !prepared.operation.is_fresh() {
            prepared = prepared.renew(client, store).await?;
        }
        if prepared.tree.len() <= LOOK_FIRST_UP_TO {
            let mut book = store.load(client.account).await?;
            in_the_way = prepared.obstacle(&mut book, &passed_over);
            if in_the_way.is_some() {
                continue;
            }
        }
        let signed = sign_user_operation(client, &prepared.operation).await?;
        in_the_way = prepared.write_pending(client.account, store, &passed_over).await?;
        if in_the_way.is_some() {
            continue;
        }
        let refusal = match prepared.send(client, store, &signed).await {
            Err(refusal) if refused.is_none() => refusal,
            sent => return sent,
        };
        // What was written for the first one is taken out again; the second one writes its own.
        let Some(higher) = raised(client.relay.as_ref(), &prepared.operation, &refusal).await? else {
            return Err(refusal);
        };
        client.wallet.signs_again();
        refused = Some(refusal);
        prepared = prepared.with_fees_of(client, store, higher).await?;
    }
    Err(match (in_the_way, refused) {
        (Some(Obstacle::Change { session_id, .. }), _) => AppError::SessionPending { session_id },
        (None, Some(refusal)) => refusal,
        _ => {
            let local = store.load(client.account).await?.root();
            AppError::SessionsOutOfSync { local, chain: prepared.tree.root() }
        }
    })
}

/// Why a prepared grant cannot be stored now.
enum Obstacle {
    /// The confirmed leaves are others than those it was built on.
    OtherTree,
    /// Another grant or a revocation is on its way.
    Change { user_op_hash: B256, session_id: String },
}

impl From<CreateSessionVariables> for GrantRequest {
    fn from(request: CreateSessionVariables) -> Self {
        let CreateSessionVariables {
            policy,
            label,
            options,
            reviewed,
            replace_unknown,
            withdraw_native,
            limits,
            enable,
            ..
        } = request;
        let policy = policy.into_iter().map(SessionPolicy::from).collect();
        Self { policy, label, options, reviewed, replace_unknown, batched: false, withdraw_native, limits, enable }
    }
}

/// Checks what is to be granted and builds the operation. Writes nothing.
pub(super) async fn prepare_grant(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    grant: GrantRequest,
) -> Result<PreparedCreateSession, AppError> {
    let material = Material::new(client.account, &grant)?;
    prepare_grant_of(client, store, grant, material).await
}

/// As [`prepare_grant`], for leaves that are there already.
pub(super) async fn prepare_grant_of(
    client: &SmartAccountClient,
    store: &dyn SessionStore,
    grant: GrantRequest,
    mut material: Material,
) -> Result<PreparedCreateSession, AppError> {
    client.check_kind(biconomy_v2::NAME)?;
    let snapshot = read_owner_snapshot(client, &grant.options);
    let (snapshot, mut book) = try_join(snapshot, store.load(client.account)).await?;
    agreed_roots(&snapshot.account)?;
    material.check_windows(snapshot.now())?;
    material.check_modules(&snapshot.account.modules)?;
    let relay = client.relay.as_ref();
    let chain_root = snapshot.account.merkle_root;
    let tree = match &grant.reviewed {
        // What others grant meanwhile is not taken over: the next review shows it.
        Some(_) => SessionTree::in_sync(&mut book, chain_root),
        None => {
            stored_or_published(relay, store, client.account, &mut book, &snapshot.account, SessionTree::in_sync).await
        }
    };
    let (tree, kept) = match tree {
        Err(AppError::SessionsOutOfSync { .. }) if grant.replace_unknown => {
            refuse_ends_elsewhere(&book.tree_leaves(), &book, grant.reviewed.as_ref())?;
            (SessionTree::replacing(&book), Kept::default())
        }
        tree => {
            let (tree, leaves) = (tree?, book.tree_leaves());
            let reviewed = grant.reviewed.as_ref();
            let modules = &snapshot.account.modules;
            let kept = Kept::decide(&leaves, &book, reviewed, HashSet::new(), client.account, modules)?;
            (tree.leaving_out(&book, kept.ended.clone()), kept)
        }
    };
    let new_root = tree.root_with(&material.leaves);
    let options = default_paymaster(&snapshot, &grant.options);
    let calls = granting_calls(client.account, &snapshot, grant.batched, new_root);
    let operation = match grant.withdraw_native {
        true => prepare_with_withdrawal(client, &snapshot, calls, &options).await?,
        false => prepare_owner_operation(client, &snapshot, &calls, &options).await?,
    };
    material.granted_by(&operation)?;
    Ok(PreparedCreateSession { grant, material, tree, kept, new_root, operation })
}

fn granting_calls(account: Address, snapshot: &ChainSnapshot, batched: bool, root: B256) -> Vec<Call> {
    let state = &snapshot.account;
    let modules = [
        (SESSION_KEY_MANAGER, !state.session_key_manager_enabled),
        (BATCHED_SESSION_ROUTER, batched && !state.batched_session_router_enabled),
    ];
    let missing = modules.into_iter().filter(|(_, missing)| *missing);
    missing.map(|(module, _)| enable_module(account, module)).chain([set_merkle_root(root)]).collect()
}

impl PreparedCreateSession {
    async fn renew(self, client: &SmartAccountClient, store: &dyn SessionStore) -> Result<Self, AppError> {
        let grant = GrantRequest { reviewed: Some(self.reviewed()), ..self.grant };
        prepare_grant_of(client, store, grant, self.material).await
    }

    /// Grants without a nonce of the caller's exclude each other by their nonce.
    fn shares_the_lane(&self) -> bool {
        let nonce = self.grant.options.nonce_options.unwrap_or_default();
        nonce.nonce_override.is_none() && nonce.nonce_key.unwrap_or(U256::ZERO).is_zero()
    }

    fn obstacle(&self, book: &mut SessionBook, passed_over: &[B256]) -> Option<Obstacle> {
        if !self.tree.is_tree_of(book) && !self.tree.settle(book) {
            return Some(Obstacle::OtherTree);
        }
        // One that may never have arrived is not worth waiting for where the nonce excludes the other anyway.
        let open = book.change_in_flight(self.shares_the_lane(), |hash| passed_over.contains(hash));
        open.map(|(session_id, user_op_hash)| Obstacle::Change { user_op_hash, session_id })
    }

    /// Stores key and leaves, unless another grant came first: then nothing is written.
    async fn write_pending(
        &self,
        account: Address,
        store: &dyn SessionStore,
        passed_over: &[B256],
    ) -> Result<Option<Obstacle>, AppError> {
        self.material.store_key(store, account).await?;
        let mut obstacle = None;
        let written = store
            .update(
                account,
                Box::new(|book| {
                    obstacle = self.obstacle(book, passed_over);
                    if obstacle.is_some() {
                        return Err(AppError::Internal { reason: "another grant came first".into() });
                    }
                    let left_out = self.tree.left_out().iter().map(String::as_str).collect();
                    book.begin_revocation(&left_out, self.operation.as_revocation());
                    self.material.replace_returning(book);
                    book.leaf_nodes.extend(self.material.leaves.iter().cloned());
                    Ok(())
                }),
            )
            .await;
        let Err(error) = written else { return Ok(None) };
        if self.material.key.is_some() {
            // The key is of no use without its leaves. Should even this fail, a spare key is no harm.
            let _ = store.remove_signer(account, self.material.session_key_address).await;
        }
        obstacle.map(Some).ok_or(error)
    }

    /// The same with higher fees.
    async fn with_fees_of(
        mut self,
        client: &SmartAccountClient,
        store: &dyn SessionStore,
        higher: PreparedUserOperation,
    ) -> Result<Self, AppError> {
        if self.grant.withdraw_native {
            // What is withdrawn leaves just what the operation may cost.
            return self.renew(client, store).await;
        }
        self.material.granted_by(&higher)?;
        Ok(Self { operation: higher, ..self })
    }

    async fn send(
        &self,
        client: &SmartAccountClient,
        store: &dyn SessionStore,
        signed: &UserOperation,
    ) -> Result<UserOpResponse, AppError> {
        let user_op_hash = self.operation.user_op_hash;
        let sent = send_user_operation(client.relay.as_ref(), signed, &self.operation).await;
        if let Err(error) = sent {
            // Should the store refuse either, the leaves stay PENDING and outside every root.
            let _ = match may_have_arrived(&error) {
                true => doubt(store, client.account, user_op_hash).await,
                false => take_out(store, client.account, user_op_hash).await,
            };
            return Err(error);
        }
        let session_ids = self.material.leaves.iter().map(|leaf| leaf.session_id.clone()).collect();
        let session_key_address = self.material.session_key_address;
        let session = CreatedSession { account: client.account, session_ids, session_key_address };
        Ok(UserOpResponse { user_op_hash, session: Some(session) })
    }
}
