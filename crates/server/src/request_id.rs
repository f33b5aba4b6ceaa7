//! The request that is being answered: its id, which is logged and passed on to upstreams, and the turn that it has for
//! answers that take much memory, until its own answer is made of them.

use std::cell::RefCell;

use http::{HeaderName, HeaderValue};
use tokio::sync::OwnedSemaphorePermit;

/// Names a request, here and at upstreams.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    /// The id of the request that this task answers.
    static ID: HeaderValue;
    /// Its turn for large answers.
    static TURN: RefCell<Option<OwnedSemaphorePermit>>;
}

/// The id of the request that is being answered, for the requests to upstreams that it leads to.
pub fn current_request_id() -> Option<HeaderValue> {
    ID.try_with(Clone::clone).ok()
}

/// Runs what answers the request called `id`.
pub async fn answering<F: Future>(id: HeaderValue, answer: F) -> F::Output {
    ID.scope(id, TURN.scope(RefCell::new(None), answer)).await
}

/// Whether the request has a turn already. One is enough: who waits for a second one could wait for ever.
pub(super) fn has_turn() -> bool {
    TURN.try_with(|turn| turn.borrow().is_some()).unwrap_or(false)
}

/// Keeps the turn until the request is answered; outside of a request it is given back at once.
pub(super) fn keep_turn(permit: OwnedSemaphorePermit) {
    let _ = TURN.try_with(|turn| turn.replace(Some(permit)));
}
