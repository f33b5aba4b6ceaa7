//! Follows an operation over a stream that may be cut: reconnects by itself until the final update.

use std::{future::Future, pin::Pin};

use futures::{
    Stream, StreamExt,
    future::{Either, select},
    stream::{self, LocalBoxStream},
};

use super::{super::timer::sleep, lines::Lines, read_line};
use crate::error::AppError;
use use_aa_protocol::rpc::{RECONNECT, UserOpUpdate};

/// Text of one connection.
pub type TextStream = Pin<Box<dyn Stream<Item = Result<String, AppError>>>>;

/// First wait before reconnecting, milliseconds; doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: u64 = 250;
/// Longest wait between two attempts, milliseconds.
const LONGEST_WAIT: u64 = 10_000;
/// A stream that is silent for this long is dead, whatever the browser thinks: the server sends an empty line every
/// three seconds. Milliseconds.
const LONGEST_SILENCE: u64 = 15_000;
/// After this many attempts in a row that brought no update the last error is told and watching ends
/// (about five minutes).
const MOST_FAILURES: u32 = 36;

/// Updates of one operation. `connect` opens the stream; `jitter` gives a number in 0..1 for each wait, so that
/// many pages do not come back in the same moment after a restart of the server. Nothing is lost by a cut: each connection
/// begins with the latest state.
pub fn watch<C, F>(
    connect: C,
    jitter: impl Fn() -> f64 + 'static,
) -> LocalBoxStream<'static, Result<UserOpUpdate, AppError>>
where
    C: Fn() -> F + 'static,
    F: Future<Output = Result<TextStream, AppError>> + 'static,
{
    let watcher = Watcher { connect, jitter, open: None, failures: 0, queue: Vec::new(), last: None, ended: false };
    stream::unfold(watcher, |mut watcher| async move { watcher.next().await.map(|item| (item, watcher)) }).boxed_local()
}

struct Watcher<C, J> {
    connect: C,
    jitter: J,
    open: Option<Connection>,
    failures: u32,
    /// Lines read and not handed on yet, last first.
    queue: Vec<String>,
    last: Option<UserOpUpdate>,
    ended: bool,
}

/// An open stream.
struct Connection {
    stream: TextStream,
    lines: Lines,
}

impl<C, F, J> Watcher<C, J>
where
    C: Fn() -> F,
    F: Future<Output = Result<TextStream, AppError>>,
    J: Fn() -> f64,
{
    async fn next(&mut self) -> Option<Result<UserOpUpdate, AppError>> {
        while !self.ended {
            if let Some(line) = self.queue.pop() {
                if line == RECONNECT {
                    self.queue.clear();
                    self.open = None;
                    if let Some(fatal) = self.sent_elsewhere().await {
                        return Some(Err(fatal));
                    }
                    continue;
                }
                match read_line(&line) {
                    None => {}
                    // Each connection repeats the latest state first.
                    Some(Ok(update)) if self.last.as_ref() == Some(&update) => self.failures = 0,
                    Some(Ok(update)) => {
                        self.failures = 0;
                        self.ended = update.is_final();
                        self.last = Some(update.clone());
                        return Some(Ok(update));
                    }
                    Some(Err(error)) => {
                        self.queue.clear();
                        self.open = None;
                        if let Some(fatal) = self.failed(error).await {
                            return Some(Err(fatal));
                        }
                    }
                }
                continue;
            }
            if let Err(error) = self.read_on().await {
                self.open = None;
                if let Some(fatal) = self.failed(error).await {
                    return Some(Err(fatal));
                }
            }
        }
        None
    }

    /// Connects if need be and reads one piece.
    async fn read_on(&mut self) -> Result<(), AppError> {
        let Some(open) = &mut self.open else {
            let stream = (self.connect)().await?;
            self.open = Some(Connection { stream, lines: Lines::default() });
            return Ok(());
        };
        let piece = match select(open.stream.next(), Box::pin(sleep(LONGEST_SILENCE))).await {
            Either::Left((piece, _)) => piece,
            Either::Right(_) => return Err(cut()),
        };
        match piece {
            Some(piece) => {
                self.queue = open.lines.push(&piece?)?;
                self.queue.reverse();
                Ok(())
            }
            None => {
                let rest = self.open.take().and_then(|open| open.lines.finish());
                self.queue.extend(rest);
                if self.queue.is_empty() { Err(cut()) } else { Ok(()) }
            }
        }
    }

    /// The server is stopping, another one is there: at once, but not all pages in the same moment. A server that says
    /// so again and again is one that fails.
    async fn sent_elsewhere(&mut self) -> Option<AppError> {
        if self.failures > 0 {
            return self.failed(cut()).await;
        }
        self.failures += 1;
        sleep(pause_after(0, (self.jitter)())).await;
        None
    }

    /// Waits before the next attempt, or says that there will be none.
    async fn failed(&mut self, error: AppError) -> Option<AppError> {
        self.failures += 1;
        if !worth_another_try(&error) || self.failures > MOST_FAILURES {
            self.ended = true;
            return Some(error);
        }
        sleep(pause_after(self.failures, (self.jitter)())).await;
        None
    }
}

