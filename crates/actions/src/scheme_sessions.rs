//! [`SchemeSessions`]: sessions of an account of any kind under any [`SessionScheme`]: list, grant, use, end. Four steps
//! and no more: what Smart Account V2's apps had before (devices brought together, interrupted grants settled, batches of
//! leaves) is in the verbs beside this file.

use std::{marker::PhantomData, rc::Rc};

use alloy::primitives::{Address, B256};
use futures::future::try_join;

mod choice;
mod findings;
mod key;
mod listing;
mod on_chain;
mod proof;
mod transfer;

use super::{
    account::SmartAccountClient,
    account_kind::AccountKind,
    chain_reads::eth_call,
    clock::unix_seconds,
    default_paymaster::default_paymaster,
    options::BuildUserOpOptions,
    ports::{DistributedKeys, Relay, SessionStore},
    prepare_user_operation::{
        PreparedUserOperation, UserOperationDraft, prepare_user_operation, read_owner_snapshot, read_snapshot_of,
    },
    raise_fees::raised,
    random,
    send_transaction::{complete_transaction, prepare_owner_operation},
    send_user_operation::{may_have_arrived, send_user_operation},
    session_choice::KeyPlace,
};
use crate::error::{AppError, Upstream};
use use_aa_protocol::{
    call::Call,
    clocks::Clocks,
    foreign_text,
    lint::Severity,
    policy::SessionPolicy,
    revert::revert_data,
    session_scheme::{
        AboutSession, ActionLimits, OnChain, SessionCalls, SessionLimits, SessionScheme, SessionTerms, Stored,
    },
    user_op_response::UserOpResponse,
};

/// What is to be granted.
#[derive(Clone, Debug, Default)]
pub struct SessionGrant {
    /// What the session may do.
    pub policies: Vec<(SessionPolicy, ActionLimits)>,
    /// What holds of all that it does.
    pub limits: SessionLimits,
    /// How the owner's operation is built.
    pub options: BuildUserOpOptions,
    /// A name for people, kept in the store only.
    pub label: Option<String>,
}

/// Several sessions of one key, in one operation.
#[derive(Clone, Debug, Default)]
pub struct SessionGrants {
    /// What each of them may do.
    pub sessions: Vec<Vec<(SessionPolicy, ActionLimits)>>,
    /// What holds of all that each of them does.
    pub limits: SessionLimits,
    /// How the owner's operation is built.
    pub options: BuildUserOpOptions,
    /// A name for people, kept in the store only.
    pub label: Option<String>,
    /// Without a paymaster in the options it is sponsored wherever the server sponsors pages, and its sessions' uses may be,
    /// too.
    pub sponsored_where_possible: bool,
}

/// What a grant made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedSessions {
    /// Ids of the sessions, in their order.
    pub ids: Vec<B256>,
    /// Address of their key.
    pub session_key: Address,
    /// The operation.
    pub response: UserOpResponse,
}

pub use choice::SessionChoice;
pub(super) use key::GrantedKey;
pub use listing::{LimitLeft, SessionListing};
pub use on_chain::ListedNote;

/// A session, and whether the chain has it.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedSession<S> {
    /// What the chain knows it by.
    pub id: B256,
    /// The session, as it is stored.
    pub session: S,
    /// The chain has it. What it has not is on its way, or was ended.
    pub on_chain: bool,
}

/// The sessions of one account under scheme `S`. Whoever uses them needs no wallet: account, relay and store suffice.
pub struct SchemeSessions<S> {
    kind: Rc<dyn AccountKind>,
    relay: Rc<dyn Relay>,
    store: Rc<dyn SessionStore>,
    contracts: Vec<Address>,
    scheme: PhantomData<S>,
}

/// A grant that lacks only the owner's signature. Nothing of it is stored yet.
#[derive(Clone, Debug)]
pub struct PreparedGrant<S> {
    sessions: Vec<S>,
    key: GrantedKey,
    label: Option<String>,
    operation: PreparedUserOperation,
}

