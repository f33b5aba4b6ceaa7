//! What is stored, held against the chain: where each session stands.

use alloy::primitives::B256;
use futures::future::{try_join, try_join_all};
use use_aa_protocol::session_scheme::{SessionScheme, Stored};

use super::SchemeSessions;
use crate::{chain_reads::eth_call, clock::unix_seconds, error::AppError, prepare_user_operation::PREPARED_LIFETIME};

/// Where a stored session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The chain has it.
    OnChain,
    /// The owner has signed for it, and its first use enables it.
    Waiting,
    /// That use is on its way.
    Enabling,
    /// None of these: its grant is on its way, or it was ended.
    Absent,
}

impl Standing {
    /// The owner's signature for it is good, and not used.
    pub fn is_signed(self) -> bool {
        matches!(self, Self::Waiting | Self::Enabling)
    }

    /// It is usable, or its first use is under way.
    pub fn is_in_force(self) -> bool {
        self != Self::Absent
    }
}

/// What was read before a step.
pub(super) struct Known<S> {
    pub stored: Vec<Stored<S>>,
    pub on_chain: Vec<S>,
    /// Ids of those on chain.
    pub ids: Vec<B256>,
    /// Ids of those on chain of which nothing is stored here.
    pub unknown: Vec<B256>,
    /// Ids of those whose first use enables them, and where those stand.
    signed: Vec<(B256, Standing)>,
}

impl<S> Known<S> {
    pub fn standing(&self, id: B256) -> Standing {
        if self.ids.contains(&id) {
            return Standing::OnChain;
        }
        self.signed.iter().find(|(other, _)| *other == id).map_or(Standing::Absent, |(_, standing)| *standing)
    }

    /// Ids of all that can be used or are about to be.
    pub fn ids_in_force(&self) -> Vec<B256> {
        let signed = self.signed.iter().map(|(id, _)| *id);
        self.ids.iter().chain(&self.unknown).copied().chain(signed).collect()
    }
}

impl<S: SessionScheme> SchemeSessions<S> {
    pub(super) async fn stored(&self) -> Result<Vec<Stored<S::Session>>, AppError> {
        let records = self.store.records(self.kind.address(), S::NAME).await?;
        records.into_iter().map(Self::stored_in).collect()
    }

    pub(super) async fn read(&self) -> Result<Known<S::Session>, AppError> {
        let stored = self.stored().await?;
        let call = S::listing_call(self.kind.address());
        let answer = eth_call(self.relay.as_ref(), call.to, call.data);
        let asked = try_join_all(stored.iter().map(|stored| self.signed(stored)));
        let (answer, signed) = try_join(answer, asked).await?;
        let on_chain = S::listed(&stored, &answer)?;
        let ids = on_chain.iter().map(S::id).collect::<Vec<_>>();
        let unknown = S::unknown(&stored, &answer)?;
        let signed = signed.into_iter().flatten().filter(|(id, _)| !ids.contains(id)).collect();
        Ok(Known { stored, on_chain, ids, unknown, signed })
    }

    /// Is it one that the owner has signed for, and does the account still take that signature? Nothing but its number tells:
    /// that rises with each use and each end, and a block in which it was used may be undone.
    async fn signed(&self, stored: &Stored<S::Session>) -> Result<Option<(B256, Standing)>, AppError> {
        let (session, about) = (&stored.session, &stored.about);
        let Some(number) = S::given_consent(session) else { return Ok(None) };
        let Some(call) = S::consent_number_call(session, self.kind.address()) else { return Ok(None) };
        let answer = eth_call(self.relay.as_ref(), call.to, call.data).await?;
        if S::consent_number(&answer)? != number {
            return Ok(None);
        }
        // One that did not arrive within this time is not waited for: the next use tries again.
        let is_young = |sent: u64| unix_seconds().abs_diff(sent) <= PREPARED_LIFETIME;
        let is_on_its_way = about.granted_by.is_some() && about.first_use_at.is_some_and(is_young);
        let standing = if is_on_its_way { Standing::Enabling } else { Standing::Waiting };
        Ok(Some((S::id(session), standing)))
    }
}