/// How long to wait, milliseconds, after so many failures in a row: longer and longer, and some part of it by chance. After
/// none: another server is there.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn pause_after(failures: u32, chance: f64) -> u64 {
    let part = |wait: u64| (wait as f64 * chance.clamp(0.0, 1.0)) as u64;
    if failures == 0 {
        return part(FIRST_WAIT);
    }
    let wait = (FIRST_WAIT << failures.min(7)).min(LONGEST_WAIT) / 2;
    wait / 2 + part(wait)
}

pub(super) fn cut() -> AppError {
    AppError::Network { reason: "the status stream ended early".into() }
}

/// What waiting can mend: a lost connection, a restarting server, an upstream that is down for a moment, too many requests.
pub(super) fn worth_another_try(error: &AppError) -> bool {
    matches!(error, AppError::Network { .. } | AppError::UpstreamUnavailable { .. } | AppError::RateLimited { .. })
}

#[cfg(all(test, feature = "native"))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::{cell::RefCell, rc::Rc};

    use alloy::primitives::B256;

    use super::*;

    const SUBMITTED: &str = "{\"status\":\"submitted\"}\n";
    const DROPPED: &str = "{\"status\":\"dropped\",\"reason\":\"too cheap\"}";

    fn bundled() -> String {
        format!("{{\"status\":\"bundled\",\"transactionHash\":\"{}\"}}\n", B256::repeat_byte(1))
    }

    /// Connections that answer with these pieces, one after the other.
    async fn run(
        connections: Vec<Result<Vec<Result<String, AppError>>, AppError>>,
    ) -> Vec<Result<UserOpUpdate, AppError>> {
        let connections = Rc::new(RefCell::new(connections.into_iter()));
        let open = move || {
            let next = connections.borrow_mut().next().expect("no connection after the end");
            async move { next.map(|pieces| Box::pin(stream::iter(pieces)) as TextStream) }
        };
        watch(open, || 0.5).collect().await
    }

    fn ok(pieces: &[&str]) -> Result<Vec<Result<String, AppError>>, AppError> {
        Ok(pieces.iter().map(|piece| Ok((*piece).to_owned())).collect())
    }

    fn lost() -> AppError {
        AppError::Network { reason: "cut".into() }
    }

    #[tokio::test(start_paused = true)]
    async fn goes_on_after_cuts_and_tells_nothing_twice() {
        let bundled = bundled();
        let updates = run(vec![
            Err(lost()),
            ok(&[SUBMITTED, "{\"status\":\"pondered\"}\n", &bundled[..20]]),
            Ok(vec![Ok(SUBMITTED.into()), Err(lost())]),
            ok(&[&bundled, "not json\n"]),
            ok(&[&bundled[..5], &bundled[5..], "\n", DROPPED]),
        ])
        .await;
        assert_eq!(
            updates,
            [
                Ok(UserOpUpdate::Submitted),
                Ok(UserOpUpdate::Bundled { transaction_hash: B256::repeat_byte(1) }),
                Ok(UserOpUpdate::Dropped { reason: "too cheap".into() }),
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_sends_the_page_elsewhere_at_once() {
        let reconnect = format!("{RECONNECT}\n");
        let begun = tokio::time::Instant::now();
        let updates = run(vec![ok(&[SUBMITTED, "\n", &reconnect]), ok(&[SUBMITTED, DROPPED])]).await;
        assert_eq!(updates.len(), 2, "nothing is told twice: {updates:?}");
        assert!(begun.elapsed() <= std::time::Duration::from_millis(FIRST_WAIT), "{:?}", begun.elapsed());
        // One that sends everybody away does not make pages ask without end.
        let begun = tokio::time::Instant::now();
        let attempts = usize::try_from(MOST_FAILURES).unwrap() + 1;
        assert_eq!(run(vec![ok(&[&reconnect]); attempts]).await, [Err(cut())]);
        assert!(begun.elapsed() > std::time::Duration::from_secs(60), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_is_given_up() {
        let connections = Rc::new(RefCell::new(0));
        let counter = Rc::clone(&connections);
        let open = move || {
            *counter.borrow_mut() += 1;
            let first = *counter.borrow() == 1;
            async move {
                let rest = if first { stream::pending().boxed_local() } else { stream::empty().boxed_local() };
                let news = if first { SUBMITTED } else { DROPPED };
                Ok(Box::pin(stream::iter([Ok(news.to_owned())]).chain(rest)) as TextStream)
            }
        };
        let updates: Vec<_> = watch(open, || 0.5).collect().await;
        assert_eq!((updates.len(), *connections.borrow()), (2, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn ends_with_what_waiting_cannot_mend() {
        let refused = AppError::invalid("user_op_hash", "32 bytes", "0x");
        assert_eq!(run(vec![Err(refused.clone())]).await, [Err(refused.clone())]);
        let line = serde_json::to_string(&refused).unwrap();
        assert_eq!(run(vec![ok(&[SUBMITTED, &line])]).await, [Ok(UserOpUpdate::Submitted), Err(refused)]);
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_after_minutes_without_a_server() {
        let attempts = usize::try_from(MOST_FAILURES).unwrap() + 1;
        assert_eq!(run(vec![Err(lost()); attempts]).await, [Err(lost())]);
    }
}
