//! Do the upstreams answer? Each by name, with its latency or its error.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{
    config::{Config, PaymasterConfig},
    state::ServerState,
};
use use_aa_actions::error::{AppError, Upstream};
use use_aa_protocol::entry_point::EntryPoint;

/// How long an upstream may take here.
const PATIENCE: Duration = Duration::from_secs(3);

/// What all upstreams answered.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Everything needed is there.
    pub ready: bool,
    /// One by one.
    pub upstreams: Vec<UpstreamReport>,
}

/// What one upstream answered.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamReport {
    /// Which.
    pub name: Upstream,
    ok: bool,
    latency_ms: f64,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<AppError>,
}

/// Asks all upstreams at once.
pub async fn report(state: &ServerState) -> Report {
    let (node, bundler, paymaster, database) = tokio::join!(
        checked(Upstream::Node, node(state)),
        checked(Upstream::Bundler, bundler(state)),
        checked(Upstream::Paymaster, paymaster(state)),
        checked(Upstream::Database, database(state)),
    );
    let mut upstreams = vec![node, bundler];
    if state.paymaster().is_some() {
        upstreams.push(paymaster);
    }
    upstreams.push(database);
    Report { ready: upstreams.iter().all(|upstream| upstream.ok), upstreams }
}

async fn checked(name: Upstream, check: impl Future<Output = Result<(), AppError>>) -> UpstreamReport {
    let begun = Instant::now();
    let outcome = tokio::time::timeout(PATIENCE, check).await.unwrap_or_else(|_| {
        let reason = format!("no answer within {} s", PATIENCE.as_secs());
        Err(AppError::UpstreamUnavailable { upstream: name, reason })
    });
    let latency_ms = (begun.elapsed().as_secs_f64() * 1e4).round() / 10.0;
    UpstreamReport { name, ok: outcome.is_ok(), latency_ms, error: outcome.err() }
}

async fn node(state: &ServerState) -> Result<(), AppError> {
    let expected = state.config().chain_id;
    match state.node().chain_id().await? {
        actual if actual == expected => Ok(()),
        actual => Err(AppError::WrongChain { expected, actual }),
    }
}

async fn bundler(state: &ServerState) -> Result<(), AppError> {
    let served = state.bundler().supported_entry_points().await?;
    match needed(state.config()).find(|entry_point| !served.contains(&entry_point.address())) {
        None => Ok(()),
        Some(missing) => Err(AppError::UpstreamMalformed {
            upstream: Upstream::Bundler,
            reason: format!("it does not serve the entry point {} ({missing})", missing.address()),
        }),
    }
}

/// Entry points that the bundler must serve: that of V2 accounts, and the one for which a paymaster is set up.
fn needed(config: &Config) -> impl Iterator<Item = EntryPoint> {
    let verifying = matches!(config.paymaster, Some(PaymasterConfig::BuiltIn { address_v07: Some(_), .. }));
    let in_tokens = config.token_paymaster.as_ref().is_some_and(|paymaster| paymaster.address_v07.is_some());
    let later = (verifying || in_tokens).then_some(EntryPoint::V07);
    [EntryPoint::V06].into_iter().chain(later)
}

async fn paymaster(state: &ServerState) -> Result<(), AppError> {
    match state.paymaster().and_then(|paymaster| paymaster.remote()) {
        Some(remote) => remote.ping().await,
        None => Ok(()),
    }
}

async fn database(state: &ServerState) -> Result<(), AppError> {
    Ok(state.database().ping().await?)
}
