//! What became of one operation, asked once: for pages that are read and not followed.
//!
//! Each look-up costs a few requests at most, and those for the same hash are one. What could not be asked is an error:
//! only where chain and bundler both answered an operation is said to be unknown.

use std::{net::IpAddr, time::Duration};

use alloy::primitives::B256;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::{
    bundler::BundlerStatus,
    logs::Reading,
    operation_answers::LookedUp,
    receipt::{self, Sighting},
    state::ServerState,
};
use use_aa_actions::error::{AppError, Upstream};
use use_aa_protocol::{
    foreign_text,
    rpc::{UserOpReceipt, UserOpUpdate},
};

/// How far back the logs are read, blocks: many nodes take so many at once. Bundlers know older operations, too.
const LOOK_BACK: u64 = 9_990;
/// Where a node takes fewer blocks at once, most requests for the logs of one look-up.
const MOST_PARTS: u64 = 20;
/// So long one look-up may take, upstreams that hang and those that are asked in their place together.
const LONGEST: Duration = Duration::from_secs(12);

/// Where an operation stands now. One `caller` may have two looked up at the same time.
///
/// # Errors
/// `InvalidInput` for the zero hash; `UserOpNotFound`; `UserOpUntold` where no bundler can say; `RateLimited` and `Busy` when
/// too many are looked up; those of chain node and bundler.
pub async fn look_up(
    state: &ServerState,
    user_op_hash: B256,
    caller: Option<IpAddr>,
) -> Result<UserOpUpdate, AppError> {
    if user_op_hash.is_zero() {
        return Err(AppError::invalid("user_op_hash", "the hash of a user operation", user_op_hash));
    }
    if let Some(update) = state.watcher().told(user_op_hash) {
        return Ok(update);
    }
    let lately = state.operation_answers();
    let found = match lately.answers.kept(&user_op_hash).await {
        Some(found) => found,
        None => {
            // Outside of what is asked once for all who ask it: nobody is refused for what another caller has under way.
            let _place = match caller {
                Some(caller) => Some(lately.place(caller).await?),
                None => None,
            };
            let ask = async {
                let _turn = lately.turn().await?;
                ask(state, user_op_hash).await
            };
            lately.answers.get(user_op_hash, ask).await?
        }
    };
    match found {
        LookedUp::Known(update) => Ok(*update),
        LookedUp::Unknown(blocks) => Err(AppError::UserOpNotFound { user_op_hash, blocks }),
        LookedUp::Untold(blocks) => Err(AppError::UserOpUntold { user_op_hash, blocks }),
    }
}

async fn ask(state: &ServerState, user_op_hash: B256) -> Result<LookedUp, AppError> {
    let end = Instant::now() + LONGEST;
    let seen = in_time(end, Upstream::Node, seen_in_blocks(state, user_op_hash));
    let told = in_time(end, Upstream::Bundler, state.bundler().status(user_op_hash));
    let (seen, told) = tokio::join!(seen, told);
    let read = match seen {
        Ok(Read { found: Some(update), .. }) => return Ok(LookedUp::Known(Box::new(update))),
        Ok(read) => Ok(read),
        Err(error) => Err(error),
    };
    // A bundler's word is no confirmation: the chain is asked for the transaction that it names.
    let update = match told? {
        BundlerStatus::Unknown => return read.map(|read| LookedUp::Unknown(read.is_short.then_some(read.blocks))),
        // One that has no method to tell leaves it to the chain, which may have it in an older block, or not yet.
        BundlerStatus::UnknownToThoseAsked(Some(error)) => return Err(error),
        BundlerStatus::UnknownToThoseAsked(None) | BundlerStatus::Silent => {
            return read.map(|read| LookedUp::Untold(read.blocks));
        }
        BundlerStatus::Waiting => UserOpUpdate::Submitted,
        BundlerStatus::Bundled(transaction_hash) => {
            in_time(end, Upstream::Node, in_transaction(state, user_op_hash, transaction_hash)).await?
        }
        BundlerStatus::Done(receipt) => {
            in_time(end, Upstream::Node, in_transaction(state, user_op_hash, receipt.transaction_hash)).await?
        }
        BundlerStatus::Dropped { reason, transaction_hash } => {
            let mined = match transaction_hash {
                Some(transaction_hash) => {
                    in_time(end, Upstream::Node, mined_in(state, user_op_hash, transaction_hash)).await?
                }
                None => None,
            };
            mined.unwrap_or_else(|| UserOpUpdate::Dropped { reason: foreign_text::message(&reason) })
        }
    };
    Ok(LookedUp::Known(Box::new(update)))
}

/// Whoever waits is told in time, and others get the turn.
async fn in_time<T>(
    end: Instant,
    upstream: Upstream,
    ask: impl Future<Output = Result<T, AppError>>,
) -> Result<T, AppError> {
    let late = |_| AppError::UpstreamUnavailable { upstream, reason: format!("no answer within {LONGEST:?}") };
    timeout_at(end, ask).await.map_err(late)?
}

/// What the latest blocks say.
struct Read {
    found: Option<UserOpUpdate>,
    /// So many were read,
    blocks: u64,
    /// which is fewer than most nodes give.
    is_short: bool,
}

/// What the entry point's events of the latest blocks say.
async fn seen_in_blocks(state: &ServerState, user_op_hash: B256) -> Result<Read, AppError> {
    let node = state.node();
    let back = LOOK_BACK.min(node.longest_logs().saturating_mul(MOST_PARTS));
    let from_block = node.height().await?.saturating_sub(back);
    let topics = json!([receipt::topics(), [user_op_hash]]);
    let (head, logs) = node.head_and_logs(from_block, receipt::entry_points(), &[topics], Reading::Counting).await?;
    let of_it = |sighting: &Sighting| sighting.receipt.user_op_hash == user_op_hash;
    let found = receipt::sightings(&logs?).into_iter().find(of_it);
    Ok(Read {
        found: found.map(|sighting| mined(state, head, sighting.receipt)),
        blocks: head.saturating_sub(from_block).saturating_add(1),
        is_short: back < LOOK_BACK && from_block > 0,
    })
}

/// In a transaction that a bundler names, mined or not.
async fn in_transaction(
    state: &ServerState,
    user_op_hash: B256,
    transaction_hash: B256,
) -> Result<UserOpUpdate, AppError> {
    let mined = mined_in(state, user_op_hash, transaction_hash).await?;
    Ok(mined.unwrap_or(UserOpUpdate::Bundled { transaction_hash }))
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
