//! Operations that were mined before they were followed, or while nobody could read the chain: looked for in the logs of
//! the past, beside the reading of new blocks, which never waits for it.

use std::sync::Arc;

use alloy::primitives::B256;

use super::{
    super::{logs::Reading, receipt},
    Inner,
    filters::{AFTER_FAILURE, OVERLAP, by_hash, filters_for, filters_of},
    operation::Operation,
};
use use_aa_actions::error::AppError;

/// How far back the logs are read for a hash that this server did not send, blocks.
pub(super) const LOOK_BACK: u64 = 2_000;

/// Operations that were mined before they were registered. `covered`: the reading of new blocks, which begins
/// [`OVERLAP`] blocks back, finds those that were sent just now.
pub(super) fn find_newcomers(inner: &Arc<Inner>, newcomers: Vec<Arc<Operation>>, covered: bool) {
    let (sent, strangers): (Vec<_>, Vec<_>) =
        newcomers.into_iter().partition(|operation| operation.sent.get().is_some());
    for (newcomers, back, covered) in [(sent, OVERLAP, covered), (strangers, LOOK_BACK, false)] {
        if !newcomers.is_empty() && !covered {
            let inner = inner.clone();
            tokio::spawn(async move { find(&inner, newcomers, back).await });
        }
    }
}

async fn find(inner: &Arc<Inner>, newcomers: Vec<Arc<Operation>>, back: u64) {
    let open = newcomers.iter().filter(|operation| !operation.is_settled());
    let wanted: Vec<B256> = open.map(|operation| operation.user_op_hash).collect();
    if wanted.is_empty() {
        return;
    }
    let found = async {
        let from_block = inner.node.block_number().await?.saturating_sub(back);
        inner.node.head_and_logs(from_block, receipt::entry_points(), &by_hash(&wanted), Reading::InTurn).await
    };
    match found.await {
        Ok((head, logs)) => {
            match logs {
                Ok(logs) => inner.seen(receipt::sightings(&logs)),
                // No node tells them; the bundler knows old operations, too.
                Err(error) => tracing::debug!(%error, "reading logs of the past"),
            }
            inner.at_height(head);
        }
        // A refusal will not change.
        Err(error @ AppError::UpstreamRejected { .. }) => tracing::debug!(%error, "reading logs of the past"),
        Err(error) => {
            tracing::debug!(%error, "reading logs of the past");
            tokio::time::sleep(AFTER_FAILURE).await;
            let mut registry = inner.registry();
            registry.newcomers.extend(newcomers);
            inner.watch_chain(&mut registry);
        }
    }
}

/// One operation, and others of its account.
pub(super) async fn look_for(inner: &Arc<Inner>, operation: &Operation) -> Result<(), AppError> {
    let from_block = inner.node.block_number().await?.saturating_sub(LOOK_BACK);
    let filters = filters_for(operation.user_op_hash, operation.sent.get().map(|sent| sent.sender));
    let (_, logs) = inner.node.head_and_logs(from_block, receipt::entry_points(), &filters, Reading::InTurn).await?;
    inner.seen(receipt::sightings(&logs?));
    Ok(())
}

/// Blocks between what was read and what is read now, where the node takes them in small parts only.
pub(super) fn catch_up(inner: &Arc<Inner>, open: &[Arc<Operation>], from: u64, to: u64) {
    let (inner, filters) = (inner.clone(), filters_of(open));
    tokio::spawn(async move {
        for topics in filters {
            let filter = serde_json::json!({"address": receipt::entry_points(), "topics": topics});
            let from = from.max(to.saturating_sub(LOOK_BACK));
            match inner.node.logs(&filter, from, to, Reading::InTurn).await {
                Ok(logs) => inner.seen(receipt::sightings(&logs)),
                Err(error) => tracing::debug!(%error, "reading logs that were missed"),
            }
        }
    });
}
