//! Overtaking an operation that is stuck: the same again with higher fees, signed by whoever signed it. The stored sessions
//! that wait for the first one wait for the new one from then on.

use std::cell::RefCell;

use alloy::primitives::{B256, U256};
use futures::future::{try_join, try_join3};
use use_aa_protocol::{
    rpc::GasFees,
    session_scheme::{ChangedSessions, OnChain, SessionScheme, Stored},
    user_op_response::UserOpResponse,
    user_operation::UserOperation,
};

use super::{Known, SchemeSessions, ending_by, returning::returning_by};
use crate::{
    account::SmartAccountClient,
    clock::unix_seconds,
    error::AppError,
    ports::DistributedKeys,
    send_user_operation::may_have_arrived,
    speed_up_user_operation::{Replaced, check_account, refuse_paid_in_a_token, replace, speed_up_as_owner},
};

/// Whose operation changes sessions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Owner,
    FirstUse,
}

/// Sessions that an operation changes, and who they wait for by now.
struct Waiting<S> {
    changed: ChangedSessions,
    by: By,
    /// As they were before any of them was told of another operation.
    before: RefCell<Vec<Stored<S>>>,
    told: RefCell<Vec<B256>>,
}

impl<S: SessionScheme> SchemeSessions<S> {
    /// The session whose key signed this operation; `None` where the owner did.
    pub fn used_in(operation: &UserOperation) -> Option<B256> {
        S::used_in(operation)
    }

    /// Do nodes share the key of this stored session?
    ///
    /// # Errors
    /// Those of the store.
    pub async fn is_at_nodes(&self, id: B256) -> Result<bool, AppError> {
        let stored = self.stored().await?;
        Ok(stored.iter().any(|stored| S::id(&stored.session) == id && stored.about.nodes.is_some()))
    }

    /// Can it be overtaken at all, by what is known before anybody signs? So that nothing is offered that can only fail.
    ///
    /// # Errors
    /// `InvalidInput` when another account sent it, when it is paid in a token, when it grants sessions that are not stored
    /// here any more, and when the session that it uses is not stored here or has ended; those of relay and store.
    pub async fn check_speed_up(&self, stuck: &UserOperation) -> Result<(), AppError> {
        check_account(self.kind.as_ref(), stuck)?;
        refuse_paid_in_a_token(stuck)?;
        match S::used_in(stuck) {
            Some(id) => in_force::<S>(&self.read().await?, id).map(drop),
            None => self.waiting(stuck).await.map(drop),
        }
    }

    /// Overtakes what the owner signed, a grant or the end of sessions, too. Follow it with [`Self::settle`], as the first one.
    ///
    /// # Errors
    /// As [`Self::check_speed_up`] and [`speed_up_user_operation`](crate::speed_up_user_operation::speed_up_user_operation).
    pub async fn speed_up(
        &self,
        owner: &SmartAccountClient,
        stuck: &UserOperation,
        fees: &GasFees,
    ) -> Result<UserOpResponse, AppError> {
        self.check_owner(owner)?;
        check_account(self.kind.as_ref(), stuck)?;
        if let Some(id) = S::used_in(stuck) {
            return Err(AppError::invalid("stuck.signature", "the owner's", format!("that of session {id}")));
        }
        let waiting = self.waiting(stuck).await?;
        let outcome = speed_up_as_owner(owner, None, stuck, fees, async |hash| self.tell(&waiting, hash).await).await;
        self.keep(waiting, outcome).await
    }

    /// Overtakes a use of a session: its key signs again, stored here or shared by these nodes. A first use enables the
    /// session as before, unless the chain has it by now.
    ///
    /// # Errors
    /// As [`Self::speed_up`]; `SessionNotFound` where the key is not here; those of the nodes.
    pub async fn speed_up_use(
        &self,
        keys: Option<&dyn DistributedKeys>,
        stuck: &UserOperation,
        fees: &GasFees,
    ) -> Result<UserOpResponse, AppError> {
        let (kind, relay) = (self.kind.as_ref(), self.relay.as_ref());
        check_account(kind, stuck)?;
        let id = S::used_in(stuck)
            .ok_or_else(|| AppError::invalid("stuck.signature", "that of a session's key", "another one"))?;
        let facts = try_join3(self.read(), kind.read_state(relay, U256::ZERO), relay.chain_info());
        let (known, state, chain) = facts.await?;
        let session = in_force::<S>(&known, id)?;
        let on_chain = OnChain { account: kind.address(), modules: &state.modules, sessions: &known.on_chain };
        let signer = self.signer(keys, session, chain.chain_id).await?;
        // Who waits for the first use waits for this one.
        let granted = known.standing(id).is_signed().then_some(id).into_iter().collect();
        let waiting = Waiting::new(ChangedSessions { granted, ended: Vec::new() }, By::FirstUse);
        let at = Replaced { relay, store: None, kind };
        let outcome = replace(at, stuck, fees, async |operation, user_op_hash, _| {
            let mut signed = operation.clone();
            // Which session it is for, the nodes must know.
            signed.signature = S::use_signature(&on_chain, session, &[])?;
            let signature = signer.sign(&signed, user_op_hash).await?;
            self.tell(&waiting, user_op_hash).await?;
            Ok(S::use_signature(&on_chain, session, &signature)?)
        });
        let outcome = outcome.await;
        self.keep(waiting, outcome).await
    }

