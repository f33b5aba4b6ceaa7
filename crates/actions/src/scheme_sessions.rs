//! [`SchemeSessions`]: sessions of an account of any kind under any [`SessionScheme`]: list, grant, use, end. Four steps
//! and no more: what Smart Account V2's apps had before (devices brought together, interrupted grants settled, batches of
//! leaves) is in the verbs beside this file.

use std::{marker::PhantomData, rc::Rc};

use alloy::{primitives::B256, signers::SignerSync};
use futures::future::try_join;

use super::{
    account::SmartAccountClient,
    account_kind::AccountKind,
    chain_reads::eth_call,
    options::BuildUserOpOptions,
    ports::{Relay, SessionStore},
    prepare_user_operation::{
        PreparedUserOperation, UserOperationDraft, prepare_user_operation, read_owner_snapshot, read_snapshot_of,
    },
    raise_fees::raised,
    random,
    send_transaction::{complete_transaction, prepare_owner_operation},
    send_user_operation::{may_have_arrived, send_user_operation},
};
use crate::error::{AppError, Upstream};
use use_aa_protocol::{
    call::Call,
    lint::Severity,
    policy::SessionPolicy,
    revert::revert_data,
    session_scheme::{ActionLimits, OnChain, SessionCalls, SessionLimits, SessionScheme, SessionTerms, Stored},
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
}

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
    scheme: PhantomData<S>,
}

/// What was read before a step.
struct Known<S> {
    stored: Vec<Stored<S>>,
    on_chain: Vec<S>,
}

impl<S: SessionScheme> SchemeSessions<S> {
    /// Sessions of this account, kept in `store`.
    pub fn new(kind: Rc<dyn AccountKind>, relay: Rc<dyn Relay>, store: Rc<dyn SessionStore>) -> Self {
        Self { kind, relay, store, scheme: PhantomData }
    }

    /// All that are stored, in the order in which they were granted.
    ///
    /// # Errors
    /// Those of relay and store.
    pub async fn list(&self) -> Result<Vec<ListedSession<S::Session>>, AppError> {
        let Known { stored, on_chain } = self.read().await?;
        let ids = on_chain.iter().map(S::id).collect::<Vec<_>>();
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
        Ok(Known { stored, on_chain })
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
        self.check_owner(owner)?;
        let account = self.kind.address();
        let (snapshot, known) = try_join(read_owner_snapshot(owner, &grant.options), self.read()).await?;
        let now = snapshot.now().latest();
        let key = random::session_key()?;
        let session = S::session(&SessionTerms {
            account,
            policies: &grant.policies,
            limits: grant.limits,
            session_key: key.address(),
            salt: random::word()?,
            now,
        })?;
        let on_chain = OnChain { account, modules: &snapshot.account.modules, sessions: &known.on_chain };
        let found = S::lint(&session, &on_chain, now);
        if let Some(stop) = found.into_iter().find(|found| found.severity == Severity::Stop) {
            return Err(AppError::PolicyRefused { reason: stop.text });
        }
        let calls = S::grant_calls(&on_chain, std::slice::from_ref(&session))?;
        let prepared = prepare_owner_operation(owner, &snapshot, &calls, &grant.options).await?;
        let id = S::id(&session);
        self.store.put_signer(account, &key).await?;
        self.put(id, session, false).await?;
        match complete_transaction(owner, &prepared).await {
            Ok(response) => Ok((id, response)),
            Err(error) => {
                if !may_have_arrived(&error) {
                    self.store.put_record(account, S::NAME, id, None).await?;
                    self.store.remove_signer(account, key.address()).await?;
                }
                Err(error)
            }
        }
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
        let (relay, account) = (self.relay.as_ref(), self.kind.address());
        let snapshot = read_snapshot_of(self.kind.as_ref(), relay, options, S::nonce_key);
        let (snapshot, known) = try_join(snapshot, self.read()).await?;
        if !snapshot.account.deployed {
            return Err(AppError::AccountNotDeployed { account });
        }
        let absent = || AppError::SessionNotFound { wanted: format!("session {id} of {account} on chain") };
        let session = known.on_chain.iter().find(|session| S::id(session) == id).ok_or_else(absent)?;
        let call_data = self.kind.encode_calls(calls, options.force_encode_for_batch.unwrap_or(false))?;
        let sponsored = options.paymaster_service_data.as_ref().is_some_and(|data| data.mode.is_some());
        let now = snapshot.now().latest();
        S::judge(session, &SessionCalls { account, calls, call_data: &call_data, sponsored, now })?;
        let on_chain = OnChain { account, modules: &snapshot.account.modules, sessions: &known.on_chain };
        let draft = UserOperationDraft {
            entry_point: self.kind.entry_point(),
            sender: account,
            init_code: Default::default(),
            call_data,
            dummy_signature: S::use_stub(&on_chain, session)?,
        };
        let prepared = prepare_user_operation(relay, &snapshot, draft, options).await.map_err(told::<S>)?;
        let key = self.store.signer(account, S::session_key(session)).await?;
        let sign_and_send = async |prepared: &PreparedUserOperation| {
            let signature = key.sign_message_sync(prepared.user_op_hash.as_slice());
            let signature = signature.map_err(|error| AppError::Key { reason: error.to_string() })?.as_bytes();
            let mut signed = prepared.user_operation.clone();
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

    /// Has the owner end sessions; the others stay. What is stored stays until [`Self::forget`].
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
        let calls = S::revocation_calls(&on_chain, ended)?;
        let prepared = prepare_owner_operation(owner, &snapshot, &calls, options).await?;
        for session in known.on_chain.iter().filter(|session| ended.contains(&S::id(session))) {
            self.put(S::id(session), session.clone(), true).await?;
        }
        complete_transaction(owner, &prepared).await
    }

    async fn put(&self, id: B256, session: S::Session, ending: bool) -> Result<(), AppError> {
        let record = serde_json::to_value(Stored { session, ending })
            .map_err(|error| AppError::Storage { reason: format!("a session cannot be written: {error}") })?;
        self.store.put_record(self.kind.address(), S::NAME, id, Some(record)).await
    }

    /// Forgets a session that the chain has not, and its key: after it was ended, or when its grant came to nothing.
    ///
    /// # Errors
    /// `InvalidInput` while the chain has it; those of relay and store.
    pub async fn forget(&self, id: B256) -> Result<(), AppError> {
        let Known { stored, on_chain } = self.read().await?;
        if on_chain.iter().any(|session| S::id(session) == id) {
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