impl<S> PreparedGrant<S> {
    /// The operation: hash, gas, who pays.
    pub fn operation(&self) -> &PreparedUserOperation {
        &self.operation
    }

    /// The sessions as they will be stored.
    pub fn sessions(&self) -> &[S] {
        &self.sessions
    }
}

/// What is to be done, and when.
struct Calling<'a> {
    account: Address,
    calls: &'a [Call],
    now: Clocks,
    /// Who holds the key that is to sign.
    holder: KeyPlace,
}

/// What was read before a step.
struct Known<S> {
    stored: Vec<Stored<S>>,
    on_chain: Vec<S>,
    /// Ids of those on chain.
    ids: Vec<B256>,
    /// Ids of those on chain of which nothing is stored here.
    unknown: Vec<B256>,
}

impl<S: SessionScheme> SchemeSessions<S> {
    /// Sessions of this account, kept in `store`.
    pub fn new(kind: Rc<dyn AccountKind>, relay: Rc<dyn Relay>, store: Rc<dyn SessionStore>) -> Self {
        Self { kind, relay, store, contracts: Vec::new(), scheme: PhantomData }
    }

    /// Contracts whose functions sessions of other devices may be about: where the chain keeps hashes of functions, theirs
    /// are tried.
    pub fn knowing(mut self, contracts: Vec<Address>) -> Self {
        self.contracts = contracts;
        self
    }

    /// All that are stored, in the order in which they were granted.
    ///
    /// # Errors
    /// Those of relay and store.
    pub async fn list(&self) -> Result<Vec<ListedSession<S::Session>>, AppError> {
        let Known { stored, ids, .. } = self.read().await?;
        let listed = stored.into_iter().map(|Stored { session, .. }| {
            let id = S::id(&session);
            ListedSession { id, session, on_chain: ids.contains(&id) }
        });
        Ok(listed.collect())
    }

    async fn read(&self) -> Result<Known<S::Session>, AppError> {
        let account = self.kind.address();
        let call = S::listing_call(account);
        let answer = eth_call(self.relay.as_ref(), call.to, call.data);
        let (records, answer) = try_join(self.store.records(account, S::NAME), answer).await?;
        let damaged = |error: serde_json::Error| AppError::Storage { reason: format!("a stored session: {error}") };
        let stored: Vec<Stored<S::Session>> =
            records.into_iter().map(serde_json::from_value).collect::<Result<_, _>>().map_err(damaged)?;
        let on_chain = S::listed(&stored, &answer)?;
        let ids = on_chain.iter().map(S::id).collect();
        let unknown = S::unknown(&stored, &answer)?;
        Ok(Known { stored, on_chain, ids, unknown })
    }

    /// Makes a key, keeps it, and has the owner grant it a session. The session can be used once the operation is mined.
    ///
    /// # Errors
    /// `PolicyRefused` for what must not be granted; those of preparing, the wallet, the bundler and the store. Where the
    /// operation cannot have arrived, nothing stays in the store.
    pub async fn grant(
        &self,
        owner: &SmartAccountClient,
        grant: SessionGrant,
    ) -> Result<(B256, UserOpResponse), AppError> {
        let SessionGrant { policies, limits, options, label } = grant;
        let sessions = vec![policies];
        let grants = SessionGrants { sessions, limits, options, label, sponsored_where_possible: false };
        let granted = self.grant_several(owner, grants).await?;
        let id = granted.ids.first().copied().unwrap_or_default();
        Ok((id, granted.response))
    }

    /// [`Self::grant`] for several sessions of one key, in one operation.
    ///
    /// # Errors
    /// As [`Self::grant`].
    pub async fn grant_several(
        &self,
        owner: &SmartAccountClient,
        grants: SessionGrants,
    ) -> Result<GrantedSessions, AppError> {
        let prepared = self.prepare_grant(owner, grants).await?;
        self.complete_grant(owner, prepared).await
    }

