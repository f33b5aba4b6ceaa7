//! [`SchemeSessions`]: sessions of an account of any kind under any [`SessionScheme`]: list, grant, use, end. Four steps
//! and no more: what Smart Account V2's apps had before (devices brought together, interrupted grants settled, batches of
//! leaves) is in the verbs beside this file.

use std::{marker::PhantomData, rc::Rc};

use alloy::primitives::{Address, B256};
use futures::future::try_join;

mod by_signature;
mod choice;
mod findings;
mod granting;
mod key;
mod listing;
mod on_chain;
mod proof;
mod returning;
mod speeding_up;
mod standing;
mod transfer;
mod using;

use super::{
    account::SmartAccountClient,
    account_kind::AccountKind,
    options::BuildUserOpOptions,
    ports::{Relay, SessionStore},
    prepare_user_operation::{PreparedUserOperation, read_owner_snapshot},
    send_transaction::{complete_transaction, prepare_owner_operation},
    send_user_operation::may_have_arrived,
};
use crate::error::AppError;
use use_aa_protocol::{
    session_scheme::{AboutSession, OnChain, SessionScheme, Stored},
    user_op_response::UserOpResponse,
};

pub use choice::SessionChoice;
pub use granting::{GrantedSessions, PreparedGrant, SessionGrant, SessionGrants};
pub(super) use key::GrantedKey;
pub use listing::{LimitLeft, SessionListing};
pub use on_chain::ListedNote;
use standing::{Known, Standing};
pub use using::PreparedUse;

/// A session, and whether the chain has it.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedSession<S> {
    /// What the chain knows it by.
    pub id: B256,
    /// The session, as it is stored.
    pub session: S,
    /// The chain has it. What it has not is on its way, or was ended, or waits for its first use.
    pub on_chain: bool,
    /// The owner has signed for it, and its first use enables it: whoever holds signature and key can use it.
    pub waits_for_first_use: bool,
}

/// The sessions of one account under scheme `S`. Whoever uses them needs no wallet: account, relay and store suffice.
pub struct SchemeSessions<S> {
    kind: Rc<dyn AccountKind>,
    relay: Rc<dyn Relay>,
    store: Rc<dyn SessionStore>,
    contracts: Vec<Address>,
    scheme: PhantomData<S>,
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
        let known = self.read().await?;
        let listed = known.stored.iter().map(|Stored { session, .. }| {
            let id = S::id(session);
            let standing = known.standing(id);
            let (on_chain, waits_for_first_use) = (standing == Standing::OnChain, standing == Standing::Waiting);
            ListedSession { id, session: session.clone(), on_chain, waits_for_first_use }
        });
        Ok(listed.collect())
    }

    /// Has the owner end sessions; the others stay. What is stored stays until [`Self::forget`]. Sessions that were granted
    /// elsewhere end by their id alone, where the chain tells it; so do those that wait for their first use, with the
    /// signature that would enable them.
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
        let by_id = |id: &B256| known.unknown.contains(id) || known.standing(*id).is_signed();
        let (unknown, known_here): (Vec<_>, Vec<_>) = ended.iter().partition(|id| by_id(id));
        let mut calls = match known_here.is_empty() && !unknown.is_empty() {
            true => Vec::new(),
            false => S::revocation_calls(&on_chain, &known_here)?,
        };
        calls.extend(S::end_unknown(&unknown));
        let prepared = prepare_owner_operation(owner, &snapshot, &calls, options).await?;
        let ended = known.stored.into_iter().filter(|stored| ended.contains(&S::id(&stored.session))).collect();
        self.complete_change(owner, &prepared, ended, ending_by).await
    }

    /// Has the owner sign and send an operation that changes stored sessions: what `waiting` makes of each is stored before,
    /// and taken back where the operation was not sent.
    async fn complete_change(
        &self,
        owner: &SmartAccountClient,
        prepared: &PreparedUserOperation,
        changed: Vec<Stored<S::Session>>,
        waiting: impl Fn(Stored<S::Session>, B256) -> Stored<S::Session>,
    ) -> Result<UserOpResponse, AppError> {
        let mark = async |operation: B256| {
            for stored in &changed {
                self.put(waiting(stored.clone(), operation)).await?;
            }
            Ok::<_, AppError>(())
        };
        mark(prepared.user_op_hash).await?;
        match complete_transaction(owner, prepared).await {
            Ok(response) => {
                if response.user_op_hash != prepared.user_op_hash {
                    mark(response.user_op_hash).await?;
                }
                Ok(response)
            }
            Err(error) => {
                if !may_have_arrived(&error) {
                    for stored in changed {
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
    /// `InvalidInput` while it can be used: the chain has it, or its first use would enable it; those of relay and store.
    pub async fn forget(&self, id: B256) -> Result<(), AppError> {
        let known = self.read().await?;
        if known.standing(id) != Standing::Absent {
            return Err(AppError::invalid("id", "a session that nobody can use any more", id));
        }
        let stored = known.stored;
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

/// As it is stored while this operation is on its way.
fn ending_by<T>(stored: Stored<T>, operation: B256) -> Stored<T> {
    let about = AboutSession { ended_by: Some(operation), returned_by: None, ..stored.about };
    Stored { ending: true, about, ..stored }
}

#[cfg(test)]
mod tests;
