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
    session_scheme::{Candidates, ReadSession, SessionNote, SessionReading, SessionScheme},
};

use super::{
    Known, SchemeSessions,
    listing::{LimitLeft, SessionListing, listed_id, permission_of},
};
use crate::{
    chain_reads::{Quantity, eth_call, read},
    error::{AppError, Upstream},
};

/// Sessions that are read at the same time.
const AT_ONCE: usize = 8;
/// Most calls that are made for all of them: servers count them. What would take more is not read.
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
    /// `None`: not read. It is behind the first [`MOST_READ`], or would have taken more than [`MOST_CALLS`].
    unknown: Vec<(B256, Option<ReadSession>)>,
    /// `None`: not compared, for the same reasons.
    stored: Vec<(B256, Option<ReadSession>)>,
}

impl<S: SessionScheme> SchemeSessions<S> {
    pub(super) async fn read_on_chain(&self, known: &Known<S::Session>) -> Result<OnChainNow, AppError> {
        let account = self.kind.address();
        let unknown = known.unknown.get(..MOST_READ).unwrap_or(&known.unknown);
        let stored = known.on_chain.get(..MOST_READ).unwrap_or(&known.on_chain);
        let mut candidates = Candidates { contracts: self.contracts.clone(), functions: Vec::new() };
        let mut told = self.read_all(S::readings(account, unknown, stored, &candidates)).await?;
        let is_unexplained = |read: &Option<ReadSession>| read.as_ref().is_some_and(|read| read.unexplained > 0);
        if told.iter().any(is_unexplained) {
            // A help and no more: without it they stay unexplained.
            candidates.functions = self.granted_functions().await.unwrap_or_default();
        }
        if !candidates.functions.is_empty() {
            let again = unknown.iter().zip(&mut told).filter(|(_, read)| is_unexplained(read)).collect::<Vec<_>>();
            let ids = again.iter().map(|(id, _)| **id).collect::<Vec<_>>();
            let mut readings = S::readings(account, &ids, stored, &candidates);
            readings.truncate(ids.len());
            let explained = self.read_all(readings).await?;
            again.into_iter().zip(explained).for_each(|((_, read), explained)| {
                if explained.is_some() {
                    *read = explained;
                }
            });
        }
        let mut told = told.into_iter();
        let read_unknown = told.by_ref().take(unknown.len()).chain(std::iter::repeat(None));
        let unknown = known.unknown.iter().copied().zip(read_unknown).collect();
        let stored = known.on_chain.iter().map(S::id).zip(told.chain(std::iter::repeat(None))).collect();
        Ok(OnChainNow { unknown, stored })
    }

    /// As many of them as calls may be made for; `None` for the others.
    async fn read_all(&self, mut readings: Vec<Box<dyn SessionReading>>) -> Result<Vec<Option<ReadSession>>, AppError> {
        let (mut told, mut left) = (Vec::new(), MOST_CALLS);
        for several in readings.chunks_mut(AT_ONCE) {
            let are_read = self.read_several(several, &mut left).await?;
            told.extend(several.iter().zip(are_read).map(|(reading, is_read)| is_read.then(|| reading.told())));
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

    /// Reads them side by side; which of them were read with the calls that were left. The largest is given up first.
    async fn read_several(
        &self,
        readings: &mut [Box<dyn SessionReading>],
        left: &mut usize,
    ) -> Result<Vec<bool>, AppError> {
        let mut are_read = vec![true; readings.len()];
        loop {
            let mut calls = readings.iter().map(|reading| reading.calls()).collect::<Vec<_>>();
            for (calls, _) in calls.iter_mut().zip(&are_read).filter(|(_, is_read)| !**is_read) {
                calls.clear();
            }
            while calls.iter().map(Vec::len).sum::<usize>() > *left {
                let Some(largest) = (0..calls.len()).max_by_key(|place| calls.get(*place).map_or(0, Vec::len)) else {
                    break;
                };
                if let (Some(calls), Some(is_read)) = (calls.get_mut(largest), are_read.get_mut(largest)) {
                    calls.clear();
                    *is_read = false;
                }
            }
            let answers = join_all(calls.iter().flatten().map(|call| self.answer(call))).await;
            let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
            if answers.is_empty() {
                return Ok(are_read);
            }
            *left = left.saturating_sub(answers.len());
            let mut answers = answers.as_slice();
            for (reading, calls) in readings.iter_mut().zip(&calls).filter(|(_, calls)| !calls.is_empty()) {
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
        let mut before = Vec::new();
        for (id, read) in unknown {
            let not_read = || ReadSession { leaves: vec![SessionLeaf::default()], ..ReadSession::default() };
            let is_read = read.is_some();
            let read = read.unwrap_or_else(not_read);
            before.extend(read.leaves.iter().enumerate().map(|(place, leaf)| elsewhere(id, place, leaf)));
            let limits = read.left.iter().map(|limit| LimitLeft {
                session_id: listed_id(id, limit.place),
                what: limit.what,
                most: limit.most,
                left: limit.left,
            });
            listing.left.extend(limits);
            note(listing, id, &read, read.leaves.len());
            if !is_read {
                let text = "Cannot be read here: it is more than is looked at".to_owned();
                listing.notes.push(ListedNote { session_id: listed_id(id, 0), text, is_unreadable: true });
            }
        }
        for (id, read) in stored {
            let is_of_it = |leaf: &&SessionLeaf| permission_of(&leaf.session_id) == Some(id);
            let places = listing.leaves.iter().filter(is_of_it).count().max(1);
            let not_compared = || ReadSession {
                notes: vec![SessionNote {
                    place: None,
                    text: "Not compared with the chain: it is more than is looked at".to_owned(),
                    is_unreadable: false,
                }],
                ..ReadSession::default()
            };
            note(listing, id, &read.unwrap_or_else(not_compared), places);
        }
        listing.leaves.splice(0..0, before);
    }
}

/// What is about the whole session stands beside each of its rows: a list may show one of them only.
fn note(listing: &mut SessionListing, id: B256, read: &ReadSession, rows: usize) {
    for SessionNote { place, text, is_unreadable } in &read.notes {
        let places = place.map_or(0..rows, |place| place..place + 1);
        listing.notes.extend(places.map(|place| ListedNote {
            session_id: listed_id(id, place),
            text: text.clone(),
            is_unreadable: *is_unreadable,
        }));
    }
}

/// One that works, with its key in another browser or app.
fn elsewhere(id: B256, place: usize, leaf: &SessionLeaf) -> SessionLeaf {
    let session_id = listed_id(id, place);
    let mut leaf = SessionLeaf { session_id, status: SessionStatus::Active, ..leaf.clone() };
    leaf.key_is_elsewhere();
    leaf
}