    /// All of [`Self::grant_several`] but store, sign and send: while a person reads.
    ///
    /// # Errors
    /// `PolicyRefused` for what must not be granted; those of preparing.
    pub async fn prepare_grant(
        &self,
        owner: &SmartAccountClient,
        grants: SessionGrants,
    ) -> Result<PreparedGrant<S::Session>, AppError> {
        self.prepare_grant_of(owner, grants, GrantedKey::new()?).await
    }

    /// [`Self::prepare_grant`] with this key.
    pub(super) async fn prepare_grant_of(
        &self,
        owner: &SmartAccountClient,
        grants: SessionGrants,
        key: GrantedKey,
    ) -> Result<PreparedGrant<S::Session>, AppError> {
        self.check_owner(owner)?;
        let account = self.kind.address();
        let (snapshot, known) = try_join(read_owner_snapshot(owner, &grants.options), self.read()).await?;
        let (mut options, mut limits) = (grants.options, grants.limits);
        if grants.sponsored_where_possible {
            limits.sponsored |= snapshot.chain.sponsors_pages();
            options = default_paymaster(&snapshot, &options);
        }
        let now = snapshot.now().latest();
        let on_chain = OnChain { account, modules: &snapshot.account.modules, sessions: &known.on_chain };
        let mut sessions = Vec::new();
        for policies in &grants.sessions {
            let session = S::session(&SessionTerms {
                account,
                policies,
                limits: limits.clone(),
                session_key: key.address(),
                salt: random::word()?,
                now,
            })?;
            let found = S::lint(&session, &on_chain, now);
            if let Some(stop) = found.into_iter().find(|found| found.severity == Severity::Stop) {
                return Err(AppError::PolicyRefused { reason: stop.text });
            }
            sessions.push(session);
        }
        let calls = S::grant_calls(&on_chain, &sessions)?;
        let operation = prepare_owner_operation(owner, &snapshot, &calls, &options).await?;
        let label = grants.label.as_deref().and_then(foreign_text::name);
        Ok(PreparedGrant { sessions, key, label, operation })
    }

    /// Keeps key and sessions of a prepared grant, has the owner sign it, and sends it.
    ///
    /// # Errors
    /// Those of the wallet, the bundler and the store.
    pub async fn complete_grant(
        &self,
        owner: &SmartAccountClient,
        grant: PreparedGrant<S::Session>,
    ) -> Result<GrantedSessions, AppError> {
        let account = self.kind.address();
        let PreparedGrant { sessions, key, label, operation } = grant;
        let ids = sessions.iter().map(S::id).collect::<Vec<_>>();
        let record = |granted_by| {
            let created_at = Some(unix_seconds());
            let nodes = key.at_nodes().cloned();
            let about = AboutSession { label: label.clone(), created_at, granted_by, nodes, ..AboutSession::default() };
            sessions.iter().map(move |session| Stored { session: session.clone(), ending: false, about: about.clone() })
        };
        key.put(self.store.as_ref(), account).await?;
        for stored in record(Some(operation.user_op_hash)) {
            self.put(stored).await?;
        }
        let response = match complete_transaction(owner, &operation).await {
            Ok(response) => response,
            Err(error) => {
                if !may_have_arrived(&error) {
                    for id in ids {
                        self.store.put_record(account, S::NAME, id, None).await?;
                    }
                    self.store.remove_signer(account, key.address()).await?;
                }
                return Err(error);
            }
        };
        if response.user_op_hash != operation.user_op_hash {
            // It was sent with higher fees.
            for stored in record(Some(response.user_op_hash)) {
                self.put(stored).await?;
            }
        }
        Ok(GrantedSessions { ids, session_key: key.address(), response })
    }

    /// Makes the account do what a session allows. Its key signs, nobody else. The account pays unless the options name a
    /// paymaster: not every session may be sponsored.
    ///
    /// # Errors
    /// `SessionNotFound` for one that is not stored, or that the chain has not; `PolicyViolation` for what its policies
    /// refuse, by what is known here or by what the chain says; those of preparing and sending.
    pub async fn use_session(
        &self,
        id: B256,
        calls: &[Call],
        options: &BuildUserOpOptions,
    ) -> Result<UserOpResponse, AppError> {
        self.use_one(&SessionChoice::Id(id), calls, options, false).await
    }

