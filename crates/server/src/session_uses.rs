//! Uses of an account's sessions, counted from the chain: the entry point's events say which operations succeeded, the
//! bundlers' transactions carry their signatures, and those name the sessions.
//!
//! Cached again, a count costs nothing until there is a new block, and then one request and what is new: transactions and
//! blocks that were read do not change.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use alloy::primitives::{Address, B256, Bytes, U256};
use serde_json::{Value, json};

use super::{
    logs::{COUNTED_PARTS, Reading},
    metrics,
    node::{ChainNode, News, hex},
    quantity::small,
    receipt,
    single_flight::Cached,
};
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    entry_point::EntryPoint,
    session::{OperationUse, SessionUses, Signers, count_uses, session_uses_in},
};

/// How far back the logs are read, blocks: with the last one, and some that come meanwhile, the 10,000 that many nodes
/// take at once.
const LOOK_BACK: u64 = 9_990;
/// Where nodes take fewer blocks at once: those that are read again each time, for reorganisations.
const AGAIN: u64 = 64;
/// Requests that are left for blocks that come meanwhile.
const SPARE_PARTS: u64 = 10;
/// Most transactions that are read for one answer.
const MOST_TRANSACTIONS: usize = 200;
/// Calls in one batch: with the longest transactions that nodes pass on (128 KiB) the answer is one that is read.
const AT_ONCE: usize = 10;
/// Bytes of counts, and of what transactions show, that are kept.
const COUNTS: u64 = 8 * 1024 * 1024;
const SHOWN: u64 = 16 * 1024 * 1024;
const LOGS: u64 = 8 * 1024 * 1024;
/// Times of blocks that are kept.
const TIMES: u64 = 50_000;
/// Counts of one caller at the same time.
const OF_ONE: usize = 8;
/// How long all that is kept.
const KEPT: Duration = Duration::from_secs(3_600);

/// What the signatures of an account's operations in a transaction show, by nonce; `None` = the transaction is not
/// encoded as it should be.
type Shown = Arc<Option<HashMap<U256, Signers>>>;

/// Logs of an account, read in parts.
struct Logs {
    from_block: u64,
    to_block: u64,
    logs: Vec<Value>,
}

/// What was counted and read lately.
pub(super) struct Uses {
    /// By account and height; the news, because a block of the same height may be another one.
    counts: Cached<(Address, u64, News), Arc<SessionUses>>,
    shown: Cached<(B256, Address), Shown>,
    logs: Cached<Address, Arc<Logs>>,
    /// By the block's hash.
    times: Cached<B256, u64>,
    under_way: UnderWay,
}

/// The accounts whose counts each caller waits for, with how often it asks.
type UnderWay = Mutex<HashMap<IpAddr, HashMap<Address, usize>>>;

/// One of them, until it is dropped.
struct Share<'a>(&'a UnderWay, IpAddr, Address);

impl<'a> Share<'a> {
    fn of(under_way: &'a UnderWay, caller: IpAddr, account: Address) -> Result<Self, AppError> {
        // Nothing panics while it is locked.
        let mut callers = under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let own = callers.entry(caller).or_default();
        // The same account again is the same count.
        if own.len() >= OF_ONE && !own.contains_key(&account) {
            metrics::rate_limited("address");
            return Err(AppError::RateLimited { scope: "address".into(), seconds: 1 });
        }
        *own.entry(account).or_default() += 1;
        Ok(Self(under_way, caller, account))
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(own) = callers.get_mut(&self.1) else { return };
        if let Some(questions) = own.get_mut(&self.2) {
            *questions -= 1;
            if *questions == 0 {
                own.remove(&self.2);
            }
        }
        if own.is_empty() {
            callers.remove(&self.1);
        }
    }
}

impl Default for Uses {
    fn default() -> Self {
        Self {
            counts: Cached::weighing(COUNTS, KEPT, |counted| 128 + 128 * counted.uses.len()),
            shown: Cached::weighing(SHOWN, KEPT, weight_of),
            logs: Cached::weighing(LOGS, KEPT, |read| 128 + 2_048 * read.logs.len()),
            times: Cached::new(TIMES, KEPT),
            under_way: UnderWay::default(),
        }
    }
}

