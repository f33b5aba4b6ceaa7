//! [`ServerState`]: what every request shares, reached by server functions through Leptos' context.

use std::sync::Arc;

use axum::extract::FromRef;
use leptos::{config::LeptosOptions, prelude::use_context};

use super::{bundler::ssr::Bundler, config::Config, events::Watcher, node::ssr::Node, paymaster::ssr::Paymaster};
use crate::error::AppError;

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
    watcher: Watcher,
}

impl ServerState {
    /// Clients for the upstreams of `config`; nothing is connected yet.
    pub fn new(config: Config) -> Result<Self, AppError> {
        let node = Node::new(&config.rpc_urls)?;
        let bundler = Bundler::new(&config.bundler_urls)?;
        let paymaster = config.paymaster.as_ref().map(|paymaster| Paymaster::new(paymaster, config.chain_id));
        let watcher = Watcher::new(node.clone(), bundler.clone(), super::events::Pace::of(&config));
        Ok(Self { inner: Arc::new(Inner { paymaster: paymaster.transpose()?, config, node, bundler, watcher }) })
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
