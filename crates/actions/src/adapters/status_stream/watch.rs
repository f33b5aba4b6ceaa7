//! Follows an operation over a stream that may be cut: reconnects by itself until the final update.

use std::{future::Future, pin::Pin};

use futures::{
    Stream, StreamExt,
    future::{Either, select},
    stream::{self, LocalBoxStream},
};

use super::{
    super::timer::sleep,
    lines::Lines,
    permits::{Permit, Permits},
};
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
/// Pieces (heartbeats, mostly) that a stream may bring while another one waits for its permit: some nine seconds.
const PIECES_PER_PERMIT: u32 = 3;

/// Updates of one operation. `connect` opens the stream; `jitter` gives a number in 0..1 for each wait, so that
/// many pages do not come back in the same moment after a restart of the server. With `permits` the stream is open
/// only while it has one; nothing is lost in between, each connection begins with the latest state.
pub fn watch<C, F>(
    connect: C,
    permits: Option<Permits>,
    jitter: impl Fn() -> f64 + 'static,
) -> LocalBoxStream<'static, Result<UserOpUpdate, AppError>>
where
    C: Fn() -> F + 'static,
    F: Future<Output = Result<TextStream, AppError>> + 'static,
{
    let watcher =
        Watcher { connect, permits, jitter, open: None, failures: 0, queue: Vec::new(), last: None, ended: false };
    stream::unfold(watcher, |mut watcher| async move { watcher.next().await.map(|item| (item, watcher)) }).boxed_local()
}

struct Watcher<C, J> {
    connect: C,
    permits: Option<Permits>,
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
    pieces: u32,
    permit: Option<Permit>,
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
                    // Each connection repeats the latest state first.
                    Ok(update) if self.last.as_ref() == Some(&update) => self.failures = 0,
                    Ok(update) => {
                        self.failures = 0;
                        self.ended = update.is_final();
                        self.last = Some(update.clone());
                        return Some(Ok(update));
                    }
                    Err(error) => {
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
            let permit = match &self.permits {
                Some(permits) => Some(permits.take().await),
                None => None,
            };
            let stream = (self.connect)().await?;
            self.open = Some(Connection { stream, lines: Lines::default(), pieces: 0, permit });
            return Ok(());
        };
        if open.pieces >= PIECES_PER_PERMIT && open.permit.as_ref().is_some_and(Permit::is_wanted) {
            self.open = None;
            return Ok(());
        }
        open.pieces = open.pieces.saturating_add(1);
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
        sleep(self.spread(FIRST_WAIT)).await;
        None
    }

    /// Some part of `wait`, milliseconds.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn spread(&self, wait: u64) -> u64 {
        (wait as f64 * (self.jitter)().clamp(0.0, 1.0)) as u64
    }

    /// Waits before the next attempt, or says that there will be none.
    async fn failed(&mut self, error: AppError) -> Option<AppError> {
        self.failures += 1;
        if !worth_another_try(&error) || self.failures > MOST_FAILURES {
            self.ended = true;
            return Some(error);
        }
        let wait = (FIRST_WAIT << self.failures.min(7)).min(LONGEST_WAIT) / 2;
        sleep(wait / 2 + self.spread(wait)).await;
        None
    }
}

fn read_line(line: &str) -> Result<UserOpUpdate, AppError> {
    serde_json::from_str::<UserOpUpdate>(line).map_err(|unreadable| {
        // The server may end its stream with an error in the same form as any server function's.
        serde_json::from_str::<AppError>(line)
            .unwrap_or_else(|_| AppError::Network { reason: format!("unreadable status line: {unreadable}") })
    })
}

fn cut() -> AppError {
    AppError::Network { reason: "the status stream ended early".into() }
}

/// What waiting can mend: a lost connection, a restarting server, an upstream that is down for a moment.
fn worth_another_try(error: &AppError) -> bool {
    matches!(error, AppError::Network { .. } | AppError::UpstreamUnavailable { .. })
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
        watch(open, None, || 0.5).collect().await
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
            ok(&[SUBMITTED, &bundled[..20]]),
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
        let updates: Vec<_> = watch(open, None, || 0.5).collect().await;
        assert_eq!((updates.len(), *connections.borrow()), (2, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn many_waits_share_few_connections_and_all_come_to_their_end() {
        let (open, most) = (Rc::new(RefCell::new(0)), Rc::new(RefCell::new(0)));
        let permits = Permits::new(2);
        let begun = tokio::time::Instant::now();
        let waits = (0..7).map(|_| {
            let (open, most) = (Rc::clone(&open), Rc::clone(&most));
            let connect = move || {
                *open.borrow_mut() += 1;
                most.replace_with(|most| (*most).max(*open.borrow()));
                let closes = Closes(Rc::clone(&open));
                // Heartbeats; the end comes after a minute, whoever listens.
                let pieces = stream::unfold((SUBMITTED, closes), move |(news, closes)| async move {
                    let over = begun.elapsed() > std::time::Duration::from_secs(60);
                    let news = if over { DROPPED } else { news };
                    if news == "\n" {
                        sleep(3_000).await;
                    }
                    Some((Ok(news.to_owned() + "\n"), ("\n", closes)))
                });
                async move { Ok(Box::pin(pieces) as TextStream) }
            };
            watch(connect, Some(permits.clone()), || 0.5).collect::<Vec<_>>()
        });
        let ended = futures::future::join_all(waits).await;
        assert!(ended.iter().all(|updates| updates.last().is_some_and(|last| last.as_ref().unwrap().is_final())));
        assert_eq!(*most.borrow(), 2);
        assert!(begun.elapsed() < std::time::Duration::from_secs(120), "{:?}", begun.elapsed());
    }

    struct Closes(Rc<RefCell<usize>>);

    impl Drop for Closes {
        fn drop(&mut self) {
            *self.0.borrow_mut() -= 1;
        }
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
