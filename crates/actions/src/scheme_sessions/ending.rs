//! Ending: the owner's operation that takes sessions off the chain; where they are many, several operations, one after the
//! other.

use alloy::primitives::B256;
use futures::future::try_join;
use use_aa_protocol::{
    session_scheme::{OnChain, SessionScheme, Stored},
    user_op_response::UserOpResponse,
};

use super::{SchemeSessions, ending_by};
use crate::{
    account::SmartAccountClient,
    error::{AppError, Upstream},
    options::BuildUserOpOptions,
    prepare_user_operation::{PreparedUserOperation, read_owner_snapshot},
    send_transaction::prepare_owner_operation,
    wait_for_user_operation_receipt::wait_for_user_operation_receipt,
};

/// Sessions that one operation of [`SchemeSessions::revoke_in_parts`] ends at most. Bundlers and sponsors limit what an
/// operation may take; where they take less, it is halved.
pub const MOST_ENDED_AT_ONCE: usize = 25;

/// How far it is where several operations end sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevocationPart<'a> {
    /// What was sent, right after that; `None` once it has ended its sessions.
    pub sent: Option<&'a UserOpResponse>,
    /// Sessions that are ended.
    pub ended: usize,
    /// Sessions that are not, those of `sent` among them.
    pub left: usize,
}

/// A revocation that lacks only the owner's signature.
struct PreparedRevocation<S> {
    ended: Vec<Stored<S>>,
    operation: PreparedUserOperation,
}

impl<S: SessionScheme> SchemeSessions<S> {
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
        let prepared = self.prepare_revocation(owner, ended, options).await?;
        self.complete_revocation(owner, prepared).await
    }

    /// [`Self::revoke`] for as many as there are, in operations of at most [`MOST_ENDED_AT_ONCE`]: each is waited for before
    /// the next one is signed. Sessions that have ended by now are left out, so that it can be called again. Resolves when
    /// the bundler has the last operation; `on_part` hears of those before.
    ///
    /// # Errors
    /// As [`Self::revoke`] before anything was sent; `RevokedInPart` from then on.
    pub async fn revoke_in_parts(
        &self,
        owner: &SmartAccountClient,
        ended: &[B256],
        options: &BuildUserOpOptions,
        on_part: &dyn Fn(RevocationPart<'_>),
    ) -> Result<UserOpResponse, AppError> {
        let (mut ended, mut left) = (0, self.still_to_end(ended).await?);
        let mut at_once = MOST_ENDED_AT_ONCE;
        loop {
            let sent = self.revoke_first(owner, &left, &mut at_once, options).await;
            let (response, count) = sent.map_err(|error| match ended {
                0 => error,
                ended => in_part(ended, left.len(), error),
            })?;
            if count == left.len() {
                return Ok(response);
            }
            on_part(RevocationPart { sent: Some(&response), ended, left: left.len() });
            self.see_the_end(owner, response.user_op_hash).await.map_err(|error| in_part(ended, left.len(), error))?;
            (ended, left) = (ended + count, left.split_off(count));
            on_part(RevocationPart { sent: None, ended, left: left.len() });
        }
    }

    /// Those that can be used or are about to be; the others have ended.
    async fn still_to_end(&self, ended: &[B256]) -> Result<Vec<B256>, AppError> {
        let known = self.read().await?;
        let in_force = known.ids_in_force();
        let (left, others): (Vec<_>, Vec<_>) = ended.iter().copied().partition(|id| in_force.contains(id));
        // One whose grant is on its way must not be taken for ended.
        let is_coming = |id: &&B256| {
            let stored = known.stored.iter().find(|stored| S::id(&stored.session) == **id);
            stored.is_some_and(|Stored { session, ending, about }| {
                // What was only signed for and is not in force was ended, wherever.
                let is_granted = !about.was_on_chain && !ending && S::given_consent(session).is_none();
                is_granted || about.returned_by.is_some()
            })
        };
        match others.iter().find(is_coming).or(others.first().filter(|_| left.is_empty())) {
            Some(id) => Err(AppError::SessionNotFound { wanted: id.to_string() }),
            None => Ok(left),
        }
    }

    /// Ends the first of them, as many as an operation may; how many these are.
    async fn revoke_first(
        &self,
        owner: &SmartAccountClient,
        left: &[B256],
        at_once: &mut usize,
        options: &BuildUserOpOptions,
    ) -> Result<(UserOpResponse, usize), AppError> {
        loop {
            let part = left.get(..*at_once).unwrap_or(left);
            match self.prepare_revocation(owner, part, options).await {
                // Nobody has signed yet.
                Err(error) if part.len() > 1 && may_be_too_large(&error) => *at_once = part.len() / 2,
                prepared => return Ok((self.complete_revocation(owner, prepared?).await?, part.len())),
            }
        }
    }

    /// Waits until the operation has ended its sessions, and writes down what became of it.
    async fn see_the_end(&self, owner: &SmartAccountClient, user_op_hash: B256) -> Result<(), AppError> {
        let outcome = wait_for_user_operation_receipt(owner.relay.as_ref(), user_op_hash, |_| {}).await;
        match &outcome {
            Ok(_) => self.settle(user_op_hash, true).await?,
            Err(AppError::UserOpReverted { .. }) => self.settle(user_op_hash, false).await?,
            Err(AppError::UserOpDropped { .. }) => self.ends_no_more(user_op_hash).await?,
            Err(_) => {}
        }
        outcome.map(drop)
    }

    async fn prepare_revocation(
        &self,
        owner: &SmartAccountClient,
        ended: &[B256],
        options: &BuildUserOpOptions,
    ) -> Result<PreparedRevocation<S::Session>, AppError> {
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
        let operation = prepare_owner_operation(owner, &snapshot, &calls, options).await?;
        let ended = known.stored.into_iter().filter(|stored| ended.contains(&S::id(&stored.session)));
        Ok(PreparedRevocation { ended: ended.collect(), operation })
    }

    async fn complete_revocation(
        &self,
        owner: &SmartAccountClient,
        prepared: PreparedRevocation<S::Session>,
    ) -> Result<UserOpResponse, AppError> {
        self.complete_change(owner, &prepared.operation, &prepared.ended, ending_by, false).await
    }
}

/// A smaller operation may not be refused so.
fn may_be_too_large(error: &AppError) -> bool {
    matches!(
        error,
        AppError::SponsorshipRefused { .. }
            | AppError::TooLarge { .. }
            | AppError::UpstreamRejected { upstream: Upstream::Bundler | Upstream::Paymaster, .. }
    )
}

fn count(sessions: usize) -> u64 {
    u64::try_from(sessions).unwrap_or(u64::MAX)
}

fn in_part(ended: usize, left: usize, error: AppError) -> AppError {
    AppError::RevokedInPart { ended: count(ended), left: count(left), reason: error.to_string() }
}
