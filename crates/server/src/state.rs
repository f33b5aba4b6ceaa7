//! [`ServerState`]: what every request shares, reached by server functions through Leptos' context.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use alloy::primitives::B256;
use serde_json::Value;

use super::{
    bundler::Bundler,
    config::{Config, DatabaseUrl},
    dan::coordinator::DanCoordinator,
    database::Database,
    events::{Pace, Watcher},
    fees,
    node::ChainNode,
    operation_answers::OperationAnswers,
    paymaster::{Paymaster, Upstreams, token::TokenPaymaster},
    session_set_cache::SessionSetCache,
    sponsor::{self, Sponsor},
    upstream_health::UpstreamHealth,
};
use use_aa_actions::error::{AppError, Upstream};
use use_aa_protocol::{
    rpc::{GasEstimate, GasFees, SimulationType},
    user_operation::UserOperation,
};

/// How long one request to one upstream may take: bundlers and paymasters simulate before they answer.
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(15);

/// Shared by all requests; cheap to clone.
#[derive(Clone)]
pub struct ServerState {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    node: ChainNode,
    bundler: Bundler,
    paymaster: Option<Paymaster>,
    token_paymaster: Option<TokenPaymaster>,
    watcher: Watcher,
    database: Database,
    dan_nodes: Option<DanCoordinator>,
    sponsor: Sponsor,
    session_sets: SessionSetCache,
    operation_answers: OperationAnswers,
}

impl ServerState {
    /// Clients for the upstreams of `config`; nothing is connected yet.
    pub fn new(config: Config) -> Result<Self, AppError> {
        Self::with_upstream_timeout(config, UPSTREAM_TIMEOUT)
    }

    /// As [`Self::new`], with another limit for one request to one upstream.
    pub fn with_upstream_timeout(config: Config, timeout: Duration) -> Result<Self, AppError> {
        let node = ChainNode::new(&config.rpc_urls, config.chain_id, timeout)?;
        let bundler =
            Bundler::new(&config.bundler_urls, config.chain_id, timeout)?.with_fee_factor(config.bundler_fee_factor);
        let paymaster = config
            .paymaster
            .as_ref()
            .map(|paymaster| Paymaster::new(paymaster, config.paymaster_context.as_ref(), config.chain_id, timeout));
        let token_paymaster =
            config.token_paymaster.as_ref().map(|token| TokenPaymaster::new(token.clone(), config.chain_id));
        let watcher = Watcher::new(node.clone(), bundler.clone(), &config.rpc_urls, Pace::of(&config));
        let database = Database::new(config.database_url.as_ref().map(DatabaseUrl::expose), &config.data_dir)?;
        let dan_nodes = (!config.dan_nodes.is_empty())
            .then(|| DanCoordinator::new(&config.dan_nodes, config.key_pool))
            .transpose()?;
        let settings = sponsor::Settings {
            policy: config.sponsor_policy.as_deref().cloned(),
            lab: config.lab,
            pays: config.paymaster.is_some() || config.token_paymaster.is_some(),
            chain_id: config.chain_id,
            token_paymaster: config.token_paymaster.as_ref().map(|paymaster| paymaster.address),
            token_paymaster_v07: config.token_paymaster.as_ref().and_then(|paymaster| paymaster.address_v07),
            ledger_days: config.ledger_days,
        };
        let sponsor = Sponsor::new(settings, database.clone(), node.clone(), bundler.clone())?;
        Ok(Self {
            inner: Arc::new(Inner {
                paymaster: paymaster.transpose()?,
                token_paymaster,
                config,
                node,
                bundler,
                watcher,
                database,
                dan_nodes,
                sponsor,
                session_sets: SessionSetCache::default(),
                operation_answers: OperationAnswers::default(),
            }),
        })
    }

