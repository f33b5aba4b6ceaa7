//! The shortest whole component of each hook, as the pages under `/hooks` show it and its rustdoc has it as example; the
//! file ending in `.js` is the same job in React with useAA. An app builds them all, and so do the documentation tests.

pub mod use_batch_session;
pub mod use_create_batch_session;
pub mod use_create_session;
pub mod use_create_session_with_distributed_key;
pub mod use_deploy_smart_account;
pub mod use_gas_estimate;
pub mod use_revoke_sessions;
pub mod use_send_gas_token_transaction;
pub mod use_send_sponsored_transaction;
pub mod use_send_transaction;
pub mod use_send_withdrawals;
pub mod use_session;
pub mod use_session_with_distributed_key;
pub mod use_sessions;
pub mod use_smart_account;
pub mod use_token_fees;
pub mod use_user_op_wait;
