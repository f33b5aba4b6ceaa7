//! The files of the page: precompressed where the build made them so, cached for good where the name holds a hash.

use axum::http::{HeaderValue, Response, header};
use leptos::config::LeptosOptions;
use tower::ServiceBuilder;
use tower_http::{
    services::{ServeDir, fs::ServeFileSystemResponseBody},
    set_header::SetResponseHeader,
};

/// One year, the longest that caches honour.
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Ask each time whether it has changed.
const ASK: HeaderValue = HeaderValue::from_static("no-cache");

/// Where the files of the page live.
pub(super) fn route(options: &LeptosOptions) -> String {
    format!("/{}/{{*path}}", options.site_pkg_dir.trim_matches('/'))
}

type CacheHeader = fn(&Response<ServeFileSystemResponseBody>) -> Option<HeaderValue>;

/// Serves them.
pub(super) fn service(options: &LeptosOptions) -> SetResponseHeader<ServeDir, CacheHeader> {
    let hashed: CacheHeader = |response| response.status().is_success().then_some(FOR_GOOD);
    let plain: CacheHeader = |response| response.status().is_success().then_some(ASK);
    ServiceBuilder::new()
        .layer(tower_http::set_header::SetResponseHeaderLayer::if_not_present(
            header::CACHE_CONTROL,
            if options.hash_files { hashed } else { plain },
        ))
        .service(ServeDir::new(&*options.site_root).precompressed_br().precompressed_gzip())
}
