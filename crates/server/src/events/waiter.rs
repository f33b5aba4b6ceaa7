//! One waiter's view of an operation.

use std::time::Duration;

use tokio::sync::watch;

use super::operation::{Operation, Progress};
use use_aa_actions::error::AppError;
use use_aa_protocol::rpc::UserOpUpdate;

/// What a waiter is told.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Event {
    /// Something happened.
    Update(UserOpUpdate),
    /// Waiting is over without a result.
    Failed(AppError),
    /// Nothing happened; the connection lives.
    Heartbeat,
    /// The server is stopping: whoever waits goes on at another one.
    Reconnect,
}

/// One waiter's view of an operation.
pub(super) struct Waiter {
    receiver: watch::Receiver<Progress>,
    next: u64,
    over: bool,
    heartbeat: Duration,
    closing: watch::Receiver<bool>,
}

impl Waiter {
    pub(super) fn new(operation: &Operation, heartbeat: Duration, closing: watch::Receiver<bool>) -> Self {
        let receiver = operation.progress.subscribe();
        let next = receiver.borrow().latest();
        Self { receiver, next, over: false, heartbeat, closing }
    }

    /// The next thing to tell; `None` when all is told.
    pub(super) async fn event(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        loop {
            if let Some(event) = self.news() {
                return Some(event);
            }
            tokio::select! {
                changed = self.receiver.changed() => changed.ok()?,
                // An error would mean that the watcher is gone, which is the same to who waits.
                _ = self.closing.wait_for(|closing| *closing) => {
                    self.over = true;
                    return Some(Event::Reconnect);
                }
                () = tokio::time::sleep(self.heartbeat) => return Some(Event::Heartbeat),
            }
        }
    }

    fn news(&mut self) -> Option<Event> {
        let progress = self.receiver.borrow_and_update();
        if let Some((number, update)) = progress.from(self.next) {
            self.next = number + 1;
            self.over = update.is_final();
            return Some(Event::Update(update.clone()));
        }
        let failure = progress.failure.clone()?;
        self.over = true;
        Some(Event::Failed(failure))
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;

    use super::*;

    const HEARTBEAT: Duration = Duration::from_secs(3);

    #[tokio::test(start_paused = true)]
    async fn who_waits_while_the_server_stops_is_sent_elsewhere() {
        let operation = Operation::new(B256::ZERO, None);
        let closing = watch::Sender::new(false);
        let mut waiter = Waiter::new(&operation, HEARTBEAT, closing.subscribe());
        assert_eq!(waiter.event().await, Some(Event::Heartbeat));
        operation.tell(UserOpUpdate::Submitted);
        closing.send_replace(true);
        // News first: whoever comes back need not be told again.
        assert_eq!(waiter.event().await, Some(Event::Update(UserOpUpdate::Submitted)));
        assert_eq!((waiter.event().await, waiter.event().await), (Some(Event::Reconnect), None));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_heard_the_end_is_not_sent_anywhere() {
        let operation = Operation::new(B256::ZERO, None);
        let closing = watch::Sender::new(true);
        let mut waiter = Waiter::new(&operation, HEARTBEAT, closing.subscribe());
        operation.fail(AppError::NoSmartAccount);
        assert_eq!((waiter.event().await, waiter.event().await), (Some(Event::Failed(AppError::NoSmartAccount)), None));
    }
}
