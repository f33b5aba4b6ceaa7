//! Where a query stands, in TanStack v5's words.

/// Where a read stands (TanStack's query `status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum QueryStatus {
    /// No result yet.
    #[default]
    Pending,
    /// A result is there.
    Success,
    /// Reading failed.
    Error,
}

/// What a query does at this moment (TanStack's `fetchStatus`); independent of [`QueryStatus`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FetchStatus {
    /// Nothing.
    #[default]
    Idle,
    /// It reads, or waits to try again.
    Fetching,
    /// It would read, but the browser is offline (or hidden, between two tries).
    Paused,
}
