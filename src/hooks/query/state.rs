//! What is known of one query, and how events change it: TanStack v5's reducer.

use crate::{
    error::AppError,
    hooks::query_status::{FetchStatus, QueryStatus},
};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct QueryState<T> {
    pub data: Option<T>,
    pub error: Option<AppError>,
    pub status: QueryStatus,
    pub fetch_status: FetchStatus,
    /// Of the last success, milliseconds since the epoch; 0 when none.
    pub data_updated_at: u64,
    /// Failed tries of this fetch, or of the last one when it failed.
    pub failure_count: u32,
    pub failure_reason: Option<AppError>,
    /// Something has happened that changes the answer.
    pub invalidated: bool,
}

impl<T> Default for QueryState<T> {
    fn default() -> Self {
        Self {
            data: None,
            error: None,
            status: QueryStatus::Pending,
            fetch_status: FetchStatus::Idle,
            data_updated_at: 0,
            failure_count: 0,
            failure_reason: None,
            invalidated: false,
        }
    }
}

impl<T> QueryState<T> {
    /// A fetch begins. An answer stays while it is read again, and so does the error beside it.
    pub fn begin(&mut self, online: bool) {
        self.fetch_status = if online { FetchStatus::Fetching } else { FetchStatus::Paused };
        self.failure_count = 0;
        self.failure_reason = None;
        if self.data.is_none() {
            self.error = None;
            self.status = QueryStatus::Pending;
        }
    }

    /// A try failed; another follows.
    pub fn fail_once(&mut self, reason: AppError) {
        self.failure_count += 1;
        self.failure_reason = Some(reason);
    }

    /// The fetch failed for good. An answer from before stays.
    pub fn fail(&mut self, error: AppError) {
        self.fail_once(error.clone());
        self.error = Some(error);
        self.status = QueryStatus::Error;
        self.fetch_status = FetchStatus::Idle;
        self.invalidated = true;
    }

    /// The answer is there. `now` in milliseconds since the epoch.
    pub fn succeed(&mut self, data: T, now: u64) {
        *self = Self { data: Some(data), status: QueryStatus::Success, data_updated_at: now, ..Self::default() };
    }

    /// Should somebody who comes now have it read again?
    pub fn is_stale(&self, stale_time: u64, now: u64) -> bool {
        self.data.is_none() || self.invalidated || now.saturating_sub(self.data_updated_at) >= stale_time
    }
}