    /// For whoever shall not keep it in use.
    pub(super) fn downgrade(&self) -> WeakState {
        WeakState(Arc::downgrade(&self.inner))
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// How every URL of every upstream does, as the server's own requests see it: nothing is asked to tell this.
    /// Nodes first, then bundlers, then paymasters; the built-in paymaster is not among them.
    pub fn health(&self) -> Vec<UpstreamHealth> {
        let mut health = self.inner.node.health();
        for node in &mut health {
            node.pushing = self.inner.watcher.is_pushing(node.entry);
        }
        health.extend(self.inner.bundler.health());
        health.extend(self.paymaster().and_then(Paymaster::remote).map(|remote| remote.health()).unwrap_or_default());
        health
    }

    /// Asks every node and bundler for its chain, at the start. Who does not answer may come later.
    ///
    /// # Errors
    /// `UpstreamMalformed` when one of them serves another chain than the configured one.
    pub async fn check_chains(&self) -> Result<(), AppError> {
        let expected = self.config().chain_id;
        let (nodes, bundlers) = tokio::join!(self.node().chain_ids(), self.bundler().chain_ids());
        let nodes = nodes.into_iter().enumerate().map(|(entry, answer)| (Upstream::Node, entry, answer));
        let bundlers = bundlers.into_iter().enumerate().map(|(entry, answer)| (Upstream::Bundler, entry, answer));
        for (upstream, entry, answer) in nodes.chain(bundlers) {
            match answer {
                Ok(actual) if actual == expected => {}
                Ok(actual) => {
                    let place = entry + 1;
                    let reason =
                        format!("URL {place} of the list serves chain {actual}, but USE_AA_CHAIN_ID is {expected}");
                    return Err(AppError::UpstreamMalformed { upstream, reason });
                }
                // A bundler without the method.
                Err(AppError::UpstreamRejected { .. }) => {}
                Err(error) => tracing::warn!(%upstream, entry, %error, "not there at the start"),
            }
        }
        Ok(())
    }

    /// The chain node.
    pub fn node(&self) -> &ChainNode {
        &self.inner.node
    }

    /// The bundler.
    pub fn bundler(&self) -> &Bundler {
        &self.inner.bundler
    }

    /// The paymaster, or an error that says there is none.
    pub(crate) fn paymaster(&self) -> Option<&Paymaster> {
        self.inner.paymaster.as_ref()
    }

    /// The database; it is opened by the first query.
    pub fn database(&self) -> &Database {
        &self.inner.database
    }

    /// The built-in token paymaster.
    pub(crate) fn token_paymaster(&self) -> Option<&TokenPaymaster> {
        self.inner.token_paymaster.as_ref()
    }

    /// The nodes that share distributed keys, or an error that says that there are none.
    pub fn dan(&self) -> Result<&DanCoordinator, AppError> {
        self.inner.dan_nodes.as_ref().ok_or(AppError::NoDistributedKeys)
    }

    /// Whom paymasters ask, and who estimates gas.
    pub fn upstreams(&self) -> Upstreams<'_> {
        Upstreams { node: self.node(), bundler: self.bundler() }
    }

    /// Gas limits for an operation with a signature that does not fit.
    ///
    /// # Errors
    /// As [`Upstreams::estimate`].
    pub async fn estimate(
        &self,
        user_operation: &UserOperation,
        state_override: Option<Value>,
    ) -> Result<GasEstimate, AppError> {
        if let Some(paymaster) = self.token_paymaster()
            && let Some(gas) = paymaster.estimate_v07(self.upstreams(), user_operation, state_override.clone()).await?
        {
            return Ok(gas);
        }
        self.upstreams().estimate(user_operation, state_override).await
    }

    /// Fees to offer now: the bundler's own advice as far as it is believed, else the node's.
    ///
    /// # Errors
    /// As [`fees::advised`].
    pub async fn advised_fees(&self) -> Result<GasFees, AppError> {
        fees::advised(self.node(), self.bundler()).await
    }

    /// Sends an operation and follows it from then on; the result is its hash.
    ///
    /// # Errors
    /// As [`Bundler::send`].
    pub async fn send_and_follow(
        &self,
        user_operation: &UserOperation,
        simulation_type: Option<SimulationType>,
    ) -> Result<B256, AppError> {
        let user_op_hash = self.bundler().send(user_operation, simulation_type).await?;
        self.watcher().follow_sent(user_op_hash, user_operation);
        super::metrics::operation_sent(user_operation.entry_point);
        Ok(user_op_hash)
    }

    /// Who decides what is sponsored, whoever signs.
    pub fn sponsor(&self) -> &Sponsor {
        &self.inner.sponsor
    }

    /// Sets of sessions that were asked for lately.
    pub(super) fn session_sets(&self) -> &SessionSetCache {
        &self.inner.session_sets
    }

    /// Operations that were looked up lately.
    pub(super) fn operation_answers(&self) -> &OperationAnswers {
        &self.inner.operation_answers
    }

    /// Who follows operations.
    pub fn watcher(&self) -> &Watcher {
        &self.inner.watcher
    }
}

/// A [`ServerState`] that somebody else keeps.
pub(super) struct WeakState(Weak<Inner>);

impl WeakState {
    pub(super) fn upgrade(&self) -> Option<ServerState> {
        self.0.upgrade().map(|inner| ServerState { inner })
    }
}
