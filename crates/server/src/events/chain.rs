//! The one reader of the chain: the entry point's events, for all operations that are followed.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use super::{
    super::{logs::Reading, receipt},
    Inner,
    filters::{AFTER_FAILURE, HASHES_PER_FILTER, OVERLAP, filters_of},
    operation::Operation,
    past,
};
use use_aa_actions::error::AppError;

/// The same when all events of the entry point are read, not only those of the operations that are followed.
const WIDE_OVERLAP: u64 = 4;
/// With more operations than this the node is asked for all events of the entry point instead.
const MOST_BY_HASH: usize = HASHES_PER_FILTER;
/// Newcomers that are looked for in one request.
const NEWCOMERS_AT_ONCE: usize = 5 * HASHES_PER_FILTER;

/// What is to be read.
struct Work {
    open: Vec<Arc<Operation>>,
    newcomers: Vec<Arc<Operation>>,
    deepening: bool,
    pause: Duration,
}

/// How far the chain was read.
#[derive(Default)]
struct Read {
    /// The next look begins here.
    from_block: Option<u64>,
    /// The height of the last look.
    head: u64,
}

/// Runs until no operation is open.
pub(super) async fn run(inner: Arc<Inner>) {
    let mut read = Read::default();
    let mut last_look = None;
    loop {
        let Some(work) = work_of(&inner) else { return };
        let pushed = inner.pushing.is_live();
        // While logs are pushed, only what they cannot tell is asked: the past, the height, and a look now and then.
        let look = !pushed
            || inner.pushing.take_gap()
            || last_look.is_none_or(|last: tokio::time::Instant| last.elapsed() >= inner.pace.pushed);
        let outcome = async {
            let covered = look && work.open.len() <= MOST_BY_HASH && !is_narrow(&inner);
            past::find_newcomers(&inner, work.newcomers, covered);
            if look {
                read.on(&inner, &work.open).await?;
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
        if operation.is_settled() {
            continue;
        }
        if !operation.is_placed() {
            // What bundlers gave up may still come, and nobody waits for it.
            let least = if operation.is_over() { inner.pace.bundled } else { Duration::ZERO };
            pause = pause.min(inner.pause(operation).max(least));
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

/// The nodes take fewer blocks at once than are read again each time.
fn is_narrow(inner: &Inner) -> bool {
    inner.node.longest_logs() <= OVERLAP
}

impl Read {
    /// Reads the new blocks once and tells what was found.
    async fn on(&mut self, inner: &Arc<Inner>, open: &[Arc<Operation>]) -> Result<(), AppError> {
        let mut from = match self.from_block {
            Some(block) => block,
            None => inner.node.block_number().await?.saturating_sub(OVERLAP),
        };
        if is_narrow(inner) {
            // Each look costs several requests: one for each new block is enough, and what is long past has time.
            let head = inner.node.block_number().await?;
            if head == self.head {
                inner.at_height(head);
                return Ok(());
            }
            let recent = head.saturating_sub(OVERLAP);
            if from < recent {
                past::catch_up(inner, open, from, recent);
                from = recent;
            }
        }
        let wide = open.len() > MOST_BY_HASH;
        let filters = if wide { vec![json!([receipt::topics()])] } else { filters_of(open) };
        let (head, logs) = inner.node.head_and_logs(from, receipt::entry_points(), &filters, Reading::Urgent).await?;
        let logs = match logs {
            Ok(logs) => logs,
            Err(error) => {
                // What is to be read when it tells them again shall not grow without end.
                self.from_block = Some(from.max(head.saturating_sub(past::LOOK_BACK)));
                inner.at_height(head);
                return Err(error);
            }
        };
        let overlap = if wide { WIDE_OVERLAP } else { OVERLAP };
        *self = Self { from_block: Some(head.saturating_sub(overlap)), head };
        inner.seen(receipt::sightings(&logs));
        inner.at_height(head);
        Ok(())
    }
}
