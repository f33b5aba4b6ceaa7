//! How long the page waits for its server.

use futures::future::{LocalBoxFuture, select};

use super::time::sleep;
use crate::error::AppError;

/// The server gives each upstream its own, shorter time. Milliseconds.
const PATIENCE: u64 = 30_000;

/// The answer, or an error when the server takes too long: a page must not hang on a dead connection.
pub(super) async fn in_time<T>(call: impl Future<Output = Result<T, AppError>>) -> Result<T, AppError> {
    within(PATIENCE, call).await
}

/// As [`in_time`], with a limit in milliseconds. What differs from call to call is little code: there are many.
pub(super) async fn within<T>(patience: u64, call: impl Future<Output = Result<T, AppError>>) -> Result<T, AppError> {
    let mut answer = None;
    race(patience, Box::pin(async { answer = Some(call.await) })).await;
    answer.unwrap_or_else(|| Err(too_late(patience)))
}

/// Until the work is done or the time is over.
async fn race(patience: u64, work: LocalBoxFuture<'_, ()>) {
    select(work, Box::pin(sleep(patience))).await;
}

#[cold]
fn too_late(patience: u64) -> AppError {
    AppError::Network { reason: format!("no answer within {} s", patience / 1_000) }
}
