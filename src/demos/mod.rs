//! One file per hook: a whole component, ready to copy. The pages show these very files at work.
pub mod create_session;
pub mod send_sponsored_transaction;
pub mod send_transaction;
pub mod session;
pub mod user_op_wait;
