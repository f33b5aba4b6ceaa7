//! The command line: `serve` (default), `lab`.
fn main() {}
