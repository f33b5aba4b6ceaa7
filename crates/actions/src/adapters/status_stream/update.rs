//! Lines of the status stream (`/api/fn/user_operation_status`), as a reader sees them.

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
