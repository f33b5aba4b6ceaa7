//! Calls from pages of other sites (CORS): the JSON-RPC paths alone take them.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::{
    cors::{Any, CorsLayer},
    set_header::SetResponseHeaderLayer,
};

type Header = SetResponseHeaderLayer<HeaderValue>;

/// Dapps live on sites of their own: every site may call, because the key in the URL is what admits.
pub(super) fn any_site() -> (Header, Header, CorsLayer) {
    let request_id = HeaderName::from_static("x-request-id");
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::POST, Method::OPTIONS])
        .allow_headers([header::ACCEPT, header::CONTENT_TYPE, request_id.clone()])
        .expose_headers([header::RETRY_AFTER, request_id])
        .max_age(Duration::from_secs(86_400))
        // The same is answered to every site.
        .vary([]);
    let always = |name, value| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    (always(header::CACHE_CONTROL, "no-store"), always(policy, "cross-origin"), cors)
}
