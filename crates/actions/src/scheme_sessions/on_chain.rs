//! Sessions as the chain tells them: those that were granted elsewhere, and whether the stored ones are there as they were
//! granted.

use alloy::primitives::{B256, Bytes};
use futures::future::join_all;
use use_aa_protocol::{
    call::Call,
    session::{SessionLeaf, SessionStatus},
    session_scheme::{ReadSession, SessionReading, SessionScheme},
};

use super::{
    Known, SchemeSessions,
    listing::{LimitLeft, SessionListing, listed_id},
};
use crate::{chain_reads::eth_call, error::AppError, error::Upstream};

/// Sessions that are read at the same time.
const AT_ONCE: usize = 8;
/// No more sessions are begun when so many calls were asked: servers count them.
const MOST_CALLS: usize = 160;
/// Most sessions of either sort that are read.
const MOST_READ: usize = 32;

/// What a person must know of a listed session beside what it may do, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedNote {
    /// The listed session.
    pub session_id: String,
    /// The words.
    pub text: String,
    /// What it may do cannot be read: this is said in its place.
    pub is_unreadable: bool,
}

/// What was read of sessions that are not stored and of those that are, in their order.
pub(super) struct OnChainNow {
    /// `None`: there are too many of them.
    unknown: Vec<(B256, Option<ReadSession>)>,
    /// Those of them that were compared.
    stored: Vec<(B256, ReadSession)>,
}

impl<S: SessionScheme> SchemeSessions<S> {
    pub(super) async fn read_on_chain(&self, known: &Known<S::Session>) -> Result<OnChainNow, AppError> {
        let account = self.kind.address();
        let unknown = known.unknown.get(..MOST_READ).unwrap_or(&known.unknown);
        let stored = known.on_chain.get(..MOST_READ).unwrap_or(&known.on_chain);
        let mut readings = S::readings(account, unknown, stored, &self.contracts);
        let (mut told, mut spent) = (Vec::new(), 0);
        for several in readings.chunks_mut(AT_ONCE) {
            if spent < MOST_CALLS {
                spent += self.read_several(several).await?;
                told.extend(several.iter().map(|reading| reading.told()));
            }
        }
        let mut told = told.into_iter();
        let read_unknown = told.by_ref().take(unknown.len()).map(Some).chain(std::iter::repeat(None));
        let unknown = known.unknown.iter().copied().zip(read_unknown).collect();
        let stored = stored.iter().map(S::id).zip(told).collect();
        Ok(OnChainNow { unknown, stored })
    }

    /// Reads them side by side; how many calls that took.
    async fn read_several(&self, readings: &mut [Box<dyn SessionReading>]) -> Result<usize, AppError> {
        let mut spent = 0;
        loop {
            let calls = readings.iter().map(|reading| reading.calls()).collect::<Vec<_>>();
            let asked = calls.iter().flatten().map(|call| self.answer(call));
            let answers = join_all(asked).await.into_iter().collect::<Result<Vec<_>, _>>()?;
            if answers.is_empty() {
                return Ok(spent);
            }
            spent += answers.len();
            let mut answers = answers.as_slice();
            for (reading, calls) in readings.iter_mut().zip(&calls) {
                let (own, others) = answers.split_at_checked(calls.len()).unwrap_or((answers, &[]));
                reading.answered(own)?;
                answers = others;
            }
        }
    }

    /// `None`: the contract refused.
    async fn answer(&self, call: &Call) -> Result<Option<Bytes>, AppError> {
        match eth_call(self.relay.as_ref(), call.to, call.data.clone()).await {
            Ok(answer) => Ok(Some(answer)),
            Err(AppError::UpstreamRejected { upstream: Upstream::Node, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl OnChainNow {
    /// Adds them to what is listed: before the stored sessions, since nobody knows when they were granted.
    pub(super) fn list(self, listing: &mut SessionListing) {
        let Self { unknown, stored } = self;
        for (id, read) in unknown {
            let not_read = || ReadSession { leaves: vec![SessionLeaf::default()], ..ReadSession::default() };
            let is_read = read.is_some();
            let read = read.unwrap_or_else(not_read);
            listing.leaves.extend(read.leaves.iter().enumerate().map(|(place, leaf)| elsewhere(id, place, leaf)));
            let limits = read.left.iter().map(|limit| LimitLeft {
                session_id: listed_id(id, limit.place),
                what: limit.what,
                most: limit.most,
                left: limit.left,
            });
            listing.left.extend(limits);
            note(listing, id, &read);
            if !is_read {
                let text = "Cannot be read here: the account has more sessions than are looked at".to_owned();
                listing.notes.push(ListedNote { session_id: listed_id(id, 0), text, is_unreadable: true });
            }
        }
        for (id, read) in stored {
            note(listing, id, &read);
        }
    }
}

fn note(listing: &mut SessionListing, id: B256, read: &ReadSession) {
    let notes = read.notes.iter().map(|note| ListedNote {
        session_id: listed_id(id, note.place),
        text: note.text.clone(),
        is_unreadable: note.is_unreadable,
    });
    listing.notes.extend(notes);
}

/// One that works, with its key in another browser or app.
fn elsewhere(id: B256, place: usize, leaf: &SessionLeaf) -> SessionLeaf {
    let session_id = listed_id(id, place);
    let mut leaf = SessionLeaf { session_id, status: SessionStatus::Active, ..leaf.clone() };
    leaf.key_is_elsewhere();
    leaf
}