impl ChainNode {
    /// Uses of the account's sessions in the last blocks. Each `caller` may have those of eight counted at the same time.
    ///
    /// # Errors
    /// Those of the node; `RateLimited`.
    pub async fn session_uses(&self, account: Address, caller: Option<IpAddr>) -> Result<SessionUses, AppError> {
        let news = self.known().latest();
        let height = self.height().await?;
        if let Some(counted) = self.known().uses.counts.kept(&(account, height, news)).await {
            return Ok((*counted).clone());
        }
        // Outside of what is asked once for all who ask it: nobody is refused for what another caller has under way.
        let _share = Share::of(&self.known().uses.under_way, caller.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), account)?;
        let count = async {
            let busy = |_| AppError::Internal { reason: "the server is stopping".into() };
            let _turn = self.known().counting.acquire().await.map_err(busy)?;
            self.count_uses(account, height).await.map(Arc::new)
        };
        let counted = self.known().uses.counts.get((account, height, news), count).await?;
        Ok((*counted).clone())
    }

    async fn count_uses(&self, account: Address, height: u64) -> Result<SessionUses, AppError> {
        let read = match self.logs_at_once(account, height).await? {
            Some(read) => read,
            None => self.logs_in_parts(account, height).await?,
        };
        let (mut from_block, to_block, logs) = (read.from_block, read.to_block, &read.logs);
        let mut found = receipt::sightings(logs);
        found.retain(|seen| seen.entry_point == EntryPoint::V06 && seen.receipt.sender == account);
        let (cut, transactions) =
            newest(found.iter().map(|seen| (seen.receipt.block_number, seen.receipt.transaction_hash)));
        from_block = cut.unwrap_or(from_block);

        let shown = self.shown_by(account, &transactions).await?;
        let (mut used, mut unreadable) = (Vec::new(), 0);
        for seen in found.into_iter().filter(|seen| seen.receipt.success) {
            let transaction = seen.receipt.transaction_hash;
            let Some(signers) = shown.get(&transaction) else { continue };
            match signers.as_ref().as_ref().map(|signers| signers.get(&seen.nonce)) {
                Some(Some(Signers::Sessions(leaves))) if !leaves.is_empty() => {
                    let operation = OperationUse { leaves: leaves.clone(), at: 0, transaction };
                    used.push((seen.receipt.block_number, operation));
                }
                Some(Some(Signers::Sessions(_)) | None) => {}
                // Anybody can put such a thing on the chain: it takes no list away from anybody.
                Some(Some(Signers::Unreadable)) | None => unreadable += 1,
            }
        }

        let wanted = used.iter().map(|(block, _)| *block).collect::<BTreeSet<_>>();
        let mut blocks = logs.iter().filter_map(block_of).collect::<BTreeMap<_, _>>();
        blocks.retain(|block, _| wanted.contains(block));
        let times = self.times_of(&blocks).await?;
        for (block, operation) in &mut used {
            operation.at = times.get(block).copied().unwrap_or(0);
        }
        let uses = count_uses(used.into_iter().map(|(_, operation)| operation));
        Ok(SessionUses { from_block, to_block, uses, unreadable })
    }

    /// Logs of the account's operations in one request; `None` when no node takes so many blocks.
    async fn logs_at_once(&self, account: Address, height: u64) -> Result<Option<Arc<Logs>>, AppError> {
        let from_block = height.saturating_sub(LOOK_BACK);
        if self.longest_logs() < height - from_block + 1 {
            return Ok(None);
        }
        let (to_block, logs) =
            self.head_and_logs(from_block, entry_point(), &[filter_of(account)], Reading::Counting).await?;
        match logs {
            Ok(logs) => Ok(Some(Arc::new(Logs { from_block, to_block, logs }))),
            Err(AppError::TooLarge { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same in parts: as far back as [`COUNTED_PARTS`] of them reach, and what was read before is not read again.
    async fn logs_in_parts(&self, account: Address, height: u64) -> Result<Arc<Logs>, AppError> {
        let oldest = height.saturating_sub(LOOK_BACK);
        let reach = self.longest_logs().saturating_mul(COUNTED_PARTS - SPARE_PARTS);
        let mut from_block = oldest.max(height.saturating_sub(reach));
        let mut begin = from_block;
        let mut logs = Vec::new();
        let known = self.known().uses.logs.kept(&account).await;
        if let Some(known) = known.filter(|known| known.to_block >= from_block && known.from_block <= height) {
            from_block = known.from_block.max(oldest);
            begin = begin.max(known.to_block.saturating_sub(AGAIN)).max(from_block);
            let is_kept = |block: u64| (from_block..begin).contains(&block);
            logs.extend(
                known.logs.iter().filter(|log| block_of(log).is_some_and(|(block, _)| is_kept(block))).cloned(),
            );
        }
        let (to_block, found) =
            self.head_and_logs(begin, entry_point(), &[filter_of(account)], Reading::Counting).await?;
        logs.extend(found?);
        let read = Arc::new(Logs { from_block, to_block, logs });
        self.known().uses.logs.keep(account, read.clone()).await;
        Ok(read)
    }

    /// What the account's operations in these transactions show. A transaction that a node has dropped costs its count,
    /// no more.
    async fn shown_by(&self, account: Address, transactions: &[B256]) -> Result<HashMap<B256, Shown>, AppError> {
        let known = &self.known().uses.shown;
        let mut shown = HashMap::new();
        let mut missing = Vec::new();
        for hash in transactions {
            match known.kept(&(*hash, account)).await {
                Some(signers) => drop(shown.insert(*hash, signers)),
                None => missing.push(*hash),
            }
        }
        for some in missing.chunks(AT_ONCE) {
            let asked = some.iter().map(|hash| ("eth_getTransactionByHash", json!([hash]))).collect::<Vec<_>>();
            for (hash, answer) in some.iter().zip(self.batch(&asked).await?) {
                let Ok(transaction @ Value::Object(_)) = answer else { continue };
                let Some(input) = input_of(&transaction) else { continue };
                let signers = Arc::new(session_uses_in(&input, account).ok());
                known.keep((*hash, account), signers.clone()).await;
                shown.insert(*hash, signers);
            }
        }
        Ok(shown)
    }

    /// Times of blocks, whose hashes the logs told.
    async fn times_of(&self, blocks: &BTreeMap<u64, B256>) -> Result<HashMap<u64, u64>, AppError> {
        let known = &self.known().uses.times;
        let mut times = HashMap::new();
        let mut missing = Vec::new();
        for (block, hash) in blocks {
            match known.kept(hash).await {
                Some(time) => drop(times.insert(*block, time)),
                None => missing.push((*block, *hash)),
            }
        }
        for some in missing.chunks(AT_ONCE) {
            let asked = some.iter().map(|(block, _)| ("eth_getBlockByNumber", json!([hex(*block), false])));
            let asked = asked.collect::<Vec<_>>();
            for ((block, hash), answer) in some.iter().zip(self.batch(&asked).await?) {
                let answer = answer.unwrap_or_default();
                let Some(time) = answer.get("timestamp").and_then(small) else { continue };
                if answer.get("hash").and_then(receipt::hash) == Some(*hash) {
                    known.keep(*hash, time).await;
                }
                times.insert(*block, time);
            }
        }
        Ok(times)
    }
}

/// Whose events are read: sessions that are counted here sign for accounts of this one.
fn entry_point() -> Value {
    json!(EntryPoint::V06.address())
}

/// The topics of an account's operations.
fn filter_of(account: Address) -> Value {
    json!([receipt::MINED, null, account.into_word()])
}

fn weight_of(shown: &Shown) -> usize {
    let bytes_of = |signers: &Signers| match signers {
        Signers::Sessions(leaves) => 96 + 32 * leaves.len(),
        Signers::Unreadable => 96,
    };
    128 + shown.iter().flat_map(HashMap::values).map(bytes_of).sum::<usize>()
}

/// The block that a log is in.
fn block_of(log: &Value) -> Option<(u64, B256)> {
    Some((log.get("blockNumber").and_then(small)?, log.get("blockHash").and_then(receipt::hash)?))
}

/// The newest transactions, oldest first; and the first block that is whole among them, when there were more.
fn newest(seen: impl Iterator<Item = (u64, B256)>) -> (Option<u64>, Vec<B256>) {
    let mut places = Vec::<(u64, B256)>::new();
    for place in seen {
        if places.last() != Some(&place) {
            places.push(place);
        }
    }
    places.sort_by_key(|(block, _)| *block);
    places.dedup();
    let surplus = places.len().saturating_sub(MOST_TRANSACTIONS);
    let cut = surplus.checked_sub(1).and_then(|last| places.get(last)).map(|(block, _)| block + 1);
    let kept = places.into_iter().filter(|(block, _)| cut.is_none_or(|first| *block >= first));
    (cut, kept.map(|(_, hash)| hash).collect())
}

/// Input of a transaction to the entry point.
fn input_of(transaction: &Value) -> Option<Bytes> {
    let to = serde_json::from_value::<Address>(transaction.get("to")?.clone()).ok()?;
    let input = serde_json::from_value(transaction.get("input")?.clone()).ok()?;
    (to == EntryPoint::V06.address()).then_some(input)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn hash(number: u64) -> B256 {
        B256::from(U256::from(number))
    }

    #[test]
    fn the_newest_transactions_are_read_and_the_first_whole_block_is_told() {
        assert_eq!(newest([(7, hash(1)), (7, hash(1)), (9, hash(2))].into_iter()), (None, vec![hash(1), hash(2)]));
        let many = MOST_TRANSACTIONS as u64 + 3;
        let (cut, kept) = newest((0..many).map(|number| (100 + number, hash(number))));
        assert_eq!((cut, kept.len(), kept[0]), (Some(103), MOST_TRANSACTIONS, hash(3)));
        // A block that would be cut in two is left out, so that the counts from the told block on are whole.
        let (cut, kept) = newest((0..many).map(|number| (100 + number / 2, hash(number))));
        assert_eq!((cut, kept[0]), (Some(102), hash(4)));
    }

    #[test]
    fn only_transactions_to_the_entry_point_are_read() {
        let transaction = |to: Value| json!({ "to": to, "input": "0x1fad948c" });
        assert_eq!(input_of(&transaction(json!(EntryPoint::V06.address()))).unwrap().len(), 4);
        assert_eq!(input_of(&transaction(json!(Address::ZERO))), None);
        assert_eq!(input_of(&transaction(Value::Null)), None);
        assert_eq!(input_of(&Value::Null), None);
    }
}
