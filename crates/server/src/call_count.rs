//! Counts calls, not requests: a batch of fifty uses up as much of every limit as fifty single calls.

use std::{sync::Arc, time::Duration};

/// Takes one more call out of what a caller may still ask.
type Take = dyn Fn() -> Result<(), TooMany> + Send + Sync;

/// A limit that is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// What is counted: `address` or `key`.
    pub scope: &'static str,
    /// After this time there is one more.
    pub wait: Duration,
}

/// Counts the calls of one request by the limits that let it in: an extension of the request, where there are limits.
/// The request itself paid for its first call.
#[derive(Clone)]
pub struct CallCount(Arc<Take>);

impl CallCount {
    /// `take` takes one more call out of every limit, or says which has none left.
    pub fn new(take: impl Fn() -> Result<(), TooMany> + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// One more call.
    pub(super) fn take(&self) -> Result<(), TooMany> {
        (self.0)()
    }
}
