//! [`SchemeSessions`]: sessions of an account of any kind under any [`SessionScheme`]: list, grant, use, end,
//! bring back, overtake. No more: what Smart Account V2's apps had before (devices brought together, interrupted grants settled, batches of
//! leaves) is in the verbs beside this file.

use std::{marker::PhantomData, rc::Rc};

use alloy::primitives::{Address, B256};
use serde_json::Value;

mod by_signature;
mod choice;
mod ending;
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
    ports::{Relay, SessionStore},
    prepare_user_operation::PreparedUserOperation,
    send_transaction::complete_transaction,
    send_user_operation::may_have_arrived,
};
use crate::error::AppError;
use use_aa_protocol::{
    session_scheme::{SessionScheme, Stored},
    user_op_response::UserOpResponse,
};

pub use choice::SessionChoice;
pub use ending::{MOST_ENDED_AT_ONCE, RevocationPart};
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

    /// Keeps a new session.
    async fn put(&self, stored: Stored<S::Session>) -> Result<(), AppError> {
        let (id, record) = (S::id(&stored.session), Self::written(&stored)?);
        self.store.put_record(self.kind.address(), S::NAME, id, Some(record)).await
    }

    /// Has the owner sign and send an operation that changes stored sessions: what `waiting` makes of each is stored before,
    /// and taken back where the operation was not sent. `keeps_all`: one that was forgotten meanwhile must not be changed.
    async fn complete_change(
        &self,
        owner: &SmartAccountClient,
        prepared: &PreparedUserOperation,
        changed: &[Stored<S::Session>],
        waiting: fn(&mut Stored<S::Session>, B256),
        keeps_all: bool,
    ) -> Result<UserOpResponse, AppError> {
        let mark = async |operation: B256| {
            for before in changed {
                let id = S::id(&before.session);
                if !self.change(id, |stored| waiting(stored, operation)).await? && keeps_all {
                    return Err(AppError::SessionNotFound { wanted: id.to_string() });
                }
            }
            Ok(())
        };
        let user_op_hash = prepared.user_op_hash;
        let outcome = match mark(user_op_hash).await {
            Ok(()) => complete_transaction(owner, prepared).await,
            Err(error) => {
                // Nobody has signed.
                self.wait_no_more(changed, &[user_op_hash]).await;
                return Err(error);
            }
        };
        match &outcome {
            // Sent with higher fees. Should there be no room for its hash, the chain tells what became of it.
            Ok(response) if response.user_op_hash != user_op_hash => {
                mark(response.user_op_hash).await.unwrap_or_default()
            }
            Err(error) if !may_have_arrived(error) => self.wait_no_more(changed, &[user_op_hash]).await,
            _ => {}
        }
        outcome
    }

    /// What waits for these operations, which were not sent, waits as before. What another tab has wait for another one
    /// meanwhile stays so; what cannot be written is told by the chain.
    async fn wait_no_more(&self, before: &[Stored<S::Session>], operations: &[B256]) {
        let is_one = |operation: Option<B256>| operation.is_some_and(|operation| operations.contains(&operation));
        for before in before {
            let as_before = |stored: &mut Stored<S::Session>| {
                let (now, was) = (&mut stored.about, &before.about);
                if is_one(now.granted_by) {
                    (now.granted_by, now.first_use_at) = (was.granted_by, was.first_use_at);
                }
                if is_one(now.ended_by) {
                    (stored.ending, now.ended_by) = (before.ending, was.ended_by);
                    now.returned_by = now.returned_by.or(was.returned_by);
                } else if is_one(now.returned_by) {
                    (stored.ending, now.returned_by) = (before.ending, was.returned_by);
                    now.was_on_chain = was.was_on_chain;
                }
            };
            self.change(S::id(&before.session), as_before).await.ok();
        }
    }

    /// Changes a stored session as it is stored at this moment: since it was read others may have written. One that was
    /// forgotten meanwhile stays so: `false`.
    async fn change(&self, id: B256, change: impl FnOnce(&mut Stored<S::Session>)) -> Result<bool, AppError> {
        let mut is_there = false;
        let change = |record: Option<Value>| {
            let Some(record) = record else { return Ok(None) };
            is_there = true;
            let mut stored = Self::stored_in(record)?;
            change(&mut stored);
            Self::written(&stored).map(Some)
        };
        self.store.change_record(self.kind.address(), S::NAME, id, Box::new(change)).await?;
        Ok(is_there)
    }

    fn stored_in(record: Value) -> Result<Stored<S::Session>, AppError> {
        serde_json::from_value(record)
            .map_err(|error| AppError::Storage { reason: format!("a stored session: {error}") })
    }

    fn written(stored: &Stored<S::Session>) -> Result<Value, AppError> {
        serde_json::to_value(stored)
            .map_err(|error| AppError::Storage { reason: format!("a session cannot be written: {error}") })
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
        let account = self.kind.address();
        self.store.put_record(account, S::NAME, id, None).await?;
        let forgotten = known.stored.iter().map(|stored| &stored.session).find(|session| S::id(session) == id);
        let Some(key) = forgotten.map(S::session_key) else { return Ok(()) };
        // As they are stored now: another tab may have forgotten the last of the others.
        let left = self.stored().await?;
        match left.iter().any(|other| S::session_key(&other.session) == key) {
            true => Ok(()),
            false => self.store.remove_signer(account, key).await,
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
fn ending_by<T>(stored: &mut Stored<T>, operation: B256) {
    stored.ending = true;
    (stored.about.ended_by, stored.about.returned_by) = (Some(operation), None);
}

#[cfg(test)]
mod tests;
