//! What must stay secret, relayed: the services behind the server functions and the JSON-RPC paths. No page, no Leptos.
//!
//! | Module | What it holds |
//! |---|---|
//! | [`state`] | everything that requests share |
//! | [`config`] | what the server is told: command line and environment, every value checked before anything starts |
//! | [`node`], [`bundler`], [`paymaster`], [`dan`] | the upstreams |
//! | [`fees`], [`market`] | what gas may cost |
//! | [`sponsorship`], [`sponsor`], [`page_sponsorship`] | who is paid for: policies, budgets, the ledger; callers without a key |
//! | [`events`], [`status`], [`operation_lookup`] | what becomes of an operation: one watcher each, a stream for each page that waits; or asked once |
//! | [`session_ledger`], [`session_uses`] | sets of sessions for other devices, uses counted from the chain |
//! | [`authority`], [`caller`] | for which site a request is, and whose it is |
//! | [`biconomy`], [`api_keys`], [`call_count`] | JSON-RPC for programs, its keys, and how often they may call |
//! | [`check`], [`readiness`], [`metrics`] | does it work? |
//! | [`lab_links`] | how a lab is reached that runs already |
//! | [`dev_events`] | whether pages listen to `make dev` |
#![warn(missing_docs)]

mod api_key;
pub mod api_keys;
pub mod authority;
pub mod biconomy;
pub mod bundler;
pub mod call_count;
pub mod caller;
pub mod chains;
pub mod check;
pub mod config;
pub mod dan;
pub mod database;
pub mod dev_events;
pub mod events;
pub mod fees;
mod inner_error;
mod json_rpc;
pub mod json_shape;
mod key_cache;
pub mod lab_links;
mod logs;
pub mod market;
pub mod metrics;
pub mod node;
mod operation_answers;
pub mod operation_lookup;
pub mod page_sponsorship;
pub mod paymaster;
mod quantity;
mod read_policy;
pub mod readiness;
mod receipt;
pub mod request_id;
mod secret;
pub mod session_ledger;
mod session_set_cache;
pub mod session_uses;
mod single_flight;
pub mod sponsor;
pub mod sponsorship;
pub mod state;
pub mod status;
pub mod upstream_health;
mod upstream_url;
