//! What several demos show besides their hook; nothing to copy.

mod demo_dollars;

pub use demo_dollars::DemoDollars;
