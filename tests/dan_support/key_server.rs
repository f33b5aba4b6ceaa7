//! The app server in front of a cluster, and what a page does with it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use use_aa::{
    actions::ports::DistributedKeys,
    client::relay_native::HttpRelay,
    dan::caller_key::CallerKey,
    error::{AppError, Upstream as Source},
    protocol::distributed_key::SignOutcome,
    server::config::{Config, DanNodeAddress},
};

use crate::{
    dan_support::{Cluster, PATIENCE, SERVER_KEY, Session},
    server_support::{Reply, Server, Upstream, config},
};

/// As often as a page asks.
const ATTEMPTS: usize = 4;

/// A server of its own; ends with it.
pub struct KeyServer {
    pub server: Server,
    pub relay: HttpRelay,
    _chain: Upstream,
    _folder: TempDir,
}

impl KeyServer {
    /// Over these nodes.
    pub async fn over(cluster: &Cluster, change: impl FnOnce(&mut Config)) -> Self {
        let chain = Upstream::always(Reply::Result(json!("0x7a69"))).await;
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&chain.url(), &chain.url());
        config.data_dir = folder.path().to_owned();
        let nodes = cluster.nodes.iter().map(|node| DanNodeAddress {
            url: node.url.parse().unwrap(),
            identity: node.identity.to_bytes().into(),
            key: CallerKey::parse(&SERVER_KEY).unwrap(),
        });
        config.dan_nodes = nodes.collect();
        change(&mut config);
        let server = Server::start(config).await;
        let relay = HttpRelay::new(&server.url).unwrap();
        Self { server, relay, _chain: chain, _folder: folder }
    }

    /// Waits until a key waits, and none is being made.
    pub async fn pooled(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let network = self.relay.network().await.unwrap();
            if network.pooled > 0 && !network.making {
                return;
            }
            assert!(Instant::now() < deadline, "{network:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Signs as a page does; says how many attempts failed first.
    pub async fn sign(&self, session: &Session, number: u64) -> Result<usize, AppError> {
        let mut reasons = Vec::new();
        while reasons.len() < ATTEMPTS {
            let nonces = self.relay.challenge(session.grant.threshold).await?;
            let body = session.request(nonces, session.operation(number));
            match self.relay.sign(&body.request, &body.nonces, session.key.address).await? {
                SignOutcome::Signed { .. } => return Ok(reasons.len()),
                SignOutcome::Again { reason } => reasons.push(reason),
            }
        }
        Err(AppError::UpstreamUnavailable { upstream: Source::Nodes, reason: reasons.join("; ") })
    }
}
