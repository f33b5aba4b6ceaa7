//! One waiter's view of an operation.

use std::time::Duration;

use tokio::sync::watch;

use super::operation::{Operation, Progress};
use crate::{error::AppError, protocol::rpc::UserOpUpdate};

/// What a waiter is told.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Event {
    /// Something happened.
    Update(UserOpUpdate),
    /// Waiting is over without a result.
    Failed(AppError),
    /// Nothing happened; the connection lives.
    Heartbeat,
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
                _ = self.closing.wait_for(|closing| *closing) => return None,
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
