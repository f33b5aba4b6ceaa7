//! The state of an operation as a stream: one JSON object per line, pushed as it changes.

use std::fmt::Write;

use alloy::primitives::B256;
use futures::{Stream, StreamExt};

use super::{events::Event, inner_error, metrics, state::ServerState};
use use_aa_actions::error::AppError;
use use_aa_protocol::rpc::{RECONNECT, UserOpUpdate};

/// Follows an operation: the lines to send. The first is the latest known state; the stream ends after a final update or
/// an error.
///
/// # Errors
/// `InvalidInput` for the zero hash; those of the watcher when it follows too many.
pub fn lines(state: &ServerState, user_op_hash: B256) -> Result<impl Stream<Item = String> + Send + 'static, AppError> {
    if user_op_hash.is_zero() {
        return Err(AppError::invalid("user_op_hash", "the hash of a user operation", user_op_hash));
    }
    let events = state.watcher().subscribe(user_op_hash)?;
    let mut wait = metrics::Wait::begin();
    Ok(events.map(move |event| {
        wait.told(outcome(&event));
        line(&event)
    }))
}

/// What a stream that ends with this event has told, for the metrics.
fn outcome(event: &Event) -> &'static str {
    match event {
        Event::Update(UserOpUpdate::Confirmed { .. }) => "confirmed",
        Event::Update(UserOpUpdate::Reverted { .. }) => "reverted",
        Event::Update(UserOpUpdate::Dropped { .. }) => "dropped",
        Event::Failed(_) => "failed",
        // Nothing final yet: whoever waited has left, or the server is stopping.
        _ => "left",
    }
}

/// The line for an event, newline included. Pure ASCII, so that a chunk may end anywhere.
fn line(event: &Event) -> String {
    let json = match event {
        Event::Heartbeat => return "\n".to_owned(),
        Event::Reconnect => return format!("{RECONNECT}\n"),
        Event::Update(update) => serde_json::to_string(update),
        Event::Failed(error) => serde_json::to_string(error),
    };
    let json = json.unwrap_or_else(|error| {
        let reason = inner_error::logged("writing a status", &error);
        serde_json::json!({"error": "Internal", "reason": reason}).to_string()
    });
    let mut line = String::with_capacity(json.len() + 1);
    for character in json.chars() {
        if character.is_ascii() {
            line.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(line, "\\u{unit:04x}");
            }
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use use_aa_actions::adapters::status_stream::read_line;
    use use_aa_actions::error::AppError;
    use use_aa_protocol::rpc::UserOpUpdate;

    #[test]
    fn lines_read_back() {
        let update = UserOpUpdate::Dropped { reason: "zu teuer: 5 € 🦀\n".into() };
        let text = line(&Event::Update(update.clone()));
        assert!(text.is_ascii() && text.ends_with('\n') && text.matches('\n').count() == 1, "{text}");
        assert_eq!(read_line(&text), Some(Ok(update)));
        let error = AppError::WaitTimedOut { user_op_hash: Default::default(), seconds: 60 };
        assert_eq!(read_line(&line(&Event::Failed(error.clone()))), Some(Err(error)));
        assert_eq!(read_line(&line(&Event::Heartbeat)), None);
        assert_eq!(read_line(&line(&Event::Reconnect)), None);
        assert!(matches!(read_line("{"), Some(Err(AppError::Network { .. }))));
    }
}
