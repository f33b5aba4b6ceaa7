//! Bringing ended sessions back: the owner's operation enables them once more, with the same key and the same policies. What
//! the chain counts begins at nothing again.

use alloy::primitives::B256;
use futures::future::try_join;
use use_aa_protocol::{
    lint::Severity,
    session::SessionStatus,
    session_scheme::{OnChain, SessionScheme, Stored},
};

use super::{GrantedSessions, Known, SchemeSessions, listing::leaves_of};
use crate::{
    account::SmartAccountClient, error::AppError, options::BuildUserOpOptions,
    prepare_user_operation::read_owner_snapshot, send_transaction::prepare_owner_operation,
};

impl<S: SessionScheme> SchemeSessions<S> {
    /// Has the owner bring ended sessions back that are stored here. Each can be used again once the operation is mined, and
    /// all that its policies count begins at nothing.
    ///
    /// # Errors
    /// `InvalidInput` without any, and for one that has not ended; `SessionNotFound` for one that is not stored here, or whose
    /// key is not; `SessionExpired`; `PolicyRefused` for one whose key nodes share, for what must not be granted, and where
    /// sessions of the scheme do not come back; those of preparing, the wallet, the bundler and the store.
    pub async fn bring_back(
        &self,
        owner: &SmartAccountClient,
        ids: &[B256],
        options: &BuildUserOpOptions,
    ) -> Result<GrantedSessions, AppError> {
        self.check_owner(owner)?;
        let (snapshot, known) = try_join(read_owner_snapshot(owner, options), self.read()).await?;
        let on_chain =
            OnChain { account: self.kind.address(), modules: &snapshot.account.modules, sessions: &known.on_chain };
        let now = snapshot.now().latest();
        let returning = ids.iter().map(|id| ended::<S>(&known, *id, now)).collect::<Result<Vec<_>, _>>()?;
        let first = returning.first().map(|stored| S::session_key(&stored.session));
        let first = first.ok_or_else(|| AppError::invalid("sessionIds", "at least one session id", "none"))?;
        for Stored { session, .. } in &returning {
            S::can_return(session)?;
            if let Some(stop) =
                S::lint(session, &on_chain, now).into_iter().find(|found| found.severity == Severity::Stop)
            {
                return Err(AppError::PolicyRefused { reason: stop.text });
            }
            // Nobody could use it.
            self.store.signer(self.kind.address(), S::session_key(session)).await?;
        }
        let sessions = returning.iter().map(|stored| stored.session.clone()).collect::<Vec<_>>();
        let calls = S::grant_calls(&on_chain, &sessions)?;
        let prepared = prepare_owner_operation(owner, &snapshot, &calls, options).await?;
        let sent = self.complete_change(owner, &prepared, &returning, returning_by, true);
        Ok(GrantedSessions { ids: ids.to_vec(), session_key: first, response: sent.await? })
    }
}

/// As it is stored while this operation is on its way.
pub(super) fn returning_by<T>(stored: &mut Stored<T>, operation: B256) {
    stored.ending = false;
    (stored.about.returned_by, stored.about.was_on_chain) = (Some(operation), true);
}

/// A stored session that has ended and can come back.
fn ended<S: SessionScheme>(known: &Known<S::Session>, id: B256, now: u64) -> Result<Stored<S::Session>, AppError> {
    let stored = known.stored.iter().find(|stored| S::id(&stored.session) == id);
    let stored = stored.ok_or_else(|| AppError::SessionNotFound { wanted: id.to_string() })?;
    let leaves = leaves_of::<S>(stored, known.standing(id));
    if let Some(other) = leaves.iter().find(|leaf| leaf.status != SessionStatus::Revoked) {
        let got = format!("{id}, which is {}", other.status.wire_name());
        return Err(AppError::invalid("sessionIds", "ids of sessions that were taken back", got));
    }
    let last = leaves.iter().map(|leaf| leaf.valid_until).max_by_key(|until| (*until == 0, *until));
    if let Some(valid_until) = last.filter(|until| *until != 0 && *until <= now) {
        return Err(AppError::SessionExpired { session_id: id.to_string(), valid_until });
    }
    if stored.about.nodes.is_some() {
        let reason = "nodes share its key, and may have been told to sign no more with it: grant it anew".to_owned();
        return Err(AppError::PolicyRefused { reason });
    }
    Ok(stored.clone())
}
