//! `/metrics`: for Prometheus on this machine, and for whoever has the token. Others are told nothing.

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use subtle::ConstantTimeEq;

use use_aa_server::{caller::Caller, config::Secret, metrics, state::ServerState};

/// Everything that was counted.
pub(super) async fn metrics(
    State(state): State<ServerState>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    let allowed = match &state.config().protection.metrics_token {
        Some(token) => carries(&headers, token),
        None => caller.local,
    };
    if !allowed {
        return StatusCode::NOT_FOUND.into_response();
    }
    let headers =
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    metrics::upstreams(&state.health());
    (headers, metrics::render()).into_response()
}

/// The request carries the token; compared in constant time.
fn carries(headers: &HeaderMap, token: &Secret) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    given.is_some_and(|given| given.trim().as_bytes().ct_eq(token.expose().trim().as_bytes()).into())
}
