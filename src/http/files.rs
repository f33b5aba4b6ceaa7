//! Serves the files of the page: precompressed where the build made them so, cached for good where the name holds a
//! hash.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use leptos::config::LeptosOptions;
use tower::ServiceExt;
use tower_http::services::{ServeDir, fs::DefaultServeDirFallback};

use super::page_files::PageFiles;

/// One year, the longest that caches honour.
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Ask each time whether it has changed.
const ASK: HeaderValue = HeaderValue::from_static("no-cache");

/// Answers requests for files.
#[derive(Clone)]
pub struct FileServer {
    files: ServeDir<DefaultServeDirFallback, PageFiles>,
    /// Where scripts, styles and wasm are, as in `/pkg/`.
    folder: Arc<str>,
    /// Whether names in there hold a hash.
    hashed: bool,
}

impl FileServer {
    pub(super) fn new(files: PageFiles, options: &LeptosOptions) -> Self {
        let files = ServeDir::with_backend("", files)
            .append_index_html_on_directories(false)
            .precompressed_br()
            .precompressed_gzip();
        let folder = format!("/{}/", options.site_pkg_dir.trim_matches('/')).into();
        Self { files, folder, hashed: options.hash_files }
    }

    /// The route below which only files live.
    pub(super) fn route(&self) -> String {
        format!("{}{{*path}}", self.folder)
    }

