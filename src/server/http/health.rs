//! `/readyz`: do the upstreams answer? Each by name, with its latency or its error.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio::sync::Mutex;

use super::super::state::ServerState;
use crate::{
    error::{AppError, Upstream},
    protocol::addresses::ENTRY_POINT,
};

/// How long an upstream may take here.
const PATIENCE: Duration = Duration::from_secs(3);
/// A report is given again for so long: however many ask, the upstreams are asked once.
const FRESH: Duration = Duration::from_millis(500);

/// What was found out lately. While one request finds out, the others wait for it.
#[derive(Clone, Default)]
pub(super) struct Cache {
    latest: Arc<Mutex<Option<(Instant, Report)>>>,
}

impl Cache {
    /// 200 when every upstream answers as it should, else 503; the body says which does not.
    pub(super) async fn readyz(&self, state: &ServerState) -> Response {
        let report = {
            let mut latest = self.latest.lock().await;
            match &*latest {
                Some((when, report)) if when.elapsed() < FRESH => report.clone(),
                _ => {
                    let report = report(state).await;
                    *latest = Some((Instant::now(), report.clone()));
                    report
                }
            }
        };
        let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
    }
}

/// What all upstreams answered.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// Everything needed is there.
    pub(super) ready: bool,
    /// One by one.
    pub(super) upstreams: Vec<UpstreamReport>,
}

/// What one upstream answered.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpstreamReport {
    /// Which.
    pub(super) name: Upstream,
    ok: bool,
    latency_ms: f64,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<AppError>,
}

/// Asks all upstreams at once.
pub(super) async fn report(state: &ServerState) -> Report {
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
    match state.bundler().supported_entry_points().await?.contains(&ENTRY_POINT) {
        true => Ok(()),
        false => Err(AppError::UpstreamMalformed {
            upstream: Upstream::Bundler,
            reason: format!("it does not serve the entry point {ENTRY_POINT}"),
        }),
    }
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
