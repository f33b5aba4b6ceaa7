//! The state of an operation, or of several, as a stream: one JSON object per line, pushed as it changes.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use alloy::primitives::B256;
use futures::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};

use super::{call_count::CallCount, events::Event, inner_error, metrics, state::ServerState};
use use_aa_actions::error::AppError;
use use_aa_protocol::rpc::{MOST_FOLLOWED, RECONNECT, UserOpUpdate};

/// Several operations over one stream have heartbeats together, no more often than this.
const HEARTBEATS_APART: Duration = Duration::from_secs(2);

/// Follows an operation: the lines to send. The first is the latest known state; the stream ends after a final update or
/// an error.
///
/// # Errors
/// `InvalidInput` for the zero hash; those of the watcher when it follows too many.
pub fn lines(state: &ServerState, user_op_hash: B256) -> Result<impl Stream<Item = String> + Send + 'static, AppError> {
    if user_op_hash.is_zero() {
        return Err(AppError::invalid("user_op_hash", "the hash of a user operation", user_op_hash));
    }
    let events = counted(state.watcher().subscribe(user_op_hash)?);
    Ok(events.map(|event| text(&event).map_or_else(|quiet| quiet, |json| ascii(&json))))
}

/// Follows several operations over one stream: each line says of which one it is. It ends when all of them have; one that
/// cannot be followed has an error for its only line. Beyond the first one, those that the server has to begin to follow are
/// `counted` as calls.
///
/// # Errors
/// `InvalidInput` for no hash, too many, or the zero hash.
pub fn lines_of_several(
    state: &ServerState,
    mut user_op_hashes: Vec<B256>,
    calls: Option<&CallCount>,
) -> Result<impl Stream<Item = String> + Send + 'static, AppError> {
    if user_op_hashes.is_empty() || user_op_hashes.len() > MOST_FOLLOWED || user_op_hashes.iter().any(B256::is_zero) {
        let expected = format!("1 to {MOST_FOLLOWED} hashes of user operations");
        return Err(AppError::invalid("user_op_hashes", expected, user_op_hashes.len()));
    }
    user_op_hashes.sort_unstable();
    user_op_hashes.dedup();
    let mut begun = 0;
    let streams: Vec<_> = user_op_hashes.into_iter().map(|hash| named(state, hash, calls, &mut begun)).collect();
    let (mut told, mut stopping) = (Instant::now(), false);
    // Each of them has heartbeats, and a word that the server stops: one is enough.
    Ok(stream::select_all(streams)
        .take_while(move |(_, event)| {
            let goes_on = !stopping;
            stopping |= *event == Event::Reconnect;
            std::future::ready(goes_on)
        })
        .filter_map(move |(hash, event)| {
            let line = match text(&event) {
                Ok(json) => Some(ascii(&format!(r#"{{"userOpHash":"{hash}","line":{json}}}"#))),
                Err(_) if event == Event::Heartbeat && told.elapsed() < HEARTBEATS_APART => None,
                Err(quiet) => Some(quiet),
            };
            if line.is_some() {
                told = Instant::now();
            }
            std::future::ready(line)
        }))
}

/// What happens to one of several.
fn named(
    state: &ServerState,
    hash: B256,
    calls: Option<&CallCount>,
    begun: &mut usize,
) -> BoxStream<'static, (B256, Event)> {
    let mut subscribe = || {
        if !state.watcher().follows(hash) {
            *begun += 1;
            let counted = if *begun > 1 { calls.map_or(Ok(()), CallCount::take) } else { Ok(()) };
            if let Err(too_many) = counted {
                metrics::rate_limited(too_many.scope);
                let seconds = too_many.wait.as_secs().max(1);
                return Err(AppError::RateLimited { scope: too_many.scope.to_owned(), seconds });
            }
        }
        state.watcher().subscribe(hash)
    };
    match subscribe() {
        Ok(events) => counted(events).map(move |event| (hash, event)).boxed(),
        Err(error) => stream::once(async move { (hash, Event::Failed(error)) }).boxed(),
    }
}

/// The same events; metrics hear how the wait ended.
fn counted(events: impl Stream<Item = Event> + Send + 'static) -> impl Stream<Item = Event> + Send + 'static {
    let mut wait = metrics::Wait::begin();
    events.inspect(move |event| wait.told(outcome(event)))
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

/// An event as JSON; the whole line of one that says nothing of an operation.
fn text(event: &Event) -> Result<String, String> {
    let json = match event {
        Event::Heartbeat => return Err("\n".to_owned()),
        Event::Reconnect => return Err(format!("{RECONNECT}\n")),
        Event::Update(update) => serde_json::to_string(update),
        Event::Failed(error) => serde_json::to_string(error),
    };
    Ok(json.unwrap_or_else(|error| {
        let reason = inner_error::logged("writing a status", &error);
        serde_json::json!({"error": "Internal", "reason": reason}).to_string()
    }))
}

/// A line, newline included. Pure ASCII, so that a chunk may end anywhere.
fn ascii(json: &str) -> String {
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

    fn line(event: &Event) -> String {
        text(event).map_or_else(|quiet| quiet, |json| ascii(&json))
    }

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
