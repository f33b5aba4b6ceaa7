//! The state of an operation as a stream: one JSON object per line, pushed as it changes.

use alloy::primitives::B256;
use leptos::{
    server,
    server_fn::codec::{StreamingText, TextStream},
};

use super::call::Call;
use crate::{
    error::AppError,
    protocol::rpc::{RECONNECT, UserOpUpdate},
};

/// Follows an operation. Each line is a [`UserOpUpdate`] or an [`AppError`] as JSON (see [`read_line`]);
/// the first line is the latest known state, empty lines are heartbeats. The stream ends after a final
/// update or an error. Call it again when it ends early: nothing is lost. A server that stops ends it with
/// [`RECONNECT`].
#[server(protocol = Call<StreamingText>, prefix = "/api/fn", endpoint = "user_operation_status")]
pub async fn user_operation_status(user_op_hash: B256) -> Result<TextStream<AppError>, AppError> {
    use futures::StreamExt;
    if user_op_hash.is_zero() {
        return Err(AppError::invalid("user_op_hash", "the hash of a user operation", user_op_hash));
    }
    let events = super::state::server_state()?.watcher().subscribe(user_op_hash)?;
    let mut wait = super::metrics::Wait::new();
    Ok(TextStream::new(events.map(move |event| {
        wait.told(ssr::outcome(&event));
        Ok(ssr::line(&event))
    })))
}

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

#[cfg(feature = "ssr")]
mod ssr {
    use std::fmt::Write;

    use super::super::events::Event;
    use crate::protocol::rpc::{RECONNECT, UserOpUpdate};

    /// What a stream that ends with this event has told, for the metrics.
    pub(super) fn outcome(event: &Event) -> &'static str {
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
    pub(super) fn line(event: &Event) -> String {
        let json = match event {
            Event::Heartbeat => return "\n".to_owned(),
            Event::Reconnect => return format!("{RECONNECT}\n"),
            Event::Update(update) => serde_json::to_string(update),
            Event::Failed(error) => serde_json::to_string(error),
        };
        let json = json
            .unwrap_or_else(|error| serde_json::json!({"error": "Internal", "reason": error.to_string()}).to_string());
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
        use super::{super::read_line, *};
        use crate::{error::AppError, protocol::rpc::UserOpUpdate};

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
}
