//! Logs of the chain, for everybody who wants some. Nodes take so many blocks in one question, from all to five; a longer
//! range is read in parts, of the node that takes the longest ones (`json_rpc/logs.rs` learns how long they are).
//!
//! A range that is read in parts takes turns with the others, and nothing else waits for it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::Ordering,
};

use futures::{StreamExt, stream::FuturesUnordered};
use serde_json::{Value, json};

use super::{
    json_rpc::{Lesson, Piece, excerpt},
    node::{ChainNode, hex},
    quantity::small,
};
use use_aa_actions::error::AppError;

/// Parts of one range that are asked for at the same time.
const AT_ONCE: usize = 4;
/// Most parts of a range of our own.
const OWN_PARTS: u64 = 20_000;
/// Most parts of a range that a caller asks for: each is a question to the node.
const CALLERS_PARTS: u64 = 100;
/// Most parts of a range in which uses are counted, for anybody who asks; the answer tells which blocks it is about.
pub(super) const COUNTED_PARTS: u64 = 200;

/// How a range is read that no node takes at once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    /// At once: a few blocks that somebody waits for.
    Urgent,
    /// In turn with other long ranges.
    InTurn,
    /// As [`Self::InTurn`], for whoever asks for the uses of an account.
    Counting,
    /// As [`Self::InTurn`], for a question that a caller made up.
    OfCaller,
    /// As [`Self::OfCaller`], up to a block that is above the head.
    OfCallerAboveHead,
}

impl Reading {
    fn most_parts(self) -> u64 {
        match self {
            Self::Urgent | Self::InTurn => OWN_PARTS,
            Self::Counting => COUNTED_PARTS,
            Self::OfCaller | Self::OfCallerAboveHead => CALLERS_PARTS,
        }
    }

    fn lesson(self) -> Lesson {
        match self {
            Self::Urgent | Self::InTurn | Self::Counting => Lesson::Any,
            Self::OfCaller => Lesson::Told,
            Self::OfCallerAboveHead => Lesson::Nothing,
        }
    }
}

impl ChainNode {
    /// The longest range of logs that a node takes at once, as far as is known.
    pub(super) fn longest_logs(&self) -> u64 {
        self.rpc.longest_logs()
    }

    /// The height, and the logs since `from_block`: in one request, when that is taken. `address` is one or a list, `filters` are topic lists. Without
    /// logs the height is told all the same.
    pub(super) async fn head_and_logs(
        &self,
        from_block: u64,
        address: Value,
        filters: &[Value],
        reading: Reading,
    ) -> Result<(u64, Result<Vec<Value>, AppError>), AppError> {
        let blocks = self.known().head.load(Ordering::Relaxed).saturating_sub(from_block).saturating_add(1);
        let filter = |topics: &Value| json!({"address": address, "topics": topics});
        let (head, mut logs, left) = match self.longest_logs() >= blocks {
            true => {
                let mut calls = vec![("eth_blockNumber", json!([]))];
                calls.extend(filters.iter().map(|topics| {
                    let mut filter = filter(topics);
                    (filter["fromBlock"], filter["toBlock"]) = (json!(hex(from_block)), json!("latest"));
                    ("eth_getLogs", json!([filter]))
                }));
                self.in_one_request(&calls, filters).await?
            }
            false => (self.block_number().await?, Vec::new(), filters.iter().collect()),
        };
        self.known().head.store(head, Ordering::Relaxed);
        for topics in left {
            match self.logs(&filter(topics), from_block, head, reading).await {
                Ok(found) => logs.extend(found),
                Err(error) => return Ok((head, Err(error))),
            }
        }
        Ok((head, Ok(logs)))
    }

    /// The height, the logs, and the filters whose logs were refused.
    async fn in_one_request<'a>(
        &self,
        calls: &[(&str, Value)],
        filters: &'a [Value],
    ) -> Result<(u64, Vec<Value>, Vec<&'a Value>), AppError> {
        let mut answers = match self.batch(calls).await {
            Ok(answers) => answers.into_iter(),
            // All logs in one answer may be too long for it.
            Err(AppError::UpstreamMalformed { .. }) if !filters.is_empty() => {
                return Ok((self.block_number().await?, Vec::new(), filters.iter().collect()));
            }
            Err(error) => return Err(error),
        };
        let head = answers.next().ok_or_else(|| self.rpc.malformed("an empty batch"))??;
        let head = small(&head).ok_or_else(|| self.rpc.malformed("eth_blockNumber"))?;
        let (mut logs, mut left) = (Vec::new(), Vec::new());
        for (topics, answer) in filters.iter().zip(answers) {
            match answer {
                Ok(Value::Array(found)) => logs.extend(found),
                Ok(other) => return Err(self.rpc.malformed(format!("eth_getLogs: {}", excerpt(&other)))),
                Err(_) => left.push(topics),
            }
        }
        Ok((head, logs, left))
    }

    /// What a caller asked for, whose range was checked.
    pub(super) async fn logs_for_caller(&self, params: &Value, (from, to): (u64, u64)) -> Result<Value, AppError> {
        let filter = params.get(0).cloned().unwrap_or_default();
        let is_known =
            to <= self.known().head.load(Ordering::Relaxed) || self.block_number().await.is_ok_and(|head| to <= head);
        let reading = if is_known { Reading::OfCaller } else { Reading::OfCallerAboveHead };
        self.logs(&filter, from, to, reading).await.map(Value::Array)
    }

    fn too_long(&self, parts: u64) -> AppError {
        let most = self.longest_logs().saturating_mul(parts);
        AppError::TooLarge {
            what: "the range of blocks".into(),
            limit: format!("{most} blocks, because of what the chain node takes"),
        }
    }

    /// The logs of a filter in `from..=to`, in their order, whatever parts they are read in.
    pub(super) async fn logs(
        &self,
        filter: &Value,
        from: u64,
        to: u64,
        reading: Reading,
    ) -> Result<Vec<Value>, AppError> {
        let lesson = reading.lesson();
        let most = reading.most_parts();
        let mut parts = 0;
        let mut open = VecDeque::from([(from, to)]);
        let mut asked = FuturesUnordered::new();
        let mut found = BTreeMap::new();
        loop {
            while asked.len() < AT_ONCE
                && let Some((from, to)) = open.pop_front()
            {
                if from > to {
                    continue;
                }
                let longest = self.longest_logs().max(1);
                let end = to.min(from.saturating_add(longest - 1));
                parts += 1;
                // Known before the rest is asked for.
                let rest = (to - end).div_ceil(longest);
                if end < to {
                    open.push_front((end + 1, to));
                }
                if parts + rest > most {
                    return Err(self.too_long(most));
                }
                let in_turn = parts > 1 && !matches!(reading, Reading::Urgent);
                asked.push(async move {
                    let turn = match in_turn {
                        true => self.known().scanning.acquire().await.ok(),
                        false => None,
                    };
                    let piece = self.rpc.logs_piece(filter, from, end, lesson).await;
                    drop(turn);
                    (from, end, piece)
                });
            }
            let Some((from, to, piece)) = asked.next().await else { break };
            match piece? {
                Piece::Logs(logs) => drop(found.insert(from, logs)),
                Piece::Narrower(blocks) => {
                    let next = from.saturating_add(blocks.max(1));
                    open.push_front((next, to));
                    open.push_front((from, next - 1));
                }
            }
        }
        Ok(found.into_values().flatten().collect())
    }
}