    /// The stored sessions that an operation of the owner's changes: by its calls and, where those do not tell, by its hash.
    async fn waiting(&self, stuck: &UserOperation) -> Result<Waiting<S::Session>, AppError> {
        let (chain, stored) = try_join(self.relay.chain_info(), self.stored()).await?;
        let first = stuck.hash(chain.chain_id);
        let mut changed = S::changed_by(&self.kind.decode_calls(&stuck.call_data).unwrap_or_default());
        let is_stored = |id: &B256| stored.iter().any(|stored| S::id(&stored.session) == *id);
        if !changed.granted.iter().all(is_stored) {
            return Err(given_up());
        }
        for Stored { session, about, .. } in &stored {
            let id = S::id(session);
            if about.granted_by == Some(first) && !changed.granted.contains(&id) {
                changed.granted.push(id);
            }
            if about.ended_by == Some(first) && !changed.ended.contains(&id) {
                changed.ended.push(id);
            }
        }
        Ok(Waiting::new(changed, By::Owner))
    }

    /// They wait for this operation, which is about to be sent.
    async fn tell(&self, waiting: &Waiting<S::Session>, user_op_hash: B256) -> Result<(), AppError> {
        let Waiting { changed, by, before, told } = waiting;
        if changed.granted.is_empty() && changed.ended.is_empty() {
            return Ok(());
        }
        let stored = self.stored().await?;
        // Forgotten while the owner signed.
        if !changed.granted.iter().all(|id| stored.iter().any(|stored| S::id(&stored.session) == *id)) {
            return Err(given_up());
        }
        let is_first = told.borrow().is_empty();
        told.borrow_mut().push(user_op_hash);
        for stored in stored {
            let id = S::id(&stored.session);
            let (is_granted, is_ended) = (changed.granted.contains(&id), changed.ended.contains(&id));
            if !is_granted && !is_ended {
                continue;
            }
            if is_first {
                before.borrow_mut().push(stored);
            }
            let waits = |stored: &mut Stored<S::Session>| {
                // It was there before, or was only signed for, and is brought back.
                let is_return = stored.about.was_on_chain || S::given_consent(&stored.session).is_some();
                match (is_ended, by) {
                    (true, _) => ending_by(stored, user_op_hash),
                    (false, By::Owner) if is_return => returning_by(stored, user_op_hash),
                    (false, _) => {
                        stored.about.granted_by = Some(user_op_hash);
                        stored.about.first_use_at = (*by == By::FirstUse).then(unix_seconds);
                    }
                }
            };
            self.change(id, waits).await?;
        }
        Ok(())
    }

    /// What was not sent is not waited for. What cannot be written then is told by the chain.
    async fn keep(
        &self,
        waiting: Waiting<S::Session>,
        outcome: Result<UserOpResponse, AppError>,
    ) -> Result<UserOpResponse, AppError> {
        let Waiting { before, told, .. } = waiting;
        if let Err(error) = &outcome
            && !may_have_arrived(error)
        {
            self.wait_no_more(&before.into_inner(), &told.into_inner()).await;
        }
        outcome
    }
}

impl<S> Waiting<S> {
    fn new(changed: ChangedSessions, by: By) -> Self {
        Self { changed, by, before: RefCell::default(), told: RefCell::default() }
    }
}

/// Nobody has the keys any more.
fn given_up() -> AppError {
    let expected = "a grant that the stored sessions still wait for";
    AppError::invalid("stuck.userOpHash", expected, "one that was given up: grant anew")
}

/// A stored session that can be used, or whose first use is under way.
fn in_force<S: SessionScheme>(known: &Known<S::Session>, id: B256) -> Result<&S::Session, AppError> {
    let stored = known.stored.iter().map(|stored| &stored.session).find(|session| S::id(session) == id);
    stored.filter(|_| known.standing(id).is_in_force()).ok_or_else(|| {
        let expected = "that of a session that is stored here and has not ended";
        AppError::invalid("stuck.signature", expected, format!("that of session {id}"))
    })
}
