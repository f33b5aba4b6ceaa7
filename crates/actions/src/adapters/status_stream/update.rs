//! Lines of the status stream (`/api/fn/user_operation_status`), as a reader sees them.

use alloy::primitives::B256;
use use_aa_protocol::rpc::{RECONNECT, UserOpUpdate};

use crate::error::AppError;

/// Reads one line of the stream; `None` for a heartbeat and for [`RECONNECT`].
pub fn read_line(line: &str) -> Option<Result<UserOpUpdate, AppError>> {
    let line = line.trim();
    if line.is_empty() || line == RECONNECT {
        return None;
    }
    let unreadable =
        |error: serde_json::Error| AppError::Network { reason: format!("unreadable status line: {error}") };
    Some(match serde_json::from_str::<UserOpUpdate>(line) {
        Ok(update) => Ok(update),
        Err(error) => Err(serde_json::from_str::<AppError>(line).unwrap_or_else(|_| unreadable(error))),
    })
}

/// Takes a line of a stream of several operations (`/api/fn/user_operation_statuses`) apart: which one it is of, and the line
/// as the stream of that one alone would have it.
///
/// # Errors
/// `Network` for what is no such line.
pub fn read_named_line(line: &str) -> Result<(B256, String), AppError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        user_op_hash: B256,
        line: serde_json::Value,
    }
    match serde_json::from_str::<Named>(line) {
        Ok(named) => Ok((named.user_op_hash, named.line.to_string())),
        // The whole stream failed.
        Err(unreadable) => Err(serde_json::from_str::<AppError>(line)
            .unwrap_or_else(|_| AppError::Network { reason: format!("unreadable status line: {unreadable}") })),
    }
}
