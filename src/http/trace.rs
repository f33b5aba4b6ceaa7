//! One log line per request: who asked for what, how it ended, how long it took. No query, no body, no header.

use std::{
    borrow::Cow,
    hash::{BuildHasher, RandomState},
    net::SocketAddr,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::HeaderValue,
    middleware::Next,
    response::Response,
};
use leptos::server_fn::axum as server_fns;
use tracing::Instrument;

use use_aa_server::{
    caller::Caller,
    metrics,
    request_id::{REQUEST_ID, answering},
    state::ServerState,
};

/// Gives the request an id (a proxy's is kept), logs and counts it, and sends the id back.
pub(super) async fn request(State(state): State<ServerState>, mut request: Request, next: Next) -> Response {
    let id = request.headers().get(REQUEST_ID).filter(|id| acceptable(id)).cloned().unwrap_or_else(new_id);
    let begun = Instant::now();
    let open = metrics::Open::begin();
    let caller = Caller::of(
        request.extensions().get::<ConnectInfo<SocketAddr>>(),
        request.headers(),
        &state.config().protection.trusted_proxies,
    );
    request.extensions_mut().insert(caller);
    let method = request.method().clone();
    let route = route(&request);
    let path = shown(request.uri().path());
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default(), key = tracing::field::Empty);
    let mut response = answering(id.clone(), next.run(request).instrument(span.clone())).await;
    drop(open);
    let status = response.status().as_u16();
    metrics::request(&route, status, begun);
    let (ms, from) = (begun.elapsed().as_secs_f64() * 1e3, caller.address);
    span.in_scope(|| match status {
        500.. => tracing::warn!(%method, path, status, ms, %from, "answered"),
        400.. => tracing::info!(%method, path, status, ms, %from, "answered"),
        _ => tracing::debug!(%method, path, status, ms, %from, "answered"),
    });
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// The path as logs may show it: without the key that the JSON-RPC interface has there.
fn shown(path: &str) -> String {
    let with_key =
        ["/api/v1/", "/api/v2/", "/rpc/"].into_iter().find_map(|room| Some((room, path.strip_prefix(room)?)));
    match with_key.and_then(|(room, rest)| Some((room, rest.split_once('/')?.0))) {
        Some((room, chain)) => format!("{room}{}/…", chain.chars().take(20).collect::<String>()),
        None => path.chars().take(200).collect(),
    }
}

/// What is counted as one route: the pattern that matched, server functions by their names.
fn route(request: &Request) -> Cow<'static, str> {
    let path = request.uri().path();
    if path.starts_with("/api/fn/") {
        let known = server_fns::server_fn_paths().find(|(known, _)| *known == path);
        return known.map_or("/api/fn/?".into(), |(known, _)| known.into());
    }
    match request.extensions().get::<MatchedPath>() {
        Some(matched) => matched.as_str().to_owned().into(),
        None => "other".into(),
    }
}

fn acceptable(id: &HeaderValue) -> bool {
    let id = id.as_bytes();
    (1..=64).contains(&id.len()) && id.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// Unique across restarts (a random prefix per process) and within one (a counter).
fn new_id() -> HeaderValue {
    static PREFIX: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = format!("{:08x}-{:x}", *PREFIX as u32, NEXT.fetch_add(1, Ordering::Relaxed));
    HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(shown("/api/v2/31337/abc.def"), "/api/v2/31337/…");
        assert_eq!(shown("/api/v1/31337/abc/def"), "/api/v1/31337/…");
        assert_eq!(shown("/rpc/31337/abc.def"), "/rpc/31337/…");
        assert_eq!(shown("/api/fn/chain_info"), "/api/fn/chain_info");
        assert_eq!(shown("/"), "/");
    }

    #[test]
    fn ids_differ_and_are_acceptable() {
        let (a, b) = (new_id(), new_id());
        assert_ne!(a, b);
        assert!(acceptable(&a));
        assert!(!acceptable(&HeaderValue::from_static("")));
        assert!(!acceptable(&HeaderValue::from_static("a b")));
    }
}
