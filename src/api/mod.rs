//! The functions of the server that the page calls: `#[server]` functions over the services of `use-aa-server`. In the
//! page the same functions are stubs that call the server.
#![allow(missing_docs)] // of the argument structs that `#[server]` makes

pub mod bundler;
mod call;
pub mod dan;
#[cfg(feature = "ssr")]
pub(crate) mod http_status;
pub mod node;
pub mod operation;
pub mod paymaster;
pub mod session_ledger;
pub mod session_uses;
pub mod status;

pub use bundler::{estimate_user_operation_gas, gas_fees, send_user_operation, sent_operation};
pub use dan::{
    bind_distributed_key, key_network, offer_distributed_key, revoke_distributed_key, sign_with_distributed_key,
    signing_challenge,
};
pub use node::{account_state, chain_info, read_chain};
pub use operation::look_up_operation;
pub use paymaster::{fee_quotes, sponsor_user_operation};
pub use session_ledger::{publish_sessions, published_sessions};
pub use status::{user_operation_status, user_operation_statuses};
pub use use_aa_actions::adapters::status_stream::read_line;

/// The services, inside a server function or a page that is being rendered.
#[cfg(feature = "ssr")]
fn server_state() -> Result<use_aa_server::state::ServerState, crate::error::AppError> {
    use crate::error::AppError;
    leptos::prelude::use_context()
        .ok_or_else(|| AppError::Internal { reason: "no server state in this context".into() })
}
