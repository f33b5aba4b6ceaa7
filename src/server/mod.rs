//! The server: what must stay secret, relayed.
//!
//! One file per upstream, each with its server functions and, in `mod ssr`, their bodies. In the page the
//! same functions are stubs that call the server.

#[cfg(feature = "ssr")]
mod amount;
#[cfg(feature = "ssr")]
pub mod api_keys;
#[cfg(feature = "ssr")]
mod biconomy;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
#[allow(missing_docs)] // of the argument structs that `#[server]` makes
pub mod bundler;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
mod call;
#[cfg(feature = "ssr")]
mod chains;
#[cfg(feature = "ssr")]
pub mod config;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
#[allow(missing_docs)] // of the argument structs that `#[server]` makes
pub mod dan;
#[cfg(feature = "ssr")]
pub mod database;
#[cfg(feature = "ssr")]
mod events;
#[cfg(feature = "ssr")]
pub mod http;
#[cfg(feature = "ssr")]
mod http_status;
#[cfg(feature = "ssr")]
mod json_depth;
#[cfg(feature = "ssr")]
mod json_rpc;
#[cfg(feature = "ssr")]
mod metrics;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
#[allow(missing_docs)] // of the argument structs that `#[server]` makes
pub mod node;
#[cfg(feature = "ssr")]
#[doc = include_str!("../../docs/operations.md")]
pub mod operations {}
#[cfg(any(feature = "ssr", feature = "hydrate"))]
#[allow(missing_docs)] // of the argument structs that `#[server]` makes
pub mod paymaster;
#[cfg(feature = "ssr")]
mod quantity;
#[cfg(feature = "ssr")]
mod read_policy;
#[cfg(feature = "ssr")]
mod receipt;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
#[allow(missing_docs)] // of the argument structs that `#[server]` makes
pub mod session_ledger;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
#[allow(missing_docs)] // of the argument structs that `#[server]` makes
pub mod session_uses;
#[cfg(feature = "ssr")]
pub mod sponsor;
#[cfg(feature = "ssr")]
pub mod state;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
#[allow(missing_docs)] // of the argument structs that `#[server]` makes
pub mod status;
#[cfg(feature = "ssr")]
pub mod upstream_health;

#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub use {
    bundler::{estimate_user_operation_gas, gas_fees, send_user_operation},
    dan::{
        bind_distributed_key, key_network, offer_distributed_key, revoke_distributed_key, sign_with_distributed_key,
        signing_challenge,
    },
    node::{account_state, chain_info, read_chain},
    paymaster::{fee_quotes, sponsor_user_operation},
    session_ledger::{publish_sessions, published_sessions},
    status::{read_line, user_operation_status},
};
