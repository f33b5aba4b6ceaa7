//! Sessions as the chain tells them: those that were granted elsewhere, and whether the stored ones are there as they were
//! granted.

use alloy::primitives::{Address, B256, Bytes, U256};
use futures::future::join_all;
use serde::Deserialize;
use serde_json::json;
use use_aa_protocol::{
    call::Call,
    entry_point::EntryPointEvent,
    session::{SessionLeaf, SessionStatus},
    session_scheme::{Candidates, ReadSession, SessionReading, SessionScheme},
};

use super::{
    Known, SchemeSessions,
    listing::{LimitLeft, SessionListing, listed_id},
};
use crate::{
    chain_reads::{Quantity, eth_call, read},
    error::{AppError, Upstream},
};

/// Sessions that are read at the same time.
const AT_ONCE: usize = 8;
/// No more sessions are begun when so many calls were asked: servers count them.
const MOST_CALLS: usize = 160;
/// Most sessions of either sort that are read.
const MOST_READ: usize = 32;

/// How far back the operations are looked at that granted sessions which nothing else explains, blocks.
const LOOK_BACK: u64 = 9_990;
/// Most transactions of them, the newest.
const MOST_TRANSACTIONS: usize = 16;

/// What is looked at of a log.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    transaction_hash: B256,
}

/// What is looked at of a transaction.
#[derive(Deserialize)]
struct Transaction {
    input: Bytes,
}

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
        let mut candidates = Candidates { contracts: self.contracts.clone(), functions: Vec::new() };
        let mut told = self.read_all(S::readings(account, unknown, stored, &candidates)).await?;
        if told.iter().any(|read| read.unexplained > 0) {
            // A help and no more: without it they stay unexplained.
            candidates.functions = self.granted_functions().await.unwrap_or_default();
        }
        if !candidates.functions.is_empty() {
            let again = unknown.iter().zip(&mut told).filter(|(_, read)| read.unexplained > 0).collect::<Vec<_>>();
            let ids = again.iter().map(|(id, _)| **id).collect::<Vec<_>>();
            let explained = self.read_all(S::readings(account, &ids, stored, &candidates)).await?;
            again.into_iter().zip(explained).for_each(|((_, read), explained)| *read = explained);
        }
        let mut told = told.into_iter();
        let read_unknown = told.by_ref().take(unknown.len()).map(Some).chain(std::iter::repeat(None));
        let unknown = known.unknown.iter().copied().zip(read_unknown).collect();
        let stored = stored.iter().map(S::id).zip(told).collect();
        Ok(OnChainNow { unknown, stored })
    }

    /// As many of them as calls may be made for.
    async fn read_all(&self, mut readings: Vec<Box<dyn SessionReading>>) -> Result<Vec<ReadSession>, AppError> {
        let (mut told, mut spent) = (Vec::new(), 0);
        for several in readings.chunks_mut(AT_ONCE) {
            if spent < MOST_CALLS {
                spent += self.read_several(several).await?;
                told.extend(several.iter().map(|reading| reading.told()));
            }
        }
        Ok(told)
    }

    /// What the account's newest operations granted sessions for: the entry point's events are indexed by account, the
    /// module's are not.
    async fn granted_functions(&self) -> Result<Vec<(Address, [u8; 4])>, AppError> {
        let (relay, account) = (self.relay.as_ref(), self.kind.address());
        let height: Quantity = read(relay, "eth_blockNumber", json!([])).await?;
        let from_block = height.0.saturating_sub(U256::from(LOOK_BACK));
        let filter = json!([{
            "address": self.kind.entry_point().address(),
            "topics": [EntryPointEvent::USER_OPERATION, null, account.into_word()],
            "fromBlock": format!("{from_block:#x}"),
            "toBlock": "latest",
        }]);
        let logs: Vec<Log> = read(relay, "eth_getLogs", filter).await?;
        let mut transactions = Vec::new();
        for Log { transaction_hash } in logs.into_iter().rev() {
            if transactions.len() < MOST_TRANSACTIONS && !transactions.contains(&transaction_hash) {
                transactions.push(transaction_hash);
            }
        }
        let inputs = join_all(transactions.iter().map(|hash| {
            let transaction = read::<Transaction>(relay, "eth_getTransactionByHash", json!([hash]));
            async { transaction.await.ok() }
        }));
        let inputs = inputs.await.into_iter().flatten();
        Ok(inputs.flat_map(|transaction| S::granted_in(account, &transaction.input)).collect())
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
