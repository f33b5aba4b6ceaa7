//! Errors as Biconomy's services write them (docs/protocol.md 4.6): code, text, and the HTTP status that its SDK goes by: it takes
//! every 2xx for a success, so a 200 with an error in it is sent where the service does so, and nowhere else. The standard
//! interface ([`RpcError::standard`]) has the codes of JSON-RPC and ERC-7769 instead, and 200 for whatever a call is refused for.

use std::time::Duration;

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::super::metrics;
use use_aa_actions::error::AppError;

/// A JSON-RPC error with its HTTP status.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RpcError {
    /// HTTP status of a single call; batches have 200.
    pub(super) status: StatusCode,
    /// JSON-RPC code.
    pub(super) code: i64,
    message: String,
    data: Option<Box<Value>>,
    /// After so many seconds it may go better.
    retry_after: Option<u64>,
    /// The code is an upstream's own.
    passed_on: bool,
}

impl RpcError {
    fn new(status: StatusCode, code: i64, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), data: None, retry_after: None, passed_on: false }
    }

    /// As clients of the standard interface expect it: the codes of JSON-RPC and ERC-7769, those of bundlers unchanged.
    /// Status 200 goes with what a call is refused for; who may not call, or too often, and faults that a proxy should see
    /// keep theirs.
    #[must_use]
    pub(super) fn standard(self) -> Self {
        let limited = self.status == StatusCode::TOO_MANY_REQUESTS;
        let code = match self.code {
            code if self.passed_on || limited => code,
            -32002 | -32005 => -32603,
            -32003 => -32602,
            code => code,
        };
        let keeps = limited || self.status.is_server_error() || matches!(self.status.as_u16(), 401 | 413);
        let status = if keeps { self.status } else { StatusCode::OK };
        Self { status, code, ..self }
    }

    /// The JSON-RPC answer.
    pub(super) fn body(&self, id: &Value) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(data) = &self.data {
            error["data"] = Value::clone(data);
        }
        json!({"jsonrpc": "2.0", "id": id, "error": error})
    }

    /// The whole answer to a single call.
    pub(super) fn response(&self, id: &Value) -> Response {
        let mut response = (self.status, Json(self.body(id))).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }

    /// No JSON.
    pub(super) fn unreadable() -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32700, "the body is not JSON")
    }

    /// JSON, but no request.
    pub(super) fn no_request(why: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32600, why)
    }

    /// A method that this service does not have.
    pub(super) fn method(method: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32601, format!("method not supported: {method}"))
    }

    /// Wrong parameters: HTTP 200, as the service does it.
    pub(super) fn fields(why: impl Into<String>) -> Self {
        Self::new(StatusCode::OK, -32602, why)
    }

    /// A key that was never issued, or was revoked.
    pub(super) fn unauthorised() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, -32001, "unauthorised: this key is not valid here")
    }

    /// Another chain than ours in the path.
    pub(super) fn other_chain(ours: u64) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32003, format!("this server works on chain {ours} only"))
    }

    /// An operation nobody knows: HTTP 200, because it may only be too early to ask.
    pub(super) fn unknown_hash() -> Self {
        Self::new(StatusCode::OK, -32004, "no user operation with this userOpHash is known")
    }

    /// Something is larger than allowed.
    pub(super) fn too_large(limit: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, -32003, format!("too large: at most {limit}"))
    }

    /// More calls than an address or a key (`scope`) may make.
    pub(super) fn rate_limited(scope: &'static str, wait: Duration) -> Self {
        metrics::rate_limited(scope);
        let seconds = (wait.as_secs_f64().ceil() as u64).max(1);
        let error = AppError::RateLimited { scope: scope.into(), seconds };
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::TOO_MANY_REQUESTS, -32005, error.to_string()) }
    }

    /// It took too long.
    pub(super) fn timed_out(limit: Duration) -> Self {
        let message = format!("not done within {} s", limit.as_secs());
        Self::new(StatusCode::GATEWAY_TIMEOUT, -32005, message)
    }
}

