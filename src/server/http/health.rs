//! `/readyz`: do the upstreams answer? Each by name, with its latency or its error.

use std::time::{Duration, Instant};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::super::state::ServerState;
use crate::{
    error::{AppError, Upstream},
    protocol::addresses::ENTRY_POINT,
};

/// How long an upstream may take here.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    ready: bool,
    upstreams: Vec<UpstreamReport>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UpstreamReport {
    name: Upstream,
    ok: bool,
    latency_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<AppError>,
}

/// 200 when every upstream answers as it should, else 503; the body says which does not.
pub(super) async fn readyz(State(state): State<ServerState>) -> Response {
    let (node, bundler, paymaster) = tokio::join!(
        checked(Upstream::Node, node(&state)),
        checked(Upstream::Bundler, bundler(&state)),
        checked(Upstream::Paymaster, paymaster(&state)),
    );
    let mut upstreams = vec![node, bundler];
    if state.paymaster().is_some() {
        upstreams.push(paymaster);
    }
    let ready = upstreams.iter().all(|upstream| upstream.ok);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(Report { ready, upstreams })).into_response()
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
