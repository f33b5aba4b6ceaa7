//! One poller for all operations: the entry point's events, from the node.

use std::{sync::Arc, time::Duration};

use alloy::primitives::B256;
use serde_json::{Value, json};

use super::{super::receipt, Inner};
use crate::protocol::addresses::ENTRY_POINT;

/// Blocks that are read again each time: a short reorganisation, and operations that were mined
/// between being accepted and being registered.
const OVERLAP: u64 = 20;
/// Hashes per filter; nodes limit the alternatives of a topic.
const HASHES_PER_FILTER: usize = 200;
/// Pause after the node failed.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// Runs until no operation is open.
pub(super) async fn run(inner: Arc<Inner>) {
    let mut from_block = None;
    loop {
        let (open, pause) = {
            let mut registry = inner.registry();
            let mut pause = Duration::MAX;
            let mut open: Vec<B256> = Vec::new();
            for operation in registry.operations.values() {
                if operation.sighting.borrow().is_none() && !operation.progress.borrow().is_over() {
                    pause = pause.min(inner.pause(operation));
                    open.push(operation.user_op_hash);
                }
            }
            if open.is_empty() {
                registry.log_watcher_runs = false;
                return;
            }
            (open, pause)
        };
        let pause = match look(&inner, &open, &mut from_block).await {
            Ok(()) => pause,
            Err(error) => {
                tracing::debug!(%error, "reading the entry point's logs");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = inner.arrived.notified() => {}
        }
    }
}

/// Reads the logs once and tells the operations that were found.
async fn look(inner: &Inner, open: &[B256], from_block: &mut Option<u64>) -> Result<(), crate::error::AppError> {
    let from = match *from_block {
        Some(block) => block,
        None => inner.node.block_number().await?.saturating_sub(OVERLAP),
    };
    let (head, logs) = inner.node.head_and_logs(from, ENTRY_POINT, &filters(open)).await?;
    *from_block = Some(head.saturating_sub(OVERLAP));
    let found = receipt::from_logs(&logs);
    if found.is_empty() {
        return Ok(());
    }
    let registry = inner.registry();
    for (user_op_hash, receipt) in found {
        if let Some(operation) = registry.operations.get(&user_op_hash) {
            operation.sighting.send_if_modified(|sighting| {
                let news = sighting.is_none();
                sighting.get_or_insert(receipt);
                news
            });
        }
    }
    Ok(())
}

/// Topic lists: either event, any of the hashes.
pub(super) fn filters(hashes: &[B256]) -> Vec<Value> {
    hashes.chunks(HASHES_PER_FILTER).map(|hashes| json!([receipt::topics(), hashes])).collect()
}