    /// [`Self::use_session`] with the session that is meant. `as_in_pages`: without a paymaster in the options others pay
    /// wherever the server sponsors pages and the session allows it, and what is left of its limits is asked before anybody
    /// else is.
    ///
    /// # Errors
    /// As [`Self::use_session`]; those of the choice.
    pub async fn use_one(
        &self,
        choice: &SessionChoice,
        calls: &[Call],
        options: &BuildUserOpOptions,
        as_in_pages: bool,
    ) -> Result<UserOpResponse, AppError> {
        self.use_with(None, choice, calls, options, as_in_pages).await
    }

    /// [`Self::use_one`] as in pages, of a session whose key these nodes share: they sign.
    ///
    /// # Errors
    /// As [`Self::use_one`]; `InvalidInput` for one that was granted for another chain; `TooFewNodes`; `NodeRefused` and
    /// `PolicyViolation` when a node says no.
    pub async fn use_one_by_nodes(
        &self,
        keys: &dyn DistributedKeys,
        choice: &SessionChoice,
        calls: &[Call],
        options: &BuildUserOpOptions,
    ) -> Result<UserOpResponse, AppError> {
        self.use_with(Some(keys), choice, calls, options, true).await
    }

    async fn use_with(
        &self,
        keys: Option<&dyn DistributedKeys>,
        choice: &SessionChoice,
        calls: &[Call],
        options: &BuildUserOpOptions,
        as_in_pages: bool,
    ) -> Result<UserOpResponse, AppError> {
        let (relay, account) = (self.relay.as_ref(), self.kind.address());
        let snapshot = read_snapshot_of(self.kind.as_ref(), relay, options, S::nonce_key);
        let (snapshot, known) = try_join(snapshot, self.read()).await?;
        if !snapshot.account.deployed {
            return Err(AppError::AccountNotDeployed { account });
        }
        let holder = if keys.is_some() { KeyPlace::Nodes } else { KeyPlace::Store };
        let calling = Calling { account, calls, now: snapshot.now(), holder };
        let session = self.choose(choice, &known, &calling).await?;
        let sponsored = as_in_pages && S::may_be_sponsored(session);
        let options = &if sponsored { default_paymaster(&snapshot, options) } else { options.clone() };
        let call_data = self.kind.encode_calls(calls, options.force_encode_for_batch.unwrap_or(false))?;
        let sponsored = options.paymaster_service_data.as_ref().is_some_and(|data| data.mode.is_some());
        let now = snapshot.now().latest();
        S::judge(session, &SessionCalls { account, calls, call_data: &call_data, sponsored, now })?;
        if as_in_pages {
            self.check_left(session, calls).await?;
        }
        let on_chain = OnChain { account, modules: &snapshot.account.modules, sessions: &known.on_chain };
        let draft = UserOperationDraft {
            entry_point: self.kind.entry_point(),
            sender: account,
            init_code: Default::default(),
            call_data,
            dummy_signature: S::use_stub(&on_chain, session)?,
        };
        let prepared = prepare_user_operation(relay, &snapshot, draft, options).await.map_err(told::<S>)?;
        let signer = self.signer(keys, &known, session, snapshot.chain.chain_id).await?;
        let sign_and_send = async |prepared: &PreparedUserOperation| {
            let mut signed = prepared.user_operation.clone();
            // Which session it is for, the nodes must know.
            signed.signature = S::use_signature(&on_chain, session, &[])?;
            let signature = signer.sign(&signed, prepared.user_op_hash).await?;
            signed.signature = S::use_signature(&on_chain, session, &signature)?;
            send_user_operation(relay, &signed, prepared).await
        };
        let refusal = match sign_and_send(&prepared).await {
            Ok(response) => return Ok(response),
            Err(refusal) => refusal,
        };
        match raised(relay, &prepared, &refusal).await? {
            Some(higher) => sign_and_send(&higher).await.map_err(told::<S>),
            None => Err(told::<S>(refusal)),
        }
    }

