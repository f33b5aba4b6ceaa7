//! [`QueryStatus`]: where a read stands.

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
