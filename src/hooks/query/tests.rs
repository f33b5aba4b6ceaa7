//! The states of a query, against TanStack v5's.
