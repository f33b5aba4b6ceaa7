//! What is turned away before it costs anything: malformed, oversized and slow requests.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use use_aa_server::json_shape;

use super::refuse;
use crate::error::AppError;

/// Largest body of a server function, bytes.
const MAX_BODY: usize = 512 * 1024;
/// Largest body of `publish_sessions`, bytes: 10,000 leaves as hex.
const MAX_SESSION_SET: usize = 8 * 1024 * 1024;
/// How long a server function may take to begin its answer. The status stream begins at once; how long
/// it then lasts is not limited here.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Refuses methods that nothing here answers, and request targets without a path.
pub(super) async fn well_formed(request: Request, next: Next) -> Response {
    if ![Method::GET, Method::HEAD, Method::POST, Method::OPTIONS].contains(request.method()) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if request.uri().path_and_query().is_none_or(|target| !target.path().starts_with('/')) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    next.run(request).await
}

/// Reads the body within its limit of size (`bodies.rs` has those of time, and of all bodies together), then limits the
/// time until the answer begins.
pub(super) async fn limits(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let (limit, values) = match parts.uri.path().ends_with("/publish_sessions") {
        true => (MAX_SESSION_SET, json_shape::SESSION_SET),
        false => (MAX_BODY, json_shape::REQUEST),
    };
    let too_large = || AppError::TooLarge { what: "the request".into(), limit: format!("{} KiB", limit / 1024) };
    let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > limit) {
        return refuse(None, too_large());
    }
    // The length limit, or a body that was cut; in the second case nobody reads this.
    let Ok(body) = to_bytes(body, limit).await else { return refuse(None, too_large()) };
    if !json_shape::is_modest(&body, values) {
        let got = "deeper nesting, or more values than any function takes";
        return refuse(None, AppError::invalid("request", "JSON of modest depth and size", got));
    }
    let request = Request::from_parts(parts, Body::from(body));
    match tokio::time::timeout(ANSWER_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let reason = format!("no answer within {} s", ANSWER_TIMEOUT.as_secs());
            refuse(Some(StatusCode::GATEWAY_TIMEOUT), AppError::Network { reason })
        }
    }
}
