//! The id of the request that is being answered: given to it, logged, and passed on to upstreams.

use http::{HeaderName, HeaderValue};

/// Names a request, here and at upstreams.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    /// The id of the request that this task answers.
    static ID: HeaderValue;
}

/// The id of the request that is being answered, for the requests to upstreams that it leads to.
pub fn current_request_id() -> Option<HeaderValue> {
    ID.try_with(Clone::clone).ok()
}

/// Runs what answers the request called `id`.
pub async fn answering<F: Future>(id: HeaderValue, answer: F) -> F::Output {
    ID.scope(id, answer).await
}
