//! Entry points by version: packing, hash, wire shape, errors and events of user operations, and nothing else. What is
//! the same in all of them, or of accounts and sessions, stands elsewhere.

pub mod v07;
