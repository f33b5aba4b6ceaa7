//! How the services behind the server do, as its own requests see them: for `/readyz` and `/metrics`.
//!
//! Nothing is asked to tell this; no field holds a URL, because a URL may hold a key.

use serde::Serialize;

use use_aa_actions::error::{AppError, Upstream};

/// Whether an entry of a failover list is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Circuit {
    /// It is asked.
    Closed,
    /// It failed, and is left alone for a while.
    Open,
    /// Its time is over; one request finds out whether it is back.
    HalfOpen,
}

/// One entry of one upstream's failover list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamHealth {
    /// Which service.
    pub upstream: Upstream,
    /// Its place in the failover order; 0 is asked first.
    pub entry: usize,
    /// Whether it is asked.
    pub circuit: Circuit,
    /// It asked to be left alone (HTTP 429, `Retry-After`) for so many milliseconds more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resting_ms: Option<u64>,
    /// Requests that it answered since the server started; a JSON-RPC error is an answer.
    pub answered: u64,
    /// Requests that it did not answer, or with something else than JSON-RPC.
    pub failed: u64,
    /// Failures since the last answer.
    pub failures_in_row: u32,
    /// Moving average of what an answer takes, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Why it failed last; `None` after an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<AppError>,
    /// For a node with a web socket: whether it pushes logs now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushing: Option<bool>,
}

impl UpstreamHealth {
    /// It would be asked now.
    pub fn is_usable(&self) -> bool {
        self.circuit != Circuit::Open && self.resting_ms.is_none()
    }
}