impl From<AppError> for RpcError {
    fn from(error: AppError) -> Self {
        let message = error.to_string();
        let (status, code) = match error {
            AppError::UpstreamRejected { code, message, data, .. } => {
                let data = data.map(|data| Box::new(serde_json::from_str(&data).unwrap_or(Value::String(data))));
                let passed_on = code != 0;
                let code = if passed_on { code } else { -32005 };
                return Self { data, passed_on, ..Self::new(StatusCode::BAD_REQUEST, code, message) };
            }
            AppError::InvalidInput { .. } => (StatusCode::OK, -32602),
            AppError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, -32003),
            AppError::SponsorshipRefused { .. }
            | AppError::GasTokenRefused { .. }
            | AppError::FeeQuoteExpired { .. } => (StatusCode::BAD_REQUEST, -32501),
            AppError::UpstreamUnavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, -32005),
            AppError::UpstreamMalformed { .. } => (StatusCode::BAD_GATEWAY, -32005),
            AppError::Internal { .. } => (StatusCode::INTERNAL_SERVER_ERROR, -32002),
            _ => (StatusCode::BAD_REQUEST, -32005),
        };
        Self::new(status, code, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use use_aa_actions::error::Upstream;

    #[test]
    fn an_upstreams_code_text_and_data_are_kept() {
        let error = RpcError::from(AppError::UpstreamRejected {
            upstream: Upstream::Bundler,
            code: -32500,
            message: "AA23 reverted: SessionNotApproved".into(),
            data: Some(r#"{"a":1}"#.into()),
        });
        assert_eq!(error.status, 400);
        let expected = json!({"code": -32500, "message": "AA23 reverted: SessionNotApproved", "data": {"a": 1}});
        assert_eq!(error.body(&json!(7)), json!({"jsonrpc": "2.0", "id": 7, "error": expected}));
    }

    #[test]
    fn the_standard_form_keeps_bundlers_codes_and_translates_ours() {
        let of = |error: RpcError| {
            let error = error.standard();
            (error.status.as_u16(), error.code)
        };
        let refused = |code| {
            let (upstream, message, data) = (Upstream::Bundler, "no".to_owned(), None);
            RpcError::from(AppError::UpstreamRejected { upstream, code, message, data })
        };
        assert_eq!([-32500, -32003, -32005, 0].map(|code| of(refused(code)).1), [-32500, -32003, -32005, -32603]);
        assert_eq!(of(refused(-32507)).0, 200);
        assert_eq!(of(RpcError::other_chain(1)), (200, -32602));
        assert_eq!(of(RpcError::method("x")), (200, -32601));
        assert_eq!(of(RpcError::unauthorised()), (401, -32001));
        assert_eq!(of(RpcError::rate_limited("key", Duration::from_secs(1))), (429, -32005));
        assert_eq!(of(RpcError::timed_out(Duration::from_secs(1))), (504, -32603));
        assert_eq!(of(AppError::SponsorshipRefused { reason: "budget".into() }.into()), (200, -32501));
        let down = AppError::UpstreamUnavailable { upstream: Upstream::Bundler, reason: "down".into() };
        assert_eq!(of(down.into()), (503, -32603));
    }

    #[test]
    fn only_wrong_fields_and_unknown_hashes_have_status_200() {
        assert_eq!(RpcError::from(AppError::invalid("nonce", "a number", "x")).status, 200);
        assert_eq!(RpcError::unknown_hash().status, 200);
        let refused = RpcError::from(AppError::SponsorshipRefused { reason: "budget".into() });
        assert_eq!((refused.status.as_u16(), refused.code), (400, -32501));
        let down = AppError::UpstreamUnavailable { upstream: Upstream::Bundler, reason: "down".into() };
        assert_eq!(RpcError::from(down).status, 503);
    }
}
