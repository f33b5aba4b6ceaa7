//! [`ServerState`]: what every request shares, reached by server functions through Leptos' context.

use std::{sync::Arc, time::Duration};

use axum::extract::FromRef;
use leptos::{config::LeptosOptions, prelude::use_context};

use super::{
    bundler::ssr::Bundler,
    config::Config,
    database::Database,
    events::Watcher,
    node::ssr::Node,
    paymaster::{ssr::Paymaster, token::TokenPaymaster},
};
use crate::error::AppError;

/// How long one request to one upstream may take: bundlers and paymasters simulate before they answer.
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(15);

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub struct ServerState {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    node: Node,
    bundler: Bundler,
    paymaster: Option<Paymaster>,
    token_paymaster: Option<TokenPaymaster>,
    watcher: Watcher,
    database: Database,
}

impl ServerState {
    /// Clients for the upstreams of `config`; nothing is connected yet.
    pub fn new(config: Config) -> Result<Self, AppError> {
        Self::with_upstream_timeout(config, UPSTREAM_TIMEOUT)
    }

    /// As [`Self::new`], with another limit for one request to one upstream.
    pub fn with_upstream_timeout(config: Config, timeout: Duration) -> Result<Self, AppError> {
        let node = Node::new(&config.rpc_urls, timeout)?;
        let bundler = Bundler::new(&config.bundler_urls, timeout)?;
        let paymaster = config.paymaster.as_ref().map(|paymaster| Paymaster::new(paymaster, config.chain_id, timeout));
        let token_paymaster =
            config.token_paymaster.as_ref().map(|token| TokenPaymaster::new(token.clone(), config.chain_id));
        let watcher = Watcher::new(node.clone(), bundler.clone(), super::events::Pace::of(&config));
        let database = Database::new(&config)?;
        Ok(Self {
            inner: Arc::new(Inner {
                paymaster: paymaster.transpose()?,
                token_paymaster,
                config,
                node,
                bundler,
                watcher,
                database,
            }),
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    pub(super) fn node(&self) -> &Node {
        &self.inner.node
    }

    pub(super) fn bundler(&self) -> &Bundler {
        &self.inner.bundler
    }

    /// The paymaster, or an error that says there is none.
    pub(super) fn paymaster(&self) -> Option<&Paymaster> {
        self.inner.paymaster.as_ref()
    }

    /// The database; it is opened by the first query.
    pub fn database(&self) -> &Database {
        &self.inner.database
    }

    /// The built-in token paymaster.
    pub(super) fn token_paymaster(&self) -> Option<&TokenPaymaster> {
        self.inner.token_paymaster.as_ref()
    }

    pub(super) fn watcher(&self) -> &Watcher {
        &self.inner.watcher
    }
}

impl FromRef<ServerState> for LeptosOptions {
    fn from_ref(state: &ServerState) -> Self {
        state.config().site.clone()
    }
}

/// The state, inside a server function or a page that is being rendered.
pub(crate) fn server_state() -> Result<ServerState, AppError> {
    use_context().ok_or_else(|| AppError::Internal { reason: "no server state in this context".into() })
}
