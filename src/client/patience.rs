//! How long the page waits for its server.

use futures::future::{Either, select};

use super::time::sleep;
use crate::error::AppError;

/// The server gives each upstream its own, shorter time. Milliseconds.
const PATIENCE: u64 = 30_000;

/// The answer, or an error when the server takes too long: a page must not hang on a dead connection.
pub(super) async fn in_time<T>(call: impl Future<Output = Result<T, AppError>>) -> Result<T, AppError> {
    within(PATIENCE, call).await
}

/// As [`in_time`], with a limit in milliseconds.
pub(super) async fn within<T>(patience: u64, call: impl Future<Output = Result<T, AppError>>) -> Result<T, AppError> {
    match select(Box::pin(call), Box::pin(sleep(patience))).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => Err(AppError::Network { reason: format!("no answer within {} s", patience / 1_000) }),
    }
}
