//! Follows an operation to its receipt.

use alloy::primitives::B256;
use futures::StreamExt;
use web_time::Instant;

use super::ports::Relay;
use crate::error::AppError;
use use_aa_protocol::rpc::{UserOpReceipt, UserOpUpdate};

/// Waits until the operation is final; `on_update` hears every step, the final one included.
///
/// Needs no owner and no wallet (docs/protocol.md 10-U8). May be called again for the same hash at any time,
/// for instance after a reload.
///
/// # Errors
/// `InvalidInput` for an answer without an operation. `UserOpReverted` and `UserOpDropped` are final. `WaitTimedOut` when the relay stopped telling;
/// those of the [`Relay`] otherwise. After these the operation may still be included.
pub async fn wait_for_user_operation_receipt(
    relay: &dyn Relay,
    user_op_hash: B256,
    mut on_update: impl FnMut(&UserOpUpdate),
) -> Result<UserOpReceipt, AppError> {
    if user_op_hash.is_zero() {
        return Err(AppError::invalid("userOpHash", "that of an operation", "none: nothing was sent"));
    }
    let started = Instant::now();
    let mut updates = relay.watch(user_op_hash);
    while let Some(update) = updates.next().await {
        let update = update?;
        on_update(&update);
        match update {
            UserOpUpdate::Confirmed { receipt } => return Ok(receipt),
            UserOpUpdate::Reverted { receipt } => {
                let reason = receipt.reason.unwrap_or_else(|| "no reason given".into());
                return Err(AppError::UserOpReverted { user_op_hash, reason });
            }
            UserOpUpdate::Dropped { reason } => return Err(AppError::UserOpDropped { user_op_hash, reason }),
            UserOpUpdate::Replaced { by, .. } => {
                let reason = format!("operation {by} with the same nonce took its place");
                return Err(AppError::UserOpDropped { user_op_hash, reason });
            }
            UserOpUpdate::Submitted
            | UserOpUpdate::Stuck { .. }
            | UserOpUpdate::Bundled { .. }
            | UserOpUpdate::Included { .. } => {}
        }
    }
    Err(AppError::WaitTimedOut { user_op_hash, seconds: started.elapsed().as_secs() })
}
