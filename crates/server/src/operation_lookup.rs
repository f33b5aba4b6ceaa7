//! What became of one operation, asked once: for pages that are read and not followed.
//!
//! Each look-up costs a few requests at most, and those for the same hash are one. What could not be asked is an error:
//! only where chain and bundler both answered an operation is said to be unknown.

use alloy::primitives::B256;
use serde_json::json;

use super::{
    bundler::BundlerStatus,
    logs::Reading,
    receipt::{self, Sighting},
    state::ServerState,
};
use use_aa_actions::error::AppError;
use use_aa_protocol::{
    addresses::ENTRY_POINT,
    foreign_text,
    rpc::{UserOpReceipt, UserOpUpdate},
};

/// How far back the logs are read, blocks: many nodes take so many at once. Bundlers know older operations, too.
const LOOK_BACK: u64 = 9_990;
/// Where a node takes fewer blocks at once, most requests for the logs of one look-up.
const MOST_PARTS: u64 = 20;

/// Where an operation stands now.
///
/// # Errors
/// `InvalidInput` for the zero hash; `UserOpNotFound`; those of chain node and bundler.
pub async fn look_up(state: &ServerState, user_op_hash: B256) -> Result<UserOpUpdate, AppError> {
    if user_op_hash.is_zero() {
        return Err(AppError::invalid("user_op_hash", "the hash of a user operation", user_op_hash));
    }
    if let Some(update) = state.watcher().told(user_op_hash) {
        return Ok(update);
    }
    let lately = state.operation_answers();
    let ask = async {
        let busy = |_| AppError::Internal { reason: "the server is stopping".into() };
        let _turn = lately.turns.acquire().await.map_err(busy)?;
        ask(state, user_op_hash).await
    };
    let found = lately.answers.get(user_op_hash, ask).await?;
    found.ok_or(AppError::UserOpNotFound { user_op_hash })
}

async fn ask(state: &ServerState, user_op_hash: B256) -> Result<Option<UserOpUpdate>, AppError> {
    let (seen, told) = tokio::join!(seen_in_blocks(state, user_op_hash), state.bundler().status(user_op_hash));
    let not_seen = match seen {
        Ok(Some(update)) => return Ok(Some(update)),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    // A bundler's word is no confirmation: the chain is asked for the transaction that it names.
    match told? {
        // One that has no method to tell leaves it to the chain.
        BundlerStatus::UnknownToThoseAsked(Some(error)) => Err(error),
        BundlerStatus::Unknown | BundlerStatus::UnknownToThoseAsked(None) | BundlerStatus::Silent => not_seen,
        BundlerStatus::Waiting => Ok(Some(UserOpUpdate::Submitted)),
        BundlerStatus::Bundled(transaction_hash) => in_transaction(state, user_op_hash, transaction_hash).await,
        BundlerStatus::Done(receipt) => in_transaction(state, user_op_hash, receipt.transaction_hash).await,
        BundlerStatus::Dropped { reason, transaction_hash } => {
            let mined = match transaction_hash {
                Some(transaction_hash) => mined_in(state, user_op_hash, transaction_hash).await?,
                None => None,
            };
            Ok(mined.or_else(|| Some(UserOpUpdate::Dropped { reason: foreign_text::message(&reason) })))
        }
    }
}

/// What the entry point's events of the latest blocks say.
async fn seen_in_blocks(state: &ServerState, user_op_hash: B256) -> Result<Option<UserOpUpdate>, AppError> {
    let node = state.node();
    let back = LOOK_BACK.min(node.longest_logs().saturating_mul(MOST_PARTS));
    let from_block = node.height().await?.saturating_sub(back);
    let topics = json!([receipt::topics(), [user_op_hash]]);
    let (head, logs) = node.head_and_logs(from_block, ENTRY_POINT, &[topics], Reading::Counting).await?;
    let of_it = |sighting: &Sighting| sighting.receipt.user_op_hash == user_op_hash;
    let found = receipt::sightings(&logs?).into_iter().find(of_it);
    Ok(found.map(|sighting| mined(state, head, sighting.receipt)))
}

/// In a transaction that a bundler names, mined or not.
async fn in_transaction(
    state: &ServerState,
    user_op_hash: B256,
    transaction_hash: B256,
) -> Result<Option<UserOpUpdate>, AppError> {
    let mined = mined_in(state, user_op_hash, transaction_hash).await?;
    Ok(mined.or(Some(UserOpUpdate::Bundled { transaction_hash })))
}

async fn mined_in(
    state: &ServerState,
    user_op_hash: B256,
    transaction_hash: B256,
) -> Result<Option<UserOpUpdate>, AppError> {
    let Some(found) = state.node().transaction_receipt(transaction_hash).await? else { return Ok(None) };
    let sightings = receipt::sightings_in_transaction(transaction_hash, &found);
    let Some(seen) = sightings.into_iter().find(|seen| seen.receipt.user_op_hash == user_op_hash) else {
        return Ok(None);
    };
    Ok(Some(mined(state, state.node().height().await?, seen.receipt)))
}

/// In a block, final when that is deep enough.
fn mined(state: &ServerState, head: u64, receipt: UserOpReceipt) -> UserOpUpdate {
    let (transaction_hash, block_number) = (receipt.transaction_hash, receipt.block_number);
    let depth = head.saturating_sub(block_number).saturating_add(1);
    match (depth >= state.config().confirmations, receipt.success) {
        (false, _) => UserOpUpdate::Included { transaction_hash, block_number },
        (true, true) => UserOpUpdate::Confirmed { receipt },
        (true, false) => UserOpUpdate::Reverted { receipt },
    }
}