    /// Has the owner end sessions; the others stay. What is stored stays until [`Self::forget`]. Sessions that were granted
    /// elsewhere end by their id alone, where the chain tells it.
    ///
    /// # Errors
    /// `SessionNotFound` for one that the chain has not; those of preparing, the wallet and the bundler.
    pub async fn revoke(
        &self,
        owner: &SmartAccountClient,
        ended: &[B256],
        options: &BuildUserOpOptions,
    ) -> Result<UserOpResponse, AppError> {
        self.check_owner(owner)?;
        let (snapshot, known) = try_join(read_owner_snapshot(owner, options), self.read()).await?;
        let on_chain =
            OnChain { account: self.kind.address(), modules: &snapshot.account.modules, sessions: &known.on_chain };
        let (unknown, known_here): (Vec<_>, Vec<_>) = ended.iter().partition(|id| known.unknown.contains(id));
        let mut calls = match known_here.is_empty() && !unknown.is_empty() {
            true => Vec::new(),
            false => S::revocation_calls(&on_chain, &known_here)?,
        };
        calls.extend(S::end_unknown(&unknown));
        let prepared = prepare_owner_operation(owner, &snapshot, &calls, options).await?;
        let ended = known.stored.into_iter().filter(|stored| ended.contains(&S::id(&stored.session)));
        let ended = ended.collect::<Vec<_>>();
        let mark = async |operation: B256| {
            for stored in &ended {
                let about = AboutSession { ended_by: Some(operation), ..stored.about.clone() };
                self.put(Stored { session: stored.session.clone(), ending: true, about }).await?;
            }
            Ok::<_, AppError>(())
        };
        mark(prepared.user_op_hash).await?;
        match complete_transaction(owner, &prepared).await {
            Ok(response) => {
                if response.user_op_hash != prepared.user_op_hash {
                    mark(response.user_op_hash).await?;
                }
                Ok(response)
            }
            Err(error) => {
                if !may_have_arrived(&error) {
                    for stored in ended {
                        self.put(stored).await?;
                    }
                }
                Err(error)
            }
        }
    }

    async fn put(&self, stored: Stored<S::Session>) -> Result<(), AppError> {
        let id = S::id(&stored.session);
        let record = serde_json::to_value(stored)
            .map_err(|error| AppError::Storage { reason: format!("a session cannot be written: {error}") })?;
        self.store.put_record(self.kind.address(), S::NAME, id, Some(record)).await
    }

    /// Forgets a session that the chain has not, and its key: after it was ended, or when its grant came to nothing.
    ///
    /// # Errors
    /// `InvalidInput` while the chain has it; those of relay and store.
    pub async fn forget(&self, id: B256) -> Result<(), AppError> {
        let Known { stored, ids, .. } = self.read().await?;
        if ids.contains(&id) {
            return Err(AppError::invalid("id", "a session that the chain has not", id));
        }
        let account = self.kind.address();
        self.store.put_record(account, S::NAME, id, None).await?;
        let mut stored = stored.iter().map(|stored| &stored.session);
        let key = stored.clone().find(|session| S::id(session) == id).map(S::session_key);
        let mut is_shared = |key| stored.any(|other| S::session_key(other) == key && S::id(other) != id);
        match key {
            Some(key) if !is_shared(key) => self.store.remove_signer(account, key).await,
            _ => Ok(()),
        }
    }

    fn check_owner(&self, owner: &SmartAccountClient) -> Result<(), AppError> {
        let account = self.kind.address();
        if owner.account == account {
            return Ok(());
        }
        Err(AppError::invalid("owner", format!("the client of account {account}"), owner.account))
    }
}

/// A bundler's refusal that is a policy's.
fn told<S: SessionScheme>(error: AppError) -> AppError {
    let AppError::UpstreamRejected { upstream: Upstream::Bundler, message, data, .. } = &error else { return error };
    let reverted = data.as_deref().and_then(revert_data);
    S::refusal(message, reverted.as_ref().map(AsRef::as_ref)).map_or(error, AppError::from)
}

#[cfg(test)]
mod tests;
