//! The session ledger: leaf sets by (chain, account, root), so that a second device can build on the first one's
//! sessions (docs/protocol.md 3.18, 10-C1, U13).
//!
//! A set is accepted only when its Merkle root is the one that the account has on chain at that moment, and a reader
//! checks the same once more, so neither side has to trust the other. A set holds what any grant tells the chain by its
//! hash: windows, modules, policies; no key, no name.

use alloy::primitives::{Address, B256};
use leptos::server;

use super::call::FunctionCall;
use crate::{error::AppError, protocol::session::PublishedLeaves};

/// Publishes the leaves under the root that the account has on chain now. Publishing twice changes nothing.
///
/// Errors: `InvalidInput` for a malformed set; `SessionsOutOfSync` when its root is not the one on chain.
#[server(name = PublishSessions, protocol = FunctionCall, prefix = "/api/fn", endpoint = "publish_sessions")]
pub async fn publish_sessions(account: Address, leaves: PublishedLeaves) -> Result<(), AppError> {
    use_aa_server::session_ledger::publish(&super::server_state()?, account, &leaves).await
}

/// The leaves under this root of the account, when somebody has published them. Check them against the root.
#[server(name = PublishedSessions, protocol = FunctionCall, prefix = "/api/fn", endpoint = "published_sessions")]
pub async fn published_sessions(account: Address, root: B256) -> Result<Option<PublishedLeaves>, AppError> {
    use_aa_server::session_ledger::published(&super::server_state()?, account, root).await
}
