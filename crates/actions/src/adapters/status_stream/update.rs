//! Lines of the status stream (`/api/fn/user_operation_status`), as a reader sees them.

use alloy::primitives::B256;
use serde_json::Value;
use use_aa_protocol::rpc::{RECONNECT, UserOpUpdate};

use crate::error::AppError;

/// Reads one line of the stream; `None` for a heartbeat, for [`RECONNECT`], and for a state that only a newer server knows:
/// the next one is waited for.
pub fn read_line(line: &str) -> Option<Result<UserOpUpdate, AppError>> {
    let line = line.trim();
    if line.is_empty() || line == RECONNECT {
        return None;
    }
    let unreadable = match serde_json::from_str::<UserOpUpdate>(line) {
        Ok(update) => return Some(Ok(update)),
        Err(error) => error,
    };
    match serde_json::from_str::<AppError>(line) {
        Ok(told) => Some(Err(told)),
        Err(_) if is_new(line) => None,
        Err(_) => Some(Err(AppError::Network { reason: format!("unreadable status line: {unreadable}") })),
    }
}

fn is_new(line: &str) -> bool {
    let value = serde_json::from_str::<Value>(line).unwrap_or_default();
    value.get("status").and_then(Value::as_str).is_some_and(|status| !UserOpUpdate::WIRE_NAMES.contains(&status))
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
        line: Value,
    }
    match serde_json::from_str::<Named>(line) {
        Ok(named) => Ok((named.user_op_hash, named.line.to_string())),
        // The whole stream failed.
        Err(unreadable) => Err(serde_json::from_str::<AppError>(line)
            .unwrap_or_else(|_| AppError::Network { reason: format!("unreadable status line: {unreadable}") })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_newer_servers_are_passed_over_and_no_others() {
        assert_eq!(read_line(r#"{"status":"pondered","since":7}"#), None);
        assert_eq!(read_line(r#"{"status":"submitted","since":7}"#), Some(Ok(UserOpUpdate::Submitted)));
        assert_eq!(read_line(r#"{"status":"pondered","error":"NoSmartAccount"}"#), Some(Err(AppError::NoSmartAccount)));
        for line in [r#"{"status":"bundled"}"#, r#"{"status":7}"#, r#"{"state":"pondered"}"#, r#""pondered""#, "{"] {
            assert!(matches!(read_line(line), Some(Err(AppError::Network { .. }))), "{line}");
        }
    }
}
