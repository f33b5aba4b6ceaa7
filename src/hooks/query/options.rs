//! What a caller may say about a query.

use leptos::prelude::*;

/// Options of every query hook; the defaults are TanStack's.
#[derive(Clone, Copy, Debug)]
pub struct QueryOptions {
    /// Read by itself (default true). While false only `refetch` reads.
    pub enabled: Signal<bool>,
    /// How often to try again after a failure that trying again can mend: our server or an upstream does not answer
    /// (default 3). Waits 1, 2, 4 … seconds, at most 30.
    pub retry: u32,
    /// For so long an answer is not read again by whoever comes later, milliseconds (default 0).
    pub stale_time: u64,
    /// Read a stale answer again when the person comes back to the page (default true).
    pub refetch_on_window_focus: bool,
    /// Read a stale answer again when the network is back (default true).
    pub refetch_on_reconnect: bool,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            enabled: Signal::stored(true),
            retry: 3,
            stale_time: 0,
            refetch_on_window_focus: true,
            refetch_on_reconnect: true,
        }
    }
}

impl QueryOptions {
    /// The defaults, reading by itself only while `enabled` is true.
    pub fn enabled(enabled: impl Into<Signal<bool>>) -> Self {
        Self { enabled: enabled.into(), ..Self::default() }
    }
}
