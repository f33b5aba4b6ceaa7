//! The one reader of the chain: the entry point's events, for all operations that are followed.

use std::{sync::Arc, time::Duration};

use alloy::primitives::{Address, B256};
use serde_json::{Value, json};

use super::{super::receipt, Inner, operation::Operation};
use use_aa_actions::error::AppError;
use use_aa_protocol::addresses::ENTRY_POINT;

/// Blocks that are read again each time: a short reorganisation, and operations that were mined
/// between being accepted and being registered.
const OVERLAP: u64 = 20;
/// The same when all events of the entry point are read, not only those of the operations that are followed.
const WIDE_OVERLAP: u64 = 4;
/// How far back the logs are read for a hash that this server did not send, blocks.
const LOOK_BACK: u64 = 2_000;
/// Hashes per filter; nodes limit the alternatives of a topic.
const HASHES_PER_FILTER: usize = 200;
/// With more operations than this the node is asked for all events of the entry point instead.
const MOST_BY_HASH: usize = HASHES_PER_FILTER;
/// Newcomers that are looked for in one request.
const NEWCOMERS_AT_ONCE: usize = 5 * HASHES_PER_FILTER;
/// Pause after the node failed.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// What is to be read.
struct Work {
    open: Vec<Arc<Operation>>,
    newcomers: Vec<Arc<Operation>>,
    deepening: bool,
    pause: Duration,
}

/// Runs until no operation is open.
pub(super) async fn run(inner: Arc<Inner>) {
    let mut from_block = None;
    let mut last_look = None;
    loop {
        let Some(work) = work_of(&inner) else { return };
        let pushed = inner.pushing.is_live();
        // While logs are pushed, only what they cannot tell is asked: the past, the height, and a look now and then.
        let look = !pushed
            || inner.pushing.take_gap()
            || last_look.is_none_or(|last: tokio::time::Instant| last.elapsed() >= inner.pace.pushed);
        let outcome = async {
            find_newcomers(&inner, &work.newcomers, look && work.open.len() <= MOST_BY_HASH).await;
            if look {
                read(&inner, &work.open, &mut from_block).await?;
                last_look = Some(tokio::time::Instant::now());
            } else if work.deepening {
                inner.at_height(inner.node.block_number().await?);
            }
            Ok::<_, AppError>(())
        }
        .await;
        let pause = match outcome {
            Ok(()) if pushed && work.deepening => inner.pace.bundled / 2,
            Ok(()) if pushed => inner.pace.pushed,
            Ok(()) => work.pause,
            Err(error) => {
                tracing::debug!(%error, "reading the entry point's logs");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = inner.look_now.notified() => {}
        }
    }
}

/// What there is to do; `None` when nothing is, and then nobody watches any more.
fn work_of(inner: &Inner) -> Option<Work> {
    let mut registry = inner.registry();
    let mut pause = Duration::MAX;
    let mut open = Vec::new();
    for operation in registry.operations.values() {
        if operation.is_over() {
            continue;
        }
        if operation.facts().outcome.is_none() {
            pause = pause.min(inner.pause(operation));
            open.push(operation.clone());
        }
    }
    let deepening = !registry.deepening.is_empty();
    if deepening {
        pause = pause.min(inner.pace.bundled / 2);
    }
    let waiting = registry.newcomers.len();
    let newcomers: Vec<_> = registry.newcomers.drain(..waiting.min(NEWCOMERS_AT_ONCE)).collect();
    if !registry.newcomers.is_empty() {
        inner.look_now.notify_one();
    }
    if open.is_empty() && !deepening && newcomers.is_empty() {
        registry.chain_watched = false;
        return None;
    }
    Some(Work { open, newcomers, deepening, pause })
}

/// Reads the new blocks once and tells what was found.
async fn read(inner: &Arc<Inner>, open: &[Arc<Operation>], from_block: &mut Option<u64>) -> Result<(), AppError> {
    let from = match *from_block {
        Some(block) => block,
        None => inner.node.block_number().await?.saturating_sub(OVERLAP),
    };
    let wide = open.len() > MOST_BY_HASH;
    let filters = if wide { vec![json!([receipt::topics()])] } else { filters_of(open) };
    let answer = inner.node.head_and_logs(from, ENTRY_POINT, &filters).await;
    if matches!(answer, Err(AppError::UpstreamRejected { .. })) {
        // After a long silence these may be too many blocks for this node.
        *from_block = None;
    }
    let (head, logs) = answer?;
    let overlap = if wide { WIDE_OVERLAP } else { OVERLAP };
    *from_block = Some(head.saturating_sub(overlap));
    inner.seen(receipt::sightings(&logs));
    inner.at_height(head);
    Ok(())
}

/// Operations that were mined before they were registered. `covered`: the reading of new blocks, which begins
/// [`OVERLAP`] blocks back, finds those that were sent just now.
async fn find_newcomers(inner: &Arc<Inner>, newcomers: &[Arc<Operation>], covered: bool) {
    for (sent, back) in [(true, OVERLAP), (false, LOOK_BACK)] {
        let wanted: Vec<B256> = newcomers
            .iter()
            .filter(|operation| operation.sent.is_some() == sent && !operation.is_over())
            .map(|operation| operation.user_op_hash)
            .collect();
        if wanted.is_empty() || (sent && covered) {
            continue;
        }
        let found = async {
            let from_block = inner.node.block_number().await?.saturating_sub(back);
            inner.node.head_and_logs(from_block, ENTRY_POINT, &by_hash(&wanted)).await
        };
        match found.await {
            Ok((head, logs)) => {
                inner.seen(receipt::sightings(&logs));
                inner.at_height(head);
            }
            // A refusal will not change (too many blocks for this node); the bundler knows old operations, too.
            Err(error @ AppError::UpstreamRejected { .. }) => tracing::debug!(%error, "reading logs of the past"),
            Err(error) => {
                tracing::debug!(%error, "reading logs of the past");
                let again = newcomers.iter().filter(|operation| operation.sent.is_some() == sent).cloned();
                inner.registry().newcomers.extend(again);
            }
        }
    }
}

/// Topic lists: either event, any of the hashes.
fn by_hash(hashes: &[B256]) -> Vec<Value> {
    hashes.chunks(HASHES_PER_FILTER).map(|hashes| json!([receipt::topics(), hashes])).collect()
}

/// The operations' own events, and those of other operations of the same accounts: these may use up their nonces.
fn filters_of(open: &[Arc<Operation>]) -> Vec<Value> {
    let hashes: Vec<B256> = open.iter().map(|operation| operation.user_op_hash).collect();
    let mut filters = by_hash(&hashes);
    let mut senders: Vec<Address> =
        open.iter().filter_map(|operation| operation.sent.as_ref()).map(|sent| sent.sender).collect();
    senders.sort();
    senders.dedup();
    if !senders.is_empty() {
        let senders: Vec<B256> = senders.iter().map(|sender| sender.into_word()).collect();
        filters.push(json!([receipt::topics()[0], null, senders]));
    }
    filters
}
