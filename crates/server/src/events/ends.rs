//! Ends that bundlers speak of: looked for on the chain first.

use std::{sync::Arc, time::Duration};

use alloy::primitives::B256;

use super::{super::receipt, Inner, operation::Operation};
use use_aa_protocol::rpc::UserOpUpdate;

/// How long an operation that the bundler gave up may still turn up in the logs.
const LAST_LOOK: Duration = Duration::from_millis(400);

/// Looks for the operation in a transaction's receipt.
pub(super) async fn find_in(inner: &Arc<Inner>, operation: &Operation, transaction_hash: B256) -> bool {
    let found = inner.node.transaction_receipt(transaction_hash).await.ok().flatten();
    let sightings = found.map(|found| receipt::sightings_in_transaction(transaction_hash, &found)).unwrap_or_default();
    let is_there = sightings.iter().any(|sighting| sighting.receipt.user_op_hash == operation.user_op_hash);
    inner.seen(sightings);
    is_there
}

/// The bundler gave it up. The chain has the last word, and a newer operation with its nonce is the likely reason.
pub(super) async fn give_up(inner: &Inner, operation: &Operation, reason: String) {
    let mut progress = operation.progress.subscribe();
    let mined = tokio::time::timeout(LAST_LOOK, progress.wait_for(|progress| progress.is_mined())).await.is_ok();
    if mined || operation.is_placed() {
        return;
    }
    operation.tell(match replacement(inner, operation) {
        Some(by) => UserOpUpdate::Replaced { by, transaction_hash: None },
        None => UserOpUpdate::Dropped { reason },
    });
}

/// A later operation of the same account with the same nonce, of those that this server knows.
pub(super) fn replacement(inner: &Inner, operation: &Operation) -> Option<B256> {
    let sent = operation.sent.get()?;
    let registry = inner.registry();
    let same_nonce = registry.by_nonce.get(&sent.place())?;
    let place = same_nonce.iter().position(|hash| *hash == operation.user_op_hash)?;
    same_nonce.get(place + 1..)?.last().copied()
}
