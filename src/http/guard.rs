//! What is turned away before it costs anything: malformed, foreign, oversized and slow requests.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use use_aa_server::{config::Config, json_shape, state::ServerState};

use super::refuse;
use crate::error::AppError;

/// Largest body of a server function, bytes.
const MAX_BODY: usize = 512 * 1024;
/// Largest body of `publish_sessions`, bytes: 10,000 leaves as hex.
const MAX_SESSION_SET: usize = 8 * 1024 * 1024;
/// How long a server function may take to begin its answer. The status stream begins at once; how long
/// it then lasts is not limited here.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Refuses methods that nothing here answers, request targets without a path, and hosts that are not ours.
pub(super) async fn well_formed(State(state): State<ServerState>, request: Request, next: Next) -> Response {
    if ![Method::GET, Method::HEAD, Method::POST, Method::OPTIONS].contains(request.method()) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if request.uri().path_and_query().is_none_or(|target| !target.path().starts_with('/')) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    if let Some(host) = host
        && !is_ours(host, state.config())
    {
        let error = AppError::invalid("Host", "a name that this server answers to (USE_AA_HOSTS)", host);
        return refuse(Some(StatusCode::MISDIRECTED_REQUEST), error);
    }
    next.run(request).await
}

/// Whether the server answers to this name. A foreign site could point a name of its own to a loopback address and
/// then call as if it were this site (DNS rebinding): for that it needs a name with a dot in it, so that while
/// listening on loopback, names without one and bare addresses are enough.
fn is_ours(host: &str, config: &Config) -> bool {
    let name = match host.rsplit_once(':') {
        // Not the last part of an IPv6 address.
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if !config.protection.hosts.is_empty() {
        return config.protection.hosts.contains(&name);
    }
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    !config.addr.ip().is_loopback()
        || !name.contains('.')
        || name.ends_with(".localhost")
        || bare.parse::<std::net::IpAddr>().is_ok()
}

/// Refuses calls that a page of another site makes. Programs that are no browsers send neither header.
pub(super) async fn same_origin(request: Request, next: Next) -> Response {
    match foreign(request.headers()) {
        Some(got) => {
            let error = AppError::invalid("Origin", "a call from a page of this site", got);
            refuse(Some(StatusCode::FORBIDDEN), error)
        }
        None => next.run(request).await,
    }
}

/// The site that a call comes from, when it is not this one.
fn foreign(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    if let Some(site) = text("sec-fetch-site")
        && !matches!(site.as_str(), "same-origin" | "none")
    {
        return Some(format!("Sec-Fetch-Site: {site}"));
    }
    let origin = text("origin")?;
    let Some((_, authority)) = origin.split_once("://") else { return Some(origin) };
    // A page cannot set either header; a reverse proxy may rewrite Host and tell the true one.
    let ours = ["host", "x-forwarded-host"].into_iter().filter_map(text);
    let same = ours.into_iter().any(|host| host.eq_ignore_ascii_case(authority));
    (!same).then_some(origin)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn from(list: &[(&'static str, &'static str)]) -> Option<String> {
        let headers = list.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        foreign(&headers.collect())
    }

    #[test]
    fn foreign_names_are_not_answered_on_loopback() {
        use use_aa_server::config::{Config, ProtectionArgs, ServeArgs};
        let config = |addr: &str, hosts: Option<&str>| {
            let protection = ProtectionArgs { hosts: hosts.map(Into::into), ..Default::default() };
            Config::from_args(&ServeArgs { addr: Some(addr.into()), protection, ..Default::default() }).unwrap()
        };
        let loopback = config("127.0.0.1:3000", None);
        for host in
            ["127.0.0.1:3000", "localhost:3000", "LOCALHOST", "[::1]:3000", "x", "aa.localhost:1", "192.168.1.7"]
        {
            assert!(is_ours(host, &loopback), "{host}");
        }
        for host in ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "?.x", "evil.example."] {
            assert!(!is_ours(host, &loopback), "{host}");
        }
        assert!(is_ours("aa.example", &config("0.0.0.0:3000", None)));
        let named = config("0.0.0.0:3000", Some("aa.example, [::1]"));
        assert!(is_ours("AA.example:443", &named) && is_ours("[::1]:80", &named));
        assert!(!is_ours("localhost", &named) && !is_ours("b.aa.example", &named));
    }

    #[test]
    fn calls_of_this_site_and_of_programs_pass() {
        assert_eq!(from(&[("host", "127.0.0.1:3000")]), None);
        assert_eq!(from(&[("host", "127.0.0.1:3000"), ("origin", "http://127.0.0.1:3000")]), None);
        assert_eq!(
            from(&[("host", "10.0.0.7:80"), ("x-forwarded-host", "aa.example"), ("origin", "https://aa.example")]),
            None
        );
        assert_eq!(from(&[("sec-fetch-site", "same-origin")]), None);
        assert_eq!(from(&[("sec-fetch-site", "none")]), None);
    }

    #[test]
    fn calls_of_other_sites_do_not() {
        assert!(from(&[("host", "127.0.0.1:3000"), ("origin", "http://127.0.0.1:3001")]).is_some());
        assert!(from(&[("host", "127.0.0.1:3000"), ("origin", "http://evil.example")]).is_some());
        assert!(from(&[("host", "127.0.0.1:3000"), ("origin", "null")]).is_some());
        assert!(from(&[("origin", "http://evil.example")]).is_some());
        assert!(from(&[("sec-fetch-site", "cross-site")]).is_some());
        assert!(from(&[("sec-fetch-site", "same-site")]).is_some());
    }
}