    /// The file that is asked for; nothing when there is none, or when it is not read.
    pub(super) fn find(&self, request: &Request) -> impl Future<Output = Option<Response>> + Send + use<> {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let mut asked = Request::new(Body::empty());
        *asked.method_mut() = request.method().clone();
        *asked.uri_mut() = request.uri().clone();
        *asked.headers_mut() = request.headers().clone();
        // ETags alone decide: times differ between servers of one page, and files inside the program have none.
        asked.headers_mut().remove(header::IF_MODIFIED_SINCE);
        asked.headers_mut().remove(header::IF_UNMODIFIED_SINCE);
        let cache = match self.hashed && request.uri().path().starts_with(&*self.folder) {
            true => FOR_GOOD,
            false => ASK,
        };
        let files = self.files.clone();
        async move {
            if !is_read {
                return None;
            }
            let mut response = files.oneshot(asked).await.into_response();
            let status = response.status();
            if status == StatusCode::NOT_FOUND {
                return None;
            }
            response.headers_mut().remove(header::LAST_MODIFIED);
            if status.is_success() || status == StatusCode::NOT_MODIFIED {
                response.headers_mut().insert(header::CACHE_CONTROL, cache);
            }
            Some(response)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::body::to_bytes;

    use super::{super::archive::tests::tar_of, *};

    fn server(files: &[(&str, &[u8])]) -> FileServer {
        let mut files = files.to_vec();
        files.push(("page.json", b"{}"));
        let options = LeptosOptions::builder().output_name("use-aa").hash_files(true).build();
        FileServer::new(PageFiles::choose(None, tar_of(&files)).unwrap(), &options)
    }

    fn page() -> FileServer {
        server(&[
            ("favicon.svg", b"<svg/>"),
            ("favicon.svg.br", b"br"),
            ("pkg/a.12.js", b"script"),
            ("pkg/a.12.js.br", b"br of it"),
            ("pkg/a.12.js.gz", b"gzip of it"),
            ("pkg/a.34.wasm", b"\0asm"),
            ("hash.txt", b"js: 12"),
            ("highlighted.json", b"{}"),
        ])
    }

    async fn get(server: &FileServer, path: &str, headers: &[(header::HeaderName, &str)]) -> Option<Response> {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        server.find(&request.body(Body::empty()).unwrap()).await
    }

    async fn body(response: Response) -> Vec<u8> {
        to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
    }

    #[tokio::test]
    async fn the_encoding_that_the_browser_prefers_is_sent() {
        let page = page();
        for (accepted, encoding, content) in [
            ("gzip, deflate, br, zstd", Some("br"), &b"br of it"[..]),
            ("br;q=0.5, gzip;q=0.8", Some("gzip"), b"gzip of it"),
            ("gzip", Some("gzip"), b"gzip of it"),
            ("br;q=0, gzip;q=0", None, b"script"),
            ("identity", None, b"script"),
            ("", None, b"script"),
            ("nonsense;q=x", None, b"script"),
        ] {
            let response = get(&page, "/pkg/a.12.js", &[(header::ACCEPT_ENCODING, accepted)]).await.unwrap();
            let headers = response.headers();
            assert_eq!(headers.get(header::CONTENT_ENCODING).map(|v| v.to_str().unwrap()), encoding, "{accepted}");
            assert_eq!(headers[header::VARY], "accept-encoding");
            assert_eq!(headers[header::CONTENT_TYPE], "text/javascript");
            assert_eq!(headers[header::CONTENT_LENGTH], content.len().to_string());
            assert_eq!(body(response).await, content, "{accepted}");
        }
        let wasm = get(&page, "/pkg/a.34.wasm", &[(header::ACCEPT_ENCODING, "br")]).await.unwrap();
        assert_eq!(wasm.headers()[header::CONTENT_TYPE], "application/wasm", "or it would not compile while it comes");
        assert_eq!(body(wasm).await, b"\0asm");
    }

    #[tokio::test]
    async fn caches_ask_again_only_where_names_hold_no_hash() {
        let page = page();
        let hashed = get(&page, "/pkg/a.12.js", &[]).await.unwrap();
        assert_eq!(hashed.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        let plain = get(&page, "/favicon.svg", &[]).await.unwrap();
        assert_eq!(plain.headers()[header::CACHE_CONTROL], "no-cache");
        assert_eq!(plain.headers()[header::CONTENT_TYPE], "image/svg+xml");
        assert!(!plain.headers().contains_key(header::LAST_MODIFIED), "it has no date");
        let tag = plain.headers()[header::ETAG].to_str().unwrap().to_owned();
        let again = get(&page, "/favicon.svg", &[(header::IF_NONE_MATCH, &tag)]).await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()[header::ETAG], tag);
        assert_eq!(body(again).await, b"");
        let brotli = [(header::ACCEPT_ENCODING, "br"), (header::IF_NONE_MATCH, &*tag)];
        assert_eq!(get(&page, "/favicon.svg", &brotli).await.unwrap().status(), 200, "another representation");
        let changed = server(&[("favicon.svg", b"<svg>!")]);
        assert_eq!(get(&changed, "/favicon.svg", &[(header::IF_NONE_MATCH, &tag)]).await.unwrap().status(), 200);
        let dated = [(header::IF_MODIFIED_SINCE, "Fri, 31 Dec 2100 00:00:00 GMT")];
        assert_eq!(get(&changed, "/favicon.svg", &dated).await.unwrap().status(), 200);
    }

    #[tokio::test]
    async fn only_files_for_browsers_are_found() {
        let page = page();
        let others = "/page.json /hash.txt /highlighted.json /./hash.txt //hash.txt /%68ash.txt / /pkg /pkg/ /pkg/b.js \
                      /favicon.svg/ /../Cargo.toml /%2e%2e/Cargo.toml /pkg/%00";
        for path in others.split_whitespace() {
            assert!(get(&page, path, &[]).await.is_none(), "{path}");
        }
        let post = Request::post("/favicon.svg").body(Body::empty()).unwrap();
        assert!(page.find(&post).await.is_none());
        let head = Request::head("/favicon.svg").body(Body::empty()).unwrap();
        let head = page.find(&head).await.unwrap();
        assert_eq!(head.headers()[header::CONTENT_LENGTH], "6");
        assert_eq!(body(head).await, b"");
    }

    #[tokio::test]
    async fn a_folder_is_served_alike() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("pkg")).unwrap();
        for (path, content) in [("pkg/a.12.js", "script"), ("pkg/a.12.js.br", "br"), ("hash.txt", "js: 12")] {
            std::fs::write(folder.path().join(path), content).unwrap();
        }
        let options = LeptosOptions::builder().output_name("use-aa").hash_files(true).build();
        let server = FileServer::new(PageFiles::in_folder(folder.path().into()), &options);
        let script = get(&server, "/pkg/a.12.js", &[(header::ACCEPT_ENCODING, "br")]).await.unwrap();
        assert_eq!(script.headers()[header::CONTENT_ENCODING], "br");
        assert_eq!(script.headers()[header::CACHE_CONTROL], FOR_GOOD);
        let tag = script.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_eq!(body(script).await, b"br");
        let again = [(header::ACCEPT_ENCODING, "br"), (header::IF_NONE_MATCH, &*tag)];
        assert_eq!(get(&server, "/pkg/a.12.js", &again).await.unwrap().status(), StatusCode::NOT_MODIFIED);
        for path in ["/hash.txt", "/pkg", "/pkg/", "/nowhere", "/../Cargo.toml"] {
            assert!(get(&server, path, &[]).await.is_none(), "{path}");
        }
    }
}
